"""Accounts and sessions as authors see them, without hashes and secrets."""

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
    """A public id, not the secret one in the cookie."""
    created_at: datetime
    """UTC."""
    ends_at: datetime
    """UTC."""
    data: MutableMapping[str, Any]
    """JSON values of this session, stored when the callback returns."""


def user_view(user: KeptUser) -> User:
    return User(id=str(user.id), email=user.email, name=user.name, roles=user.roles)


def session_view(session: KeptSession, data: MutableMapping[str, Any]) -> Session:
    return Session(
        id=str(session.id), created_at=session.created_at, ends_at=session.ends_at, data=data
    )
