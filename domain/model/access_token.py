"""A personal access token: with it a program acts as the account that made it, until it expires or is revoked."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from string import ascii_letters, digits
from typing import Final, NewType, Self
from uuid import UUID
from zlib import crc32

from domain.errors import AccessTokenEnded, AccessTokenInvalid
from domain.model.session import TOUCH_EVERY, Device, Session, SessionId
from domain.model.user import User, UserId, checked_roles, is_plain

AccessTokenId = NewType("AccessTokenId", UUID)
"""Public: shown in lists and logs. The value that a program sends is another, and only its keyed hash is kept."""

LONGEST_NAME: Final = 100
"""Characters."""
SHORTEST_LIFE: Final = 1
"""Days, as the two that follow."""
USUAL_LIFE: Final = 90
LONGEST_LIFE: Final = 365
PER_ACCOUNT: Final = 50

PREFIX: Final = "gapp_"
"""By it, and by the checksum at the end, a scanner for leaked secrets knows one of ours."""
HINT_LENGTH: Final = 4

_BASE62: Final = digits + ascii_letters
_SECRET_LENGTH: Final = 43
"""Digits of 256 bits in base 62."""
_CHECKSUM_LENGTH: Final = 6
_VALUE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}")


def value_of(secret: str) -> str:
    """What the program sends, made of 256 random bits as URL-safe base 64 without padding: prefix, the bits in base 62,
    and the checksum of both."""
    padding = "=" * (-len(secret) % 4)
    number = int.from_bytes(urlsafe_b64decode(secret + padding))
    body = PREFIX + _in_base62(number, _SECRET_LENGTH)
    return body + _checksum(body)


def checked_value(text: str) -> str:
    """Raises AccessTokenEnded for what no `value_of` has made, so that nobody needs to look for it."""
    if (
        not _VALUE.fullmatch(text)
        or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]
    ):
        raise AccessTokenEnded
    return text


def _checksum(body: str) -> str:
    return _in_base62(crc32(body.encode()), _CHECKSUM_LENGTH)


def _in_base62(number: int, length: int) -> str:
    digits_from_the_right = []
    for _ in range(length):
        number, digit = divmod(number, len(_BASE62))
        digits_from_the_right.append(_BASE62[digit])
    return "".join(reversed(digits_from_the_right))


def checked_token_name(text: str) -> str:
    """Trimmed; raises AccessTokenInvalid."""
    name = text.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not is_plain(name):
        raise AccessTokenInvalid(
            f"A token's name has 1 to {LONGEST_NAME} characters, and no control characters."
        )
    return name


def checked_life(days: int) -> timedelta:
    """Raises AccessTokenInvalid."""
    if not SHORTEST_LIFE <= days <= LONGEST_LIFE:
        raise AccessTokenInvalid(f"A token expires after {SHORTEST_LIFE} to {LONGEST_LIFE} days.")
    return timedelta(days=days)


def checked_subset(names: Iterable[str], *, of: User) -> frozenset[str]:
    """Roles that the account has now: one that it is given later is not the token's by surprise. Raises RoleInvalid,
    AccessTokenInvalid."""
    roles = checked_roles(names)
    if foreign := roles - of.roles:
        raise AccessTokenInvalid(f"Your account does not have the role {min(foreign)}.")
    return roles


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    id: AccessTokenId
    user_id: UserId
    name: str
    secret_hash: bytes
    """Keyed hash of the value; 32 bytes."""
    hint: str
    """The end of the value, to tell tokens apart in a list."""
    roles: frozenset[str] | None
    """Those of the account's roles that it may use; None: all that the account has when it is used."""
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        return now < self.expires_at

    def must_be_live(self, now: datetime) -> None:
        """Raises AccessTokenEnded."""
        if not self.is_live(now):
            raise AccessTokenEnded

    def is_due_for_touch(self, now: datetime) -> bool:
        return self.last_used_at is None or now - self.last_used_at >= TOUCH_EVERY

    def used(self, now: datetime) -> Self:
        """Never backwards: clocks of replicas differ."""
        return replace(self, last_used_at=max(self.last_used_at or now, now))

    def rehashed(self, secret_hash: bytes) -> Self:
        return replace(self, secret_hash=secret_hash)

    def limits(self, user: User) -> User:
        """The account as the token may act for it: no role that is not both the account's and the token's."""
        if self.roles is None:
            return user
        return replace(user, roles=user.roles & self.roles)

    def as_session(self) -> Session:
        """What a callback sees as its sign-in. It grows never idle: only the token's own end counts."""
        return Session(
            id=SessionId(self.id),
            user_id=self.user_id,
            secret_hash=self.secret_hash,
            created_at=self.created_at,
            seen_at=self.last_used_at or self.created_at,
            ends_at=self.expires_at,
            device=Device(address="", agent=""),
        )
