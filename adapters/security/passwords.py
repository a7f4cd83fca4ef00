"""Passwords hashed with passlib in a thread pool, outside the event loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any, Final, Literal, TypeVar

from passlib.context import CryptContext
from passlib.hash import argon2, bcrypt

from domain.errors import HashingBusy, PasswordInvalid
from domain.model.password import is_storable
from domain.ports.security import HashQueue, PasswordHasher, Verdict

Scheme = Literal["argon2", "bcrypt"]

LONGEST_HASHED: Final = 4096
"""Characters; passlib refuses more."""
_LONGEST_BCRYPT: Final = 72
"""Bytes; bcrypt 5 raises above, on hashing and on verifying."""
_NOBODYS: Final = "nobody's password"
"""Hashed instead of a password that cannot match, so that a failure takes as long as a success."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class HashCost:
    """Costs of a hash. The defaults are OWASP's argon2id setting (ASVS 11.4.2) and bcrypt's usual one."""

    argon2_kib: int = 19456
    argon2_passes: int = 2
    bcrypt_rounds: int = 12
    """Exponent of two."""


CHEAP: Final = HashCost(argon2_kib=8, argon2_passes=1, bcrypt_rounds=4)
"""For tests: takes microseconds and is insecure."""


class PasslibHasher(PasswordHasher, HashQueue):
    """Makes argon2id hashes, or bcrypt over SHA-256, which takes passwords of any length, unlike plain bcrypt. Verifies
    all three, whichever scheme is chosen.

    `workers` hashes run at a time (by default one per core), and `queue` more may wait.
    """

    def __init__(
        self,
        *,
        scheme: Scheme = "argon2",
        workers: int | None = None,
        queue: int = 64,
        cost: HashCost | None = None,
    ) -> None:
        cost = cost or HashCost()
        # By default both load at the first hash, where two threads can interfere.
        argon2.set_backend("argon2_cffi")
        bcrypt.set_backend("bcrypt")
        self._context = CryptContext(
            schemes=["argon2", "bcrypt_sha256", "bcrypt"],
            default={"argon2": "argon2", "bcrypt": "bcrypt_sha256"}[scheme],
            deprecated="auto",
            argon2__type="ID",
            argon2__memory_cost=cost.argon2_kib,
            argon2__time_cost=cost.argon2_passes,
            argon2__parallelism=1,
            bcrypt_sha256__rounds=cost.bcrypt_rounds,
            bcrypt__rounds=cost.bcrypt_rounds,
        )
        workers = workers or os.cpu_count() or 1
        self._workers = workers
        self._pool = self._new_pool()
        self._places = BoundedSemaphore(workers + queue)
        self._unfinished: set[Future[Any]] = set()
        """Hashes that run or wait."""

    async def hash(self, password: str) -> str:
        """Raises PasswordInvalid for a password that `verify` would never match."""
        if not _is_hashable(password):
            raise PasswordInvalid("The password contains a character that cannot be typed again.")
        return await self._in_pool(lambda: self._hashed(password))

    async def verify(self, password: str, password_hash: str | None) -> Verdict:
        return await self._in_pool(lambda: self._judged(password, password_hash))

    def waiting(self) -> int:
        return max(0, len(self._unfinished) - self._workers)

    def close(self) -> None:
        """Wait for running hashes, drop waiting ones and end all threads. A later hash starts new threads."""
        self._pool.shutdown(cancel_futures=True)
        self._pool = self._new_pool()

    def _new_pool(self) -> ThreadPoolExecutor:
        """Return a pool, which starts no thread yet."""
        return ThreadPoolExecutor(self._workers, thread_name_prefix="hashing")

    async def _in_pool(self, job: Callable[[], Result]) -> Result:
        if not self._places.acquire(blocking=False):
            raise HashingBusy
        future = self._pool.submit(job)
        self._unfinished.add(future)
        # The job releases the place, not the waiting request: the hash of a cancelled request goes on running.
        future.add_done_callback(self._give_back)
        return await asyncio.wrap_future(future)

    def _give_back(self, future: Future[Result]) -> None:
        self._unfinished.discard(future)
        self._places.release()

    def _hashed(self, password: str) -> str:
        hashed: str = self._context.hash(password)
        return hashed

    def _judged(self, password: str, stored: str | None) -> Verdict:
        """Compute one hash in every case. A stored hash is computed with its own cost even if the password cannot
        match, so that a password too long for bcrypt does not reveal a bcrypt hash."""
        if stored is None:
            return self._mismatch()
        can_match = self._can_match(password, stored)
        try:
            matches, upgraded = self._context.verify_and_update(
                password if can_match else _NOBODYS, stored
            )
        except Exception:  # passlib has no common error for hashes that it cannot read.
            return self._mismatch()
        if not (matches and can_match):
            return Verdict(matches=False)
        return Verdict(matches=True, upgraded_hash=upgraded)

    def _mismatch(self) -> Verdict:
        self._hashed(_NOBODYS)
        return Verdict(matches=False)

    def _can_match(self, password: str, stored: str) -> bool:
        if not _is_hashable(password):
            return False
        if self._context.identify(stored) == "bcrypt":
            return len(password.encode()) <= _LONGEST_BCRYPT
        return True


def _is_hashable(password: str) -> bool:
    return len(password) <= LONGEST_HASHED and is_storable(password)
