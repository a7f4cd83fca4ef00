"""The names that authors of apps import."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import gradio as gr

from domain.model.user import checked_roles
from entrypoints.ui.calls.kept_values import State
from entrypoints.ui.calls.views import Session, User
from entrypoints.ui.sdk import current
from entrypoints.ui.sdk.redirecting import redirect
from entrypoints.ui.sdk.remembering import remember
from entrypoints.ui.sdk.roles import requires, visible_to
from entrypoints.ui.sdk.stand_ins import injected

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


_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
"""RFC 6749, section 3.3."""


class PageRefused(Exception):
    """A page cannot be served safely. The text is one line that names the page and says what to change."""


@dataclass(frozen=True, slots=True)
class Page:
    """An app, its title and place in the navigation, and the roles that may open it."""

    demo: gr.Blocks
    _: KW_ONLY
    title: str = ""
    """If empty, the app's own title is used."""
    description: str = ""
    """Plain text for the HomePage. If empty, it is the first paragraph of the app's docstring."""
    path: str = ""
    """The address below the UI's path. If empty, it is made from the title."""
    roles: Collection[str] = frozenset()
    """A user needs one of these roles to open the page. If empty, every signed-in user may open it."""
    order: int = 0
    """Position in the navigation, lowest first. Pages with equal numbers keep the order in which they were given."""
    csp: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    """Sources to add to the page's content security policy, by directive: `{"img-src":
    "https://images.example.com"}`."""
    scopes: Mapping[str, Collection[str]] = field(default_factory=dict)
    """What the app does with its user's account at an identity provider, by the provider's name in the settings:
    `{"corp": "files.read offline_access"}`. Without it, no function gets a gr.OAuthToken."""

    kept_examples: Path | None = field(default=None, repr=False, compare=False)
    """The folder for cached outputs of the app's examples. Set when the app is loaded."""
    let_end: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    """Lets the app's file go on from its launch when the service ends. Set when the app is loaded."""
    looks: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Options of the mount for the looks of our own pages. An author's app passes its own to `launch()`."""
    is_example: bool = field(default=False, repr=False, compare=False)
    """True for our own example, which is only served without an author's app."""

    def __post_init__(self) -> None:
        """Raises RoleInvalid, and PageRefused if `roles` is a string, `demo` is no app, or `scopes` is not as described."""
        if not isinstance(self.demo, gr.Blocks):
            kind = self.demo.__name__ if isinstance(self.demo, type) else type(self.demo).__name__
            raise PageRefused(f"Page() takes an app, as in Page(demo), not {kind}.")
        if isinstance(self.roles, str):
            raise PageRefused(f'roles={self.roles!r} is a string. Write roles={{"{self.roles}"}}.')
        object.__setattr__(self, "roles", checked_roles(self.roles))
        object.__setattr__(self, "scopes", _checked_scopes(self.scopes))

    def titled(self, title: str) -> Self:
        return replace(self, title=title)


def _checked_scopes(scopes: object) -> Mapping[str, frozenset[str]]:
    """Raises PageRefused."""
    if not isinstance(scopes, Mapping):
        raise PageRefused(f'scopes={scopes!r} names no provider. Write scopes={{"corp": "…"}}.')
    checked = {}
    for provider, named in scopes.items():
        parts = named.split() if isinstance(named, str) else list(named)
        if not all(isinstance(part, str) and _SCOPE.fullmatch(part) for part in parts):
            raise PageRefused(
                f'scopes={scopes!r} has a scope that is none. Write scopes={{"{provider}": "read write"}}.'
            )
        checked[provider] = frozenset(parts)
    return checked


def current_user(request: gr.Request | None = None) -> User:  # noqa: ARG001 -- Authors of the older template pass it.
    """Return the user who is calling, at any depth of a callback. Raises RuntimeError outside a callback."""
    return current.current_user()


def current_session() -> Session:
    """Return the session of the user who is calling. Raises RuntimeError outside a callback."""
    return current.current_session()
