"""A person with an account."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NewType, Self
from uuid import UUID

from domain.errors import EmailInvalid, NameInvalid, RoleInvalid

UserId = NewType("UserId", UUID)
Email = NewType("Email", str)
"""An e-mail address in canonical form. Only `canonical_email` makes it."""

ADMIN = "admin"
SHORTEST_EMAIL: Final = 3
"""Characters; the limits that follow are characters too."""
LONGEST_EMAIL: Final = 254
LONGEST_NAME: Final = 200
LONGEST_ROLE: Final = 50
ROLE_PATTERN: Final = rf"[a-z][a-z0-9_-]{{0,{LONGEST_ROLE - 1}}}"
LONGEST_SEARCH: Final = 2000
"""No e-mail or name is longer, and the time to normalize a text grows with the square of its length."""
_LONGEST_TYPED: Final = 4 * LONGEST_EMAIL
"""Characters before NFC normalization, which combines at most four characters into one."""

_EMAIL = re.compile(
    r"[^\s@\"<>(),:;\\\[\]\u200c\u200d]{1,64}@[^\s@\"<>(),:;\\\[\]\u200c\u200d]{1,189}"
)
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
_ROLE = re.compile(ROLE_PATTERN)


def canonical_email(text: str) -> Email:
    """Return the address trimmed, casefolded and in NFC. Raises EmailInvalid for what cannot be an address or is longer
    than LONGEST_EMAIL."""
    if len(text) > _LONGEST_TYPED or not is_plain(text):
        raise EmailInvalid
    email = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).casefold())
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise EmailInvalid
    return Email(email)


def checked_name(text: str) -> str:
    """Return the name without surrounding spaces. Raises NameInvalid."""
    name = text.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not is_plain(name):
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
    """Return whether every character is visible or a space (ASVS 1.3.3): no control or format character, line
    separator, lone surrogate, private or unassigned code. The two joiners are allowed: some scripts need them between
    letters."""
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
    """None: the account has no password yet, and nobody can sign in with one."""
    roles: frozenset[str] = frozenset()
    is_active: bool = True
    is_break_glass: bool = False
    """True: the account may sign in with its password although passwords are switched off."""
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

    def marked_break_glass(self, now: datetime, *, is_marked: bool) -> Self:
        return replace(self, is_break_glass=is_marked, updated_at=now)

    def with_roles(self, roles: Iterable[str], now: datetime) -> Self:
        return replace(self, roles=checked_roles(roles), updated_at=now)
