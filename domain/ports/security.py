"""Passwords, signed tokens, access tokens and rate limits."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.model.signed_token import Claims, Purpose
from domain.model.user import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    matches: bool
    upgraded_hash: str | None = None
    """A new hash of the same password, if it matches and the stored hash has an older scheme or cost."""


class PasswordHasher(Protocol):
    @abstractmethod
    async def hash(self, password: str) -> str:
        """Hash the whole password, whatever its length, outside the event loop. Raises HashingBusy if too many hashes
        are waiting."""

    @abstractmethod
    async def verify(self, password: str, password_hash: str | None) -> Verdict:
        """Compare the password with the stored hash. It takes the time of one hash even if the stored hash is None or
        unreadable. A password that cannot be encoded or contains NUL does not match. Raises HashingBusy."""


class HashQueue(Protocol):
    @abstractmethod
    def waiting(self) -> int:
        """Return how many passwords wait for a thread to be hashed."""


class CommonPasswords(Protocol):
    @abstractmethod
    def has(self, password: str) -> bool:
        """Return whether the password is among the most common ones, in whatever case. They are at least 3,000 of those
        that the other rules permit (ASVS 6.2.4)."""


class SignedTokenCodec(Protocol):
    @abstractmethod
    def encode(self, purpose: Purpose, claims: Claims) -> str:
        """Return the claims signed with the newest key, not encrypted."""

    @abstractmethod
    def decode(self, purpose: Purpose, signed_token: str) -> Claims:
        """Return the claims. Raises SignedTokenRefused, whatever the text is, unless signature, algorithm, key id,
        type, issuer, audience and times are all valid."""


class AccessTokenHasher(Protocol):
    @abstractmethod
    def hashes(self, value: str) -> Sequence[bytes]:
        """Return the hashes of an access token's value, 32 bytes for each of our keys, the newest key first. Nobody
        without one of the keys can tell whether a value belongs to a stored hash."""


class AccountMarks(Protocol):
    """Pseudonyms of accounts for places that others can read: cookies and browser storage."""

    @abstractmethod
    def mark(self, user_id: UserId, purpose: str) -> str:
        """Return 43 URL-safe characters that depend on the account, the purpose and the newest key. Nobody without the
        key can make a mark, tell its account, or derive it from the account's other marks."""

    @abstractmethod
    def mark_of_text(self, text: str) -> str:
        """Return 43 URL-safe characters that depend on the text and the newest key, for a log. Nobody without the key
        can tell the text."""


class Pseudonyms(Protocol):
    @abstractmethod
    def of(self, text: str) -> bytes:
        """Return 32 bytes that depend on the text and the newest key, for texts that must not be stored in the clear,
        such as what a stranger has typed. Nobody without the key can test a text against its pseudonym."""


class Encryption(Protocol):
    """Encrypts texts for the store, so that a copy of it is worth nothing without the service's secret key."""

    @abstractmethod
    def encrypt(self, text: str, *, belongs_to: str) -> bytes:
        """Return the text encrypted with the newest key. Equal texts give different results."""

    @abstractmethod
    def decrypt(self, encrypted: bytes, *, belongs_to: str) -> str | None:
        """Return the text, or None unless it was encrypted with one of our keys, unchanged, for the same `belongs_to`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A rate limit: after `burst` attempts in a row, one more becomes free in each `every`."""

    key: bytes
    """The pseudonym of what is limited; 32 bytes."""
    burst: int
    every: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached:
    wait: timedelta
    """The time until all limits would allow an attempt."""
    is_pending: bool
    """True if counted attempts are not settled yet, so that an attempt may become free earlier."""


class AttemptLimiter(Protocol):
    """Rate limits that all processes and replicas of the service count together. The limits of one call have different
    keys. `now` is the time of this process; a store with a clock of its own may count by that, because the clocks of
    replicas differ. Every method raises StoreUnavailable."""

    @abstractmethod
    async def take(self, limits: Sequence[Limit], now: datetime) -> LimitReached | None:
        """Count one attempt against all limits and return None. If one of the limits is reached, count it against none
        of them. Concurrent attempts never get more than the burst."""

    @abstractmethod
    async def settle(self, limits: Sequence[Limit], *, counts: bool) -> None:
        """End an attempt that `take` has counted. Without `counts`, take it back, because it was legitimate."""

    @abstractmethod
    async def purge(self, now: datetime) -> int:
        """Remove the keys whose attempts are all free again, and return how many."""
