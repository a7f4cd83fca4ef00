"""A person with an account."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NewType, Self
from uuid import UUID

from domain.errors import EmailInvalid, NameInvalid, RoleInvalid

UserId = NewType("UserId", UUID)
Email = NewType("Email", str)
"""An e-mail address in canonical form; made by `canonical_email` and nowhere else."""

ADMIN = "admin"
LONGEST_SEARCH = 2000
"""Characters. No e-mail or name is that long, and normalizing takes the square of the length."""
_LONGEST_EMAIL = 254
_LONGEST_TYPED = 4 * _LONGEST_EMAIL
"""Characters before NFC, which makes at most four into one."""

_EMAIL = re.compile(
    r"[^\s@\"<>(),:;\\\[\]\u200c\u200d]{1,64}@[^\s@\"<>(),:;\\\[\]\u200c\u200d]{1,189}"
)
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,49}")


def canonical_email(text: str) -> Email:
    """NFC, casefolded, trimmed; raises EmailInvalid for what cannot be an address (over 254 characters included)."""
    if len(text) > _LONGEST_TYPED or not is_plain(text):
        raise EmailInvalid
    email = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).casefold())
    if len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise EmailInvalid
    return Email(email)


def checked_name(text: str) -> str:
    """Trimmed; raises NameInvalid."""
    name = text.strip()
    if not 1 <= len(name) <= 200 or not is_plain(name):
        raise NameInvalid
    return name


def checked_role(name: str) -> str:
    """Raises RoleInvalid."""
    if not _ROLE.fullmatch(name):
        raise RoleInvalid
    return name


def checked_roles(names: Iterable[str]) -> frozenset[str]:
    """Raises RoleInvalid."""
    return frozenset(checked_role(name) for name in names)


def is_plain(text: str) -> bool:
    """Whether every character can be seen, or is a space (ASVS 1.3.3): no control or format character, line separator,
    lone surrogate, private or unassigned code. The two joiners pass, which some scripts need between letters."""
    return all(
        unicodedata.category(character) not in _UNSEEN or character in _JOINERS
        for character in text
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UserId
    email: Email
    name: str
    password_hash: str | None
    """None: no password yet, nobody can sign in with one."""
    roles: frozenset[str] = frozenset()
    is_active: bool = True
    created_at: datetime
    updated_at: datetime

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles

    @property
    def is_acting_admin(self) -> bool:
        return self.is_admin and self.is_active

    def renamed(self, name: str, now: datetime) -> Self:
        return replace(self, name=checked_name(name), updated_at=now)

    def with_password(self, password_hash: str, now: datetime) -> Self:
        return replace(self, password_hash=password_hash, updated_at=now)

    def enabled(self, now: datetime) -> Self:
        return replace(self, is_active=True, updated_at=now)

    def disabled(self, now: datetime) -> Self:
        return replace(self, is_active=False, updated_at=now)

    def with_roles(self, roles: Iterable[str], now: datetime) -> Self:
        return replace(self, roles=checked_roles(roles), updated_at=now)
