"""Is this the person? The rules of passwords at sign-in, of throttling, and of who may set up the service."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Network, ip_address
from typing import Final

from domain.errors import (
    PasswordInvalid,
    SetupClosed,
    SignInRefused,
    SignInThrottled,
    TokenRefused,
    WrongPassword,
)
from domain.model.token import Claims, Purpose
from domain.model.user import User
from domain.ports.repositories import UserRepository
from domain.ports.security import AttemptLimiter, PasswordHasher, TokenCodec, Verdict
from domain.ports.system import Clock, IdGenerator

PER_ACCOUNT: Final = (10, timedelta(seconds=30))
"""Wrong passwords in a row for one account, and how often one more becomes free."""
PER_ADDRESS: Final = (30, timedelta(seconds=5))
"""Wrong passwords in a row from one address, whatever the accounts."""

SETUP_LASTS: Final = timedelta(minutes=15)
FORM_LASTS: Final = timedelta(hours=12)

_FIRST_ADMIN = "first-admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthService:
    hasher: PasswordHasher
    codec: TokenCodec
    limiter: AttemptLimiter
    clock: Clock
    ids: IdGenerator

    def attempt(self, *, address: str, account: str) -> None:
        """Counts a try before any hash is made; raises SignInThrottled (ASVS 6.3.1)."""
        waits = [
            self.limiter.take(key, burst=burst, every=every)
            for key, (burst, every) in self._limits(address, account)
        ]
        refused = [wait for wait in waits if wait is not None]
        if refused:
            for wait, (key, (_, every)) in zip(waits, self._limits(address, account), strict=True):
                if wait is None:
                    self.limiter.give_back(key, every=every)
            raise SignInThrottled(max(refused))

    def attempt_was_honest(self, *, address: str, account: str) -> None:
        """The password was right: the try does not count."""
        for key, (_, every) in self._limits(address, account):
            self.limiter.give_back(key, every=every)

    async def recognise(self, user: User | None, password: str) -> tuple[User, Verdict]:
        """One hash, whether the account is unknown, closed, without a password or real; raises SignInRefused
        for all of them (ASVS 6.3.8)."""
        stored = user.password_hash if user is not None and user.is_active else None
        verdict = await self.hasher.verify(password, stored)
        if user is None or not user.is_active or not verdict.matches:
            raise SignInRefused
        return user, verdict

    async def confirm(self, user: User, password: str) -> None:
        """The present password once more, before something sensitive; raises WrongPassword (ASVS 6.2.3)."""
        verdict = await self.hasher.verify(password, user.password_hash)
        if not verdict.matches:
            raise WrongPassword

    def must_differ(self, current: str, new: str) -> None:
        """Raises PasswordInvalid (ASVS 2.2.3)."""
        if new == current:
            raise PasswordInvalid("The new password is the current one.")

    def must_be_unchanged(self, now_stored: User, *, since: User) -> None:
        """Hashing took a while: raises SignInRefused when the account was closed or the password changed meanwhile."""
        if not now_stored.is_active or now_stored.password_hash != since.password_hash:
            raise SignInRefused

    def offer_setup(self) -> str:
        """A signed token for the set-up page, good for SETUP_LASTS."""
        return self._token(Purpose.SETUP, _FIRST_ADMIN, SETUP_LASTS)

    def must_be_setup(self, token: str) -> None:
        """Raises TokenRefused."""
        self.codec.decode(Purpose.SETUP, token)

    async def must_be_first_admin(self, users: UserRepository, *, locked: bool) -> None:
        """Raises SetupClosed; with `locked` nobody else can be the first until the unit of work ends."""
        if await users.acting_admins(locked=locked):
            raise SetupClosed

    def offer_form(self, browser: str) -> str:
        """A new token for a form, only good together with the browser id it was made for (ASVS 3.5.1)."""
        return self._token(Purpose.FORM, browser, FORM_LASTS)

    def new_browser(self) -> str:
        """An id for a browser that has none yet; only that browser knows it."""
        return self.ids.new_secret()

    def form_must_be_ours(self, token: str, browser: str) -> None:
        """Raises TokenRefused unless `offer_form` made it for this browser."""
        if self.codec.decode(Purpose.FORM, token).subject != browser:
            raise TokenRefused

    def _token(self, purpose: Purpose, subject: str, lasts: timedelta) -> str:
        now = self.clock.now()
        claims = Claims(
            subject=subject, secret_id=self.ids.new_secret(), issued_at=now, expires_at=now + lasts
        )
        return self.codec.encode(purpose, claims)

    @staticmethod
    def _limits(address: str, account: str) -> list[tuple[str, tuple[int, timedelta]]]:
        return [(f"address:{_network(address)}", PER_ADDRESS), (f"account:{account}", PER_ACCOUNT)]


def _network(address: str) -> str:
    """Of an IPv6 address the first 64 bits: one household or machine has all that begin with them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Network((parsed, 64), strict=False)) if parsed.version == 6 else address
