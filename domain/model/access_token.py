"""A personal access token. A program uses it to act as the account that made it, until it expires or is revoked."""

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
"""Public: shown in lists and logs. The value that a program sends is different, and only its keyed hash is stored."""

LONGEST_NAME: Final = 100
"""Characters."""
SHORTEST_LIFE: Final = 1
"""Days; `USUAL_LIFE` and `LONGEST_LIFE` are days too."""
USUAL_LIFE: Final = 90
LONGEST_LIFE: Final = 365
PER_ACCOUNT: Final = 50

PREFIX: Final = "gapp_"
"""Lets scanners for leaked secrets recognise our tokens, together with the checksum at the end."""
HINT_LENGTH: Final = 4

_BASE62: Final = digits + ascii_letters
_SECRET_LENGTH: Final = 43
"""Number of base-62 digits that 256 bits need."""
_CHECKSUM_LENGTH: Final = 6
_VALUE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}")


def value_of(secret: str) -> str:
    """Return the value that the program sends: the prefix, the secret in base 62 and a checksum of both. `secret` is
    256 random bits as URL-safe base 64 without padding."""
    padding = "=" * (-len(secret) % 4)
    number = int.from_bytes(urlsafe_b64decode(secret + padding))
    body = PREFIX + _in_base62(number, _SECRET_LENGTH)
    return body + _checksum(body)


def checked_value(text: str) -> str:
    """Return the text if its prefix, length and checksum are right. This check needs no store. Raises AccessTokenEnded."""
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
    """Return the name without surrounding spaces. Raises AccessTokenInvalid."""
    name = text.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not is_plain(name):
        raise AccessTokenInvalid(
            f"A token's name has 1 to {LONGEST_NAME} characters, and no control characters."
        )
    return name


def checked_life(days: int) -> timedelta:
    """Return the lifetime. Raises AccessTokenInvalid."""
    if not SHORTEST_LIFE <= days <= LONGEST_LIFE:
        raise AccessTokenInvalid(f"A token expires after {SHORTEST_LIFE} to {LONGEST_LIFE} days.")
    return timedelta(days=days)


def checked_subset(names: Iterable[str], *, of: User) -> frozenset[str]:
    """Return the roles if the account has all of them now. The token does not get roles that the account is given
    later. Raises RoleInvalid, AccessTokenInvalid."""
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
    """The last characters of the value, to tell tokens apart in a list."""
    roles: frozenset[str] | None
    """The account's roles that the token may use. None: all roles that the account has at the time of use."""
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
        """Return a copy with a new `last_used_at`, never an earlier one: clocks of replicas differ."""
        return replace(self, last_used_at=max(self.last_used_at or now, now))

    def rehashed(self, secret_hash: bytes) -> Self:
        return replace(self, secret_hash=secret_hash)

    def limits(self, user: User) -> User:
        """Return the account as the token may act for it: with the roles that both the account and the token have."""
        if self.roles is None:
            return user
        return replace(user, roles=user.roles & self.roles)

    def as_session(self) -> Session:
        """Return the session that callbacks see. It has no idle timeout: only the token's expiry ends it."""
        return Session(
            id=SessionId(self.id),
            user_id=self.user_id,
            secret_hash=self.secret_hash,
            created_at=self.created_at,
            seen_at=self.last_used_at or self.created_at,
            ends_at=self.expires_at,
            device=Device(address="", agent=""),
        )
