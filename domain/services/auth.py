"""Rules for checking passwords, limiting attempts, and setting up the first admin."""

from asyncio import Semaphore, sleep
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv6Network, ip_address
from typing import Final

from domain.errors import (
    HashingBusy,
    PasswordInvalid,
    PasswordSignInOff,
    ProviderUnavailable,
    SetupClosed,
    SignInRefused,
    SignInThrottled,
    StoreUnavailable,
    WrongPassword,
)
from domain.model.known_device import KnownDevice
from domain.model.signed_token import Claims, Purpose
from domain.model.user import User
from domain.ports.repositories import UserRepository
from domain.ports.security import (
    AttemptLimiter,
    Limit,
    LimitReached,
    PasswordHasher,
    Pseudonyms,
    SignedTokenCodec,
    Verdict,
)
from domain.ports.system import Clock, IdGenerator
from domain.ports.tally import Tally

Rate = tuple[int, timedelta]
"""A burst, and the time after which one more attempt is allowed."""

PER_ADDRESS: Final = (30, timedelta(seconds=5))
"""The limit of one network address over all accounts: wrong passwords in a row, and the time after which one more
attempt is allowed."""
PER_ACCOUNT_AND_ADDRESS: Final = (10, timedelta(seconds=30))
"""The same limit of one account at one network address."""
PER_ACCOUNT: Final = (20, timedelta(seconds=15))
"""The same limit of one account over all addresses, for devices that are not known to it. It is free again after five
minutes, and grows faster than one address can use it up, so that no single address keeps the owner out everywhere
else."""
PER_DEVICE: Final = (10, timedelta(seconds=30))
"""The same limit of one account in a browser that it has signed in with before. Strangers cannot use it up."""
PER_SESSION: Final = (10, timedelta(seconds=30))
"""The same limit of a signed-in session that confirms its password. Strangers cannot use it up."""

STARTS: Final = (300, timedelta(milliseconds=200))
"""The limit of sign-ins that one address begins at providers. An office behind one address begins many at once."""
RETURNS: Final = (100, timedelta(seconds=1))
"""The limit of one address for returns from a provider that the provider does not confirm: each is a request to it."""
LOGOUTS: Final = (100, timedelta(seconds=1))
"""The limit of one address for logout tokens that are not valid."""

MOST_WAITING: Final = 128
"""Attempts that wait for others in this process. More are refused at once, so that a flood does not ask the store again
and again."""

_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, *[0.5] * 14)
"""Seconds between two tries to count an attempt while others are being checked; 8 in all."""

SETUP_LASTS: Final = timedelta(minutes=15)

