"""Mapping between entities and rows."""

import json
import unicodedata
from typing import Any, Final

from sqlalchemy import Row, Select, func, select

from adapters.sql.rows import (
    AccessTokenRow,
    IdentityRow,
    KnownDeviceRow,
    SessionRow,
    UserRoleRow,
    UserRow,
)
from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.identity import Identity, Origin
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.model.session import Device, Session, SessionId
from domain.model.state import Entry
from domain.model.user import Email, User, UserId

_ROLES: Final = (
    # A comma can separate roles: they consist of a-z, 0-9, '-' and '_'.
    select(func.aggregate_strings(UserRoleRow.role, ","))
    .where(UserRoleRow.user_id == UserRow.id)
    .correlate(UserRow)
    .scalar_subquery()
)

_USER: Final = (
    UserRow.id.label("user_id"),
    UserRow.email.label("user_email"),
    UserRow.name.label("user_name"),
    UserRow.password_hash.label("user_password_hash"),
    UserRow.is_active.label("user_is_active"),
    UserRow.is_break_glass.label("user_is_break_glass"),
    UserRow.created_at.label("user_created_at"),
    UserRow.updated_at.label("user_updated_at"),
    _ROLES.label("user_roles"),
)

_SESSION: Final = (
    SessionRow.id.label("session_id"),
    SessionRow.user_id.label("session_user_id"),
    SessionRow.secret_hash.label("session_secret_hash"),
    SessionRow.created_at.label("session_created_at"),
    SessionRow.seen_at.label("session_seen_at"),
    SessionRow.ends_at.label("session_ends_at"),
    SessionRow.address.label("session_address"),
    SessionRow.agent.label("session_agent"),
    SessionRow.issuer.label("session_issuer"),
    SessionRow.subject.label("session_subject"),
    SessionRow.sid.label("session_sid"),
    SessionRow.is_remembered.label("session_is_remembered"),
    SessionRow.confirmed_at.label("session_confirmed_at"),
)


_ACCESS_TOKEN: Final = (
    AccessTokenRow.id.label("token_id"),
    AccessTokenRow.user_id.label("token_user_id"),
    AccessTokenRow.name.label("token_name"),
    AccessTokenRow.secret_hash.label("token_secret_hash"),
    AccessTokenRow.hint.label("token_hint"),
    AccessTokenRow.roles.label("token_roles"),
    AccessTokenRow.created_at.label("token_created_at"),
    AccessTokenRow.expires_at.label("token_expires_at"),
    AccessTokenRow.last_used_at.label("token_last_used_at"),
)


KNOWN_DEVICES: Final[Select[*tuple[Any, ...]]] = select(
    KnownDeviceRow.id,
    KnownDeviceRow.user_id,
    KnownDeviceRow.secret_hash,
    KnownDeviceRow.session_id,
    KnownDeviceRow.seen_at,
    KnownDeviceRow.address,
    KnownDeviceRow.agent,
)
USERS: Final[Select[*tuple[Any, ...]]] = select(*_USER)
SESSIONS: Final[Select[*tuple[Any, ...]]] = select(*_SESSION)
SESSIONS_AND_USERS: Final = SESSIONS.add_columns(*_USER).join_from(SessionRow, UserRow)
IDENTITIES: Final[Select[*tuple[Any, ...]]] = select(
    IdentityRow.issuer, IdentityRow.subject, IdentityRow.user_id, IdentityRow.created_at
)
ACCESS_TOKENS: Final[Select[*tuple[Any, ...]]] = select(*_ACCESS_TOKEN)
ACCESS_TOKENS_AND_USERS: Final = ACCESS_TOKENS.add_columns(*_USER).join_from(
    AccessTokenRow, UserRow
)


def user_from(row: Row[Any]) -> User:
    return User(
        id=UserId(row.user_id),
        email=Email(row.user_email),
        name=row.user_name,
        password_hash=row.user_password_hash,
        roles=frozenset(row.user_roles.split(",") if row.user_roles else ()),
        is_active=row.user_is_active,
        is_break_glass=row.user_is_break_glass,
        created_at=row.user_created_at,
        updated_at=row.user_updated_at,
    )


def changeable(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "name": user.name,
        "search": folded(f"{user.email}\n{user.name}"),
        "password_hash": user.password_hash,
        "is_active": user.is_active,
        "is_break_glass": user.is_break_glass,
        "updated_at": user.updated_at,
    }


def session_from(row: Row[Any]) -> Session:
    return Session(
        id=SessionId(row.session_id),
        user_id=UserId(row.session_user_id),
        secret_hash=row.session_secret_hash,
        created_at=row.session_created_at,
        seen_at=row.session_seen_at,
        ends_at=row.session_ends_at,
        device=Device(address=row.session_address, agent=row.session_agent),
        is_remembered=row.session_is_remembered,
        confirmed_at=row.session_confirmed_at,
        origin=_origin_from(row),
    )


def _origin_from(row: Row[Any]) -> Origin | None:
    if row.session_issuer is None:
        return None
    return Origin(issuer=row.session_issuer, subject=row.session_subject, sid=row.session_sid)


def identity_from(row: Row[Any]) -> Identity:
    return Identity(
        issuer=row.issuer,
        subject=row.subject,
        user_id=UserId(row.user_id),
        created_at=row.created_at,
    )


def known_device_from(row: Row[Any]) -> KnownDevice:
    return KnownDevice(
        id=KnownDeviceId(row.id),
        user_id=UserId(row.user_id),
        secret_hash=row.secret_hash,
        session_id=SessionId(row.session_id),
        seen_at=row.seen_at,
        device=Device(address=row.address, agent=row.agent),
    )


def access_token_from(row: Row[Any]) -> AccessToken:
    roles: str | None = row.token_roles
    return AccessToken(
        id=AccessTokenId(row.token_id),
        user_id=UserId(row.token_user_id),
        name=row.token_name,
        secret_hash=row.token_secret_hash,
        hint=row.token_hint,
        roles=None if roles is None else frozenset(roles.split(",") if roles else ()),
        created_at=row.token_created_at,
        expires_at=row.token_expires_at,
        last_used_at=row.token_last_used_at,
    )


def entry_from(row: Row[Any]) -> Entry:
    return Entry(value=json.loads(row.value), version=row.version)


def folded(text: str) -> str:
    """Return the text normalized and casefolded, so that "Ärger" is found as "ärger" and in every Unicode composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
