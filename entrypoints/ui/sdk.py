"""What an author of a page imports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import gradio as gr

from entrypoints.ui import injection
from entrypoints.ui.injection import injected
from entrypoints.ui.redirecting import redirect
from entrypoints.ui.remembering import remember
from entrypoints.ui.roles import requires, visible_to
from entrypoints.ui.values import State
from entrypoints.ui.views import Session, User

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An app and how it appears in the navigation."""

    demo: gr.Blocks
    title: str
    path: str = ""
    """Its address below the UI's path; made from the title when empty."""
    csp: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    """Widens the page's content security policy, by directive: `{"img-src": "https://images.example.com"}`."""


def current_user(request: gr.Request | None = None) -> User:  # noqa: ARG001 -- Authors of the older template pass it.
    """Who is calling, at any depth of a callback. Raises RuntimeError outside one."""
    return injection.current_user()


def current_session() -> Session:
    """The sign-in of who is calling. Raises RuntimeError outside a callback."""
    return injection.current_session()
