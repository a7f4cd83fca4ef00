"""What an author of a page imports."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Self

import gradio as gr

from domain.model.user import checked_roles
from entrypoints.ui import injection
from entrypoints.ui.injection import injected
from entrypoints.ui.redirecting import redirect
from entrypoints.ui.remembering import remember
from entrypoints.ui.roles import requires, visible_to
from entrypoints.ui.values import State
from entrypoints.ui.views import Session, User

__all__ = [
    "Page",
    "PageRefused",
    "Session",
    "State",
    "User",
    "current_session",
    "current_user",
    "injected",
    "redirect",
    "remember",
    "requires",
    "visible_to",
]


class PageRefused(Exception):
    """A page that cannot be served safely; the text is one line that says which, and what to change."""


@dataclass(frozen=True, slots=True)
class Page:
    """An app, how it appears in the navigation, and for whom."""

    demo: gr.Blocks
    _: KW_ONLY
    title: str = ""
    """The app's own when empty."""
    path: str = ""
    """Its address below the UI's path; made from the title when empty."""
    roles: Collection[str] = frozenset()
    """Whoever has one of them may come in; everybody who is signed in when empty."""
    order: int = 0
    """Of its place in the navigation; pages of the same order stay as they are named."""
    csp: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    """Widens the page's content security policy, by directive: `{"img-src": "https://images.example.com"}`."""

    kept_examples: Path | None = field(default=None, repr=False, compare=False)
    """Where the outputs of its examples are kept; said by whoever loads it."""

    def __post_init__(self) -> None:
        """Raises RoleInvalid, and PageRefused for a role written as a text."""
        if isinstance(self.roles, str):
            raise PageRefused(f'roles={self.roles!r} is a text: write roles={{"{self.roles}"}}.')
        object.__setattr__(self, "roles", checked_roles(self.roles))

    def titled(self, title: str) -> Self:
        return replace(self, title=title)


def current_user(request: gr.Request | None = None) -> User:  # noqa: ARG001 -- Authors of the older template pass it.
    """Who is calling, at any depth of a callback. Raises RuntimeError outside one."""
    return injection.current_user()


def current_session() -> Session:
    """The sign-in of who is calling. Raises RuntimeError outside a callback."""
    return injection.current_session()
