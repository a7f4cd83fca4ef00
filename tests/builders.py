"""Build entities that are valid by default. A test gives only the values that matter to it."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Final
from uuid import UUID

from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.identity import Identity, Origin
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.model.session import Device, Session, SessionId
from domain.model.user import User, UserId, canonical_email

NOON: Final = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
"""The default time of the StoppedClock."""

_numbers = count(1)


def a_user(
    *,
    id: UserId | None = None,  # noqa: A002 - named as the entity names it.
    email: str | None = None,
    name: str = "Ada",
    password_hash: str | None = "not a real hash",
    roles: frozenset[str] | set[str] = frozenset(),
    is_active: bool = True,
    is_break_glass: bool = False,
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
        is_break_glass=is_break_glass,
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
    origin: Origin | None = None,
    is_remembered: bool = False,
    confirmed_at: datetime | None = None,
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
        is_remembered=is_remembered,
        confirmed_at=confirmed_at,
        origin=origin,
    )


def an_identity(
    *, of: User, issuer: str = "https://id.example.org", subject: str | None = None
) -> Identity:
    return Identity(
        issuer=issuer,
        subject=subject or f"subject {next(_numbers)}",
        user_id=of.id,
        created_at=NOON,
    )


def a_known_device(
    *,
    of: User,
    id: KnownDeviceId | None = None,  # noqa: A002 - named as the entity names it.
    secret_hash: bytes | None = None,
    session_id: SessionId | None = None,
    seen_at: datetime = NOON,
    device: Device | None = None,
) -> KnownDevice:
    number = next(_numbers)
    return KnownDevice(
        id=id or KnownDeviceId(UUID(int=number)),
        user_id=of.id,
        secret_hash=secret_hash or sha256(f"secret {number}".encode()).digest(),
        session_id=session_id or SessionId(UUID(int=number)),
        seen_at=seen_at,
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
