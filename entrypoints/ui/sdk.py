"""What an author of a page imports."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import gradio as gr

from domain.model.session import Session as KeptSession
from domain.model.user import User as KeptUser
from entrypoints.ui.calling import SessionData, current_call


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account as authors see it: no hash, no secret."""

    id: str
    email: str
    name: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A sign-in as authors see it."""

    id: str
    """Public; not what the cookie carries."""
    created_at: datetime
    """UTC, like the others."""
    ends_at: datetime
    data: MutableMapping[str, Any]
    """JSON values, kept per sign-in once the callback has returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An app and how it appears in the navigation."""

    demo: gr.Blocks
    title: str
    path: str = ""
    """Its address below the UI's path; made from the title when empty."""


def current_user(request: gr.Request | None = None) -> User:  # noqa: ARG001 -- Authors of the older template pass it.
    """Who is calling, at any depth of a callback. Raises RuntimeError outside one."""
    return user_view(current_call().signed_in.user)


def current_session() -> Session:
    """The sign-in of who is calling. Raises RuntimeError outside a callback."""
    call = current_call()
    return session_view(call.signed_in.session, call.data)


def user_view(user: KeptUser) -> User:
    return User(id=str(user.id), email=user.email, name=user.name, roles=user.roles)


def session_view(session: KeptSession, data: SessionData) -> Session:
    return Session(
        id=str(session.id), created_at=session.created_at, ends_at=session.ends_at, data=data
    )
