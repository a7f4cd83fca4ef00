"""Passwords hashed with passlib, off the event loop, in a pool no bigger than the machine."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Final, Literal, TypeVar

from passlib.context import CryptContext
from passlib.hash import argon2, bcrypt

from domain.errors import HashingBusy, PasswordInvalid
from domain.model.password import is_storable
from domain.ports.security import PasswordHasher, Verdict

Scheme = Literal["argon2", "bcrypt"]

LONGEST_HASHED: Final = 4096
"""Characters; passlib refuses more."""
_LONGEST_BCRYPT: Final = 72
"""Bytes; bcrypt 5 raises above, on hashing and on verifying."""
_NOBODYS: Final = "nobody's password"
"""Hashed only to take as long as somebody's."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class HashCost:
    """The defaults are OWASP's argon2id setting (ASVS 11.4.2), and bcrypt's common one."""

    argon2_kib: int = 19456
    argon2_passes: int = 2
    bcrypt_rounds: int = 12
    """As the power of two."""


CHEAP: Final = HashCost(argon2_kib=8, argon2_passes=1, bcrypt_rounds=4)
"""For tests: microseconds, and worth as little."""


class PasslibHasher(PasswordHasher):
    """New hashes are argon2id, or bcrypt over SHA-256, which takes passwords of any length as plain bcrypt does not.
    Both are verified whichever is chosen, and so is plain bcrypt.

    `workers` hashes are made at a time (by default one per core) and `queue` more may wait.
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
        # Left to themselves both load at their first hash, where two threads can get in each other's way.
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
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="hashing")
        self._places = BoundedSemaphore(workers + queue)

    async def hash(self, password: str) -> str:
        """Raises PasswordInvalid for one that `verify` would never match."""
        if not _is_hashable(password):
            raise PasswordInvalid("The password contains a character that cannot be typed again.")
        return await self._in_pool(lambda: self._hashed(password))

    async def verify(self, password: str, password_hash: str | None) -> Verdict:
        return await self._in_pool(lambda: self._judged(password, password_hash))

    def close(self) -> None:
        """Waits for the hashes being made, and drops those waiting."""
        self._pool.shutdown(cancel_futures=True)

    async def _in_pool(self, job: Callable[[], Answer]) -> Answer:
        if not self._places.acquire(blocking=False):
            raise HashingBusy
        future = self._pool.submit(job)
        # Given back by the job, not by who awaits it: a request given up leaves its hash running.
        future.add_done_callback(self._give_back)
        return await asyncio.wrap_future(future)

    def _give_back(self, _: Future[Answer]) -> None:
        self._places.release()

    def _hashed(self, password: str) -> str:
        hashed: str = self._context.hash(password)
        return hashed

    def _judged(self, password: str, stored: str | None) -> Verdict:
        """One hash in every case. Somebody's stored hash is computed with its own cost also when the password
        cannot match, so that a password too long for bcrypt does not show whose hash is bcrypt."""
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
