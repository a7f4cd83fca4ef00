"""Accounts and sign-ins as authors see them: no hash, no secret."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.model.session import Session as KeptSession
from domain.model.user import User as KeptUser


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: str
    email: str
    name: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: str
    """Public; not what the cookie carries."""
    created_at: datetime
    """UTC, like the others."""
    ends_at: datetime
    data: MutableMapping[str, Any]
    """JSON values, kept per sign-in once the callback has returned."""


def user_view(user: KeptUser) -> User:
    return User(id=str(user.id), email=user.email, name=user.name, roles=user.roles)


def session_view(session: KeptSession, data: MutableMapping[str, Any]) -> Session:
    return Session(
        id=str(session.id), created_at=session.created_at, ends_at=session.ends_at, data=data
    )
