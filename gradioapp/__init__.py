"""The public names for authors of Gradio apps: `from gradioapp import current_user`.

They are imported at their first use, so that the command `gradioapp` does not wait for Gradio.
"""

from typing import TYPE_CHECKING, Any

from gradioapp import _names

_names.find_ours_first()

if TYPE_CHECKING:
    from entrypoints.ui.sdk import (
        Page,
        Session,
        State,
        User,
        current_session,
        current_user,
        injected,
        redirect,
        remember,
        requires,
        visible_to,
    )

__all__ = [
    "Page",
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

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'gradioapp' has no attribute {name!r}")
        from entrypoints.ui import sdk

        return getattr(sdk, name)

    def __dir__() -> list[str]:
        return __all__