_FIRST_ADMIN = "first-admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthService:
    hasher: PasswordHasher
    codec: SignedTokenCodec
    limiter: AttemptLimiter
    pseudonyms: Pseudonyms
    clock: Clock
    ids: IdGenerator
    tally: Tally
    password_sign_in: bool = True
    """False: passwords open a session only for a break-glass account."""
    _waiting: Semaphore = field(default_factory=lambda: Semaphore(MOST_WAITING), init=False)

    def limits_of_sign_in(
        self, *, address: str, account: str, known: KnownDevice | None = None
    ) -> Sequence[Limit]:
        """Return the limits that an attempt to sign in counts against. A known device has a limit of its own, so that
        wrong passwords of others keep nobody out of their own browser, wherever they come from."""
        if known is not None:
            return [self._limit(f"device\n{known.id}", PER_DEVICE)]
        network = _network(address)
        return [
            self._limit(f"address\n{network}", PER_ADDRESS),
            self._limit(f"account and address\n{network}\n{account}", PER_ACCOUNT_AND_ADDRESS),
            self._limit(f"account\n{account}", PER_ACCOUNT),
        ]

    def limits_of_session(self, session: str) -> Sequence[Limit]:
        """Return the limits that the confirmation of a password in this session counts against."""
        return [self._limit(f"session\n{session}", PER_SESSION)]

    def limits_at_provider(self, what: str, rate: Rate, *, address: str) -> Sequence[Limit]:
        """Return the limit of what strangers may do at the addresses for providers. It has nothing to do with those of
        passwords: neither uses up the other."""
        return [self._limit(f"provider {what}\n{_network(address)}", rate)]

    async def count(self, limits: Sequence[Limit]) -> None:
        """Count an attempt that nothing takes back. Raises SignInThrottled, StoreUnavailable."""
        await self._take(limits)
        await self.limiter.settle(limits, counts=True)

    @asynccontextmanager
    async def attempt(self, limits: Sequence[Limit]) -> AsyncIterator[None]:
        """Count an attempt against all limits before any password is hashed. Take it back if the block succeeds, or if
        it raises HashingBusy or ProviderUnavailable, since nothing was checked. If a limit refuses the attempt, it counts against none.
        While attempts that may still succeed take up a limit, wait for them: simultaneous right passwords are never
        refused. Raises SignInThrottled (ASVS 6.3.1), StoreUnavailable."""
        await self._take(limits)
        counts = True
        try:
            yield
            counts = False
        except (HashingBusy, ProviderUnavailable):
            counts = False
            raise
        finally:
            # A password that was right stays right if the store fails now.
            with suppress(StoreUnavailable):
                await self.limiter.settle(limits, counts=counts)

    async def forget_attempts(self) -> int:
        """Remove rate limits that are free again, and return how many. Raises StoreUnavailable."""
        return await self.limiter.purge(self.clock.now())

    async def _take(self, limits: Sequence[Limit]) -> None:
        reached = await self.limiter.take(limits, self.clock.now())
        if reached is not None and reached.is_pending and not self._waiting.locked():
            async with self._waiting:
                reached = await self._take_later(limits, reached)
        if reached is not None:
            self.tally.add_throttled()
            raise SignInThrottled(reached.wait)

    async def _take_later(
        self, limits: Sequence[Limit], reached: LimitReached
    ) -> LimitReached | None:
        """Try again while attempts that take up the limits are being checked."""
        still: LimitReached | None = reached
        for pause in _PAUSES:
            if still is None or not still.is_pending:
                break
            await sleep(pause)
            still = await self.limiter.take(limits, self.clock.now())
        return still

    async def recognise(self, user: User | None, password: str) -> tuple[User, Verdict]:
        """Check the password. Hash it once in every case, also if the account is unknown, disabled or without a
        password, so that the response time tells nothing. Raises SignInRefused for each failure (ASVS 6.3.8)."""
        stored = user.password_hash if user is not None and user.is_active else None
        verdict = await self.hasher.verify(password, stored)
        if user is None or not user.is_active or not verdict.matches:
            raise SignInRefused
        return user, verdict

    async def admit(self, user: User | None, password: str) -> tuple[User, Verdict]:
        """Check the password like `recognise`. Where passwords are switched off, every failure raises PasswordSignInOff
        like `must_allow_password`, so that nobody learns whether a password is right."""
        try:
            return await self.recognise(user, password)
        except SignInRefused as error:
            if self.password_sign_in:
                raise
            raise PasswordSignInOff from error

    def allows_password(self, user: User) -> bool:
        return self.password_sign_in or (user.is_break_glass and user.is_admin)

    def must_allow_password(self, user: User) -> None:
        """Raises PasswordSignInOff."""
        if not self.allows_password(user):
            raise PasswordSignInOff

    async def confirm(self, user: User, password: str) -> None:
        """Check the current password again before a sensitive change. Raises WrongPassword (ASVS 6.2.3)."""
        verdict = await self.hasher.verify(password, user.password_hash)
        if not verdict.matches:
            raise WrongPassword

    def must_differ(self, current: str, new: str) -> None:
        """Raises PasswordInvalid if the two are equal (ASVS 2.2.3)."""
        if new == current:
            raise PasswordInvalid("The new password must differ from the current one.")

    def must_be_unchanged(self, now_stored: User, *, since: User) -> None:
        """Raises SignInRefused if the account was disabled or its password changed during hashing."""
        if not now_stored.is_active or now_stored.password_hash != since.password_hash:
            raise SignInRefused

    def offer_setup(self) -> str:
        """Return a signed token for the set-up page, valid for SETUP_LASTS."""
        now = self.clock.now()
        claims = Claims(
            subject=_FIRST_ADMIN,
            secret_id=self.ids.new_secret(),
            issued_at=now,
            expires_at=now + SETUP_LASTS,
        )
        return self.codec.encode(Purpose.SETUP, claims)

    def must_be_setup_token(self, signed_token: str) -> None:
        """Check that the token is valid and that it is for the set-up page. Raises SignedTokenRefused."""
        self.codec.decode(Purpose.SETUP, signed_token)

    async def must_have_no_admin(self, users: UserRepository, *, locked: bool) -> None:
        """Check that there is no active admin yet. Raises SetupClosed. With `locked`, nobody else can make the first
        admin until the unit of work ends."""
        if await users.count_active_admins(locked=locked):
            raise SetupClosed

    def _limit(self, subject: str, rate: Rate) -> Limit:
        burst, every = rate
        return Limit(key=self.pseudonyms.of(subject), burst=burst, every=every)


def _network(address: str) -> str:
    """Return the first 64 bits of an IPv6 address: usually, one household or machine has all addresses with this
    prefix. Return other addresses unchanged."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Network((parsed, 64), strict=False)) if parsed.version == 6 else address
