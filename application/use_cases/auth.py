"""Signing in and out, recognising who is there, and setting the service up."""

from contextlib import suppress
from dataclasses import dataclass

from domain.errors import EmailInvalid, SessionEnded, SignInRefused, StoreUnavailable, UserNotFound
from domain.model.caller import Caller, SignedIn
from domain.model.password import checked_new_password
from domain.model.session import Device
from domain.model.user import ADMIN, User, canonical_email
from domain.ports.security import PasswordHasher
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.auth import AuthService
from domain.services.sessions import Opened, SessionService
from domain.services.users import UserService


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    units_of_work: UnitsOfWork
    auth: AuthService
    users: UserService
    sessions: SessionService
    cache: SessionCache

    async def __call__(
        self, email: str, password: str, device: Device, *, replacing: SignedIn | None = None
    ) -> Opened:
        """Opens a session; the one this browser still had, `replacing`, ends.
        Raises SignInThrottled, SignInRefused, HashingBusy."""
        account = _account(email)
        self.auth.attempt(address=device.address, account=account)
        before, verdict = await self.auth.recognise(await self._find(email), password)
        async with self.units_of_work.writing() as work:
            try:
                user = await work.users.get_locked(before.id)
            except UserNotFound as error:
                raise SignInRefused from error
            self.auth.must_be_unchanged(user, since=before)
            if verdict.upgraded_hash is not None:
                user = await self.users.set_password(work.users, user, verdict.upgraded_hash)
            if replacing is not None:
                await work.sessions.remove([replacing.session.id])
            opened = await self.sessions.open(work.sessions, user, device)
            await work.commit()
        self.cache.drop_sessions(opened.ended)
        if replacing is not None:
            self.cache.drop_sessions([replacing.session.id])
        self.auth.attempt_was_honest(address=device.address, account=account)
        return opened

    async def _find(self, email: str) -> User | None:
        try:
            canonical = canonical_email(email)
        except EmailInvalid:
            return None
        async with self.units_of_work.reading() as work:
            return await work.users.find_by_email(canonical)


def _account(email: str) -> str:
    """What is counted as one account, however it is written."""
    try:
        return canonical_email(email)
    except EmailInvalid:
        return email.strip().casefold()[:254]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOut:
    units_of_work: UnitsOfWork
    cache: SessionCache

    async def __call__(self, caller: Caller) -> None:
        """Ends the caller's own session; one that has ended already is no error (ASVS 7.4.1)."""
        if caller.session_id is None:
            return
        async with self.units_of_work.writing() as work:
            await work.sessions.remove([caller.session_id])
            await work.commit()
        self.cache.drop_sessions([caller.session_id])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognise:
    units_of_work: UnitsOfWork
    sessions: SessionService
    cache: SessionCache

    async def __call__(self, token: str, *, activity: bool) -> SignedIn:
        """Who this token signs in. `activity` keeps the session from growing idle, at most one write a minute;
        heartbeats, polling and timer ticks are none. Raises SessionEnded, StoreUnavailable."""
        lookup = self.cache.look_up(token)
        signed_in = lookup.found
        if signed_in is None:
            async with self.units_of_work.reading() as work:
                signed_in = await self.sessions.recognise(work.sessions, token)
            self.cache.put(signed_in, after=lookup)
        self.sessions.must_be_live(signed_in.session)
        if activity and self.sessions.is_due_for_touch(signed_in.session):
            with suppress(
                StoreUnavailable
            ):  # A store that can be read but not written still knows who this is.
                signed_in = await self._touch(signed_in)
        return signed_in

    async def _touch(self, signed_in: SignedIn) -> SignedIn:
        try:
            async with self.units_of_work.writing() as work:
                session = await self.sessions.touch(work.sessions, signed_in.session)
                await work.commit()
        except SessionEnded:
            self.cache.drop_sessions([signed_in.session.id])
            raise
        touched = SignedIn(user=signed_in.user, session=session, data=signed_in.data)
        self.cache.renew_touched(touched)
        return touched


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSetup:
    units_of_work: UnitsOfWork
    auth: AuthService

    async def __call__(self) -> str | None:
        """A token for the set-up link, good for 15 minutes; None once there is an active admin."""
        async with self.units_of_work.reading() as work:
            if await work.users.acting_admins():
                return None
        return self.auth.offer_setup()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSetup:
    units_of_work: UnitsOfWork
    auth: AuthService

    async def __call__(self, token: str) -> None:
        """Consumes nothing. Raises TokenRefused, or SetupClosed once there is an admin."""
        self.auth.must_be_setup(token)
        async with self.units_of_work.reading() as work:
            await self.auth.must_be_first_admin(work.users, locked=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    units_of_work: UnitsOfWork
    auth: AuthService
    users: UserService
    sessions: SessionService
    hasher: PasswordHasher
    check: CheckSetup

    async def __call__(
        self, token: str, *, email: str, name: str, password: str, device: Device
    ) -> Opened:
        """Makes the first admin and signs them in; without a name, the e-mail's local part serves. Of two at once
        the first wins. Raises what CheckSetup raises, EmailInvalid, NameInvalid, PasswordInvalid, EmailTaken."""
        await self.check(token)
        canonical = canonical_email(email)
        called = name.strip() or canonical.partition("@")[0]
        checked_new_password(password, email=canonical, name=called)
        password_hash = await self.hasher.hash(password)
        async with self.units_of_work.writing() as work:
            await self.auth.must_be_first_admin(work.users, locked=True)
            user = await self.users.make(
                work.users, email=canonical, name=called, password_hash=password_hash, roles={ADMIN}
            )
            opened = await self.sessions.open(work.sessions, user, device)
            await work.commit()
        return opened


@dataclass(frozen=True, slots=True, kw_only=True)
class FormTokens:
    """Tokens that show a form to be ours: one per rendering, good for the browser it was rendered for."""

    auth: AuthService

    def new_browser(self) -> str:
        return self.auth.new_browser()

    def offer(self, browser: str) -> str:
        return self.auth.offer_form(browser)

    def must_be_ours(self, token: str, browser: str) -> None:
        """Raises TokenRefused."""
        self.auth.form_must_be_ours(token, browser)
