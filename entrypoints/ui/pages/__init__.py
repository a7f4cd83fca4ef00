"""The pages, in the order of the navigation; the first is the HomePage.

One more page is one file here with `build() -> Page`, and its name in this list.
"""

from collections.abc import Callable, Sequence
from typing import Final

from entrypoints.ui.pages import countdown, home
from entrypoints.ui.sdk import Page

PAGES: Final[Sequence[Callable[[], Page]]] = (home.build,)
EXAMPLES: Final[Sequence[Callable[[], Page]]] = (countdown.build,)
"""Shown as long as no app is named in GRADIOAPP_APPS or behind --app."""
