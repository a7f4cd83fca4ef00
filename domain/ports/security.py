"""Secrets: passwords, signed tokens, and how often somebody may try."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from domain.model.token import Claims, Purpose
from domain.model.user import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    matches: bool
    upgraded_hash: str | None = None
    """A new hash of the same password, when it matches and the stored one is of an older scheme or cost."""


class PasswordHasher(Protocol):
    @abstractmethod
    async def hash(self, password: str) -> str:
        """Of the whole password, whatever its length; never on the event loop.
        Raises HashingBusy when too many are waiting."""

    @abstractmethod
    async def verify(self, password: str, password_hash: str | None) -> Verdict:
        """Takes the time of one hash whether there is a stored hash or None, and whether or not it can be read.
        A password that cannot be encoded or contains NUL does not match. Raises HashingBusy."""


class TokenCodec(Protocol):
    @abstractmethod
    def encode(self, purpose: Purpose, claims: Claims) -> str:
        """Signed with the newest key; not encrypted."""

    @abstractmethod
    def decode(self, purpose: Purpose, token: str) -> Claims:
        """Raises TokenRefused unless signature, algorithm, key id, type, issuer, audience and times all hold,
        whatever text it is given."""


class AccessTokenHasher(Protocol):
    @abstractmethod
    def hashes(self, value: str) -> Sequence[bytes]:
        """Of an access token's value, 32 bytes under each of our keys, the newest first: nobody without one of them can
        tell whether a value belongs to a stored hash."""


class AccountMarks(Protocol):
    """Texts that stand for an account where others may read them: in a cookie, and in a browser's storage."""

    @abstractmethod
    def mark(self, user_id: UserId, purpose: str) -> str:
        """43 URL-safe characters, the same for an account and a purpose until there is a newer key. Without the key
        nobody can make a mark, tell whose it is, or derive it from the account's other marks."""


class AttemptLimiter(Protocol):
    """How often something may be tried, per key, on this process."""

    @abstractmethod
    def take(self, key: str, *, burst: int, every: timedelta) -> timedelta | None:
        """Counts one attempt. None: go on. Else: how long to wait; nothing was counted.
        After `burst` attempts in a row one more becomes free `every` so often."""

    @abstractmethod
    def give_back(self, key: str, *, every: timedelta) -> None:
        """Uncounts one attempt: it was honest."""
