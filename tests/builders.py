"""Entities that are valid by default: a test says only what matters to it."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Final
from uuid import UUID

from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.session import Device, Session, SessionId
from domain.model.user import User, UserId, canonical_email

NOON: Final = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
"""When the StoppedClock stands, unless it is told otherwise."""

_numbers = count(1)


def a_user(
    *,
    id: UserId | None = None,  # noqa: A002 - named as the entity names it.
    email: str | None = None,
    name: str = "Ada",
    password_hash: str | None = "not a real hash",
    roles: frozenset[str] | set[str] = frozenset(),
    is_active: bool = True,
    created_at: datetime = NOON,
    updated_at: datetime | None = None,
) -> User:
    number = next(_numbers)
    return User(
        id=id or UserId(UUID(int=number)),
        email=canonical_email(email or f"user{number:06}@example.org"),
        name=name,
        password_hash=password_hash,
        roles=frozenset(roles),
        is_active=is_active,
        created_at=created_at,
        updated_at=updated_at or created_at,
    )


def an_admin(*, email: str | None = None, name: str = "Grace", is_active: bool = True) -> User:
    return a_user(email=email, name=name, roles={"admin"}, is_active=is_active)


def a_session(
    *,
    of: User,
    id: SessionId | None = None,  # noqa: A002 - named as the entity names it.
    secret_hash: bytes | None = None,
    created_at: datetime = NOON,
    seen_at: datetime | None = None,
    ends_at: datetime | None = None,
    device: Device | None = None,
) -> Session:
    number = next(_numbers)
    return Session(
        id=id or SessionId(UUID(int=number)),
        user_id=of.id,
        secret_hash=secret_hash or sha256(f"secret {number}".encode()).digest(),
        created_at=created_at,
        seen_at=seen_at or created_at,
        ends_at=ends_at or created_at + timedelta(hours=12),
        device=device or Device(address="192.0.2.1", agent="A browser"),
    )


def a_token(
    *,
    of: User,
    id: AccessTokenId | None = None,  # noqa: A002 - named as the entity names it.
    name: str = "A program",
    secret_hash: bytes | None = None,
    roles: frozenset[str] | set[str] | None = None,
    created_at: datetime = NOON,
    expires_at: datetime | None = None,
    last_used_at: datetime | None = None,
) -> AccessToken:
    number = next(_numbers)
    return AccessToken(
        id=id or AccessTokenId(UUID(int=number)),
        user_id=of.id,
        name=name,
        secret_hash=secret_hash or sha256(f"secret {number}".encode()).digest(),
        hint="abcd",
        roles=None if roles is None else frozenset(roles),
        created_at=created_at,
        expires_at=expires_at or created_at + timedelta(days=90),
        last_used_at=last_used_at,
    )
