"""Use cases of signing in, signing out, recognising sessions, and setting up the service."""

from contextlib import suppress
from dataclasses import dataclass, replace

from domain.errors import EmailInvalid, SessionEnded, SignInRefused, StoreUnavailable, UserNotFound
from domain.model.audit import Act, Entry, sessions_ended
from domain.model.caller import Caller, SignedIn
from domain.model.known_device import KnownDevice
from domain.model.session import Device
from domain.model.user import ADMIN, LONGEST_EMAIL, User, canonical_email
from domain.ports.security import PasswordHasher, Verdict
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.audit import AuditService
from domain.services.auth import AuthService
from domain.services.known_devices import KnownDeviceService
from domain.services.passwords import PasswordService
from domain.services.sessions import Opened, SessionService
from domain.services.users import UserService


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    units_of_work: UnitsOfWork
    auth: AuthService
    users: UserService
    sessions: SessionService
    devices: KnownDeviceService
    cache: SessionCache
    audit: AuditService

    async def __call__(
        self,
        email: str,
        password: str,
        device: Device,
        *,
        replacing: SignedIn | None = None,
        device_token: str | None = None,
        is_remembered: bool = False,
    ) -> Opened:
        """Open a session and end `replacing`, the browser's previous session. `device_token` is the signed token of a
        browser that has signed in before; make the browser known. `is_remembered` means that the user wants to stay
        signed in on this device. Raises SignInThrottled, SignInRefused, PasswordSignInOff, HashingBusy,
        StoreUnavailable."""
        async with self.audit.act(Act.SIGN_IN, by=None, how="password") as entry:
            entry.typed = account_key(email)
            opened = await self._log_in(
                entry, email, password, device, replacing, device_token, is_remembered=is_remembered
            )
            entry.opened = opened.session.id
            entry.add(sessions_ended(opened.ended))
        return opened

    async def _log_in(
        self,
        entry: Entry,
        email: str,
        password: str,
        device: Device,
        replacing: SignedIn | None,
        device_token: str | None,
        *,
        is_remembered: bool,
    ) -> Opened:
        found, known = await self._find(email, device_token)
        if found is not None:
            entry.found(found.id)
        limits = self.auth.limits_of_sign_in(
            address=device.address, account=account_key(email), known=known
        )
        async with self.auth.attempt(limits):
            before, verdict = await self.auth.admit(found, password)
            opened = await self._open(
                before, verdict, device, replacing, device_token, is_remembered=is_remembered
            )
        self.cache.drop_sessions(opened.ended)
        return opened

    async def _open(
        self,
        before: User,
        verdict: Verdict,
        device: Device,
        replacing: SignedIn | None,
        device_token: str | None,
        *,
        is_remembered: bool,
    ) -> Opened:
        async with self.units_of_work.writing() as work:
            try:
                user = await work.users.get_locked(before.id)
            except UserNotFound as error:
                raise SignInRefused from error
            self.auth.must_be_unchanged(user, since=before)
            self.auth.must_allow_password(user)
            if verdict.upgraded_hash is not None:
                user = await self.users.set_password(work.users, user, verdict.upgraded_hash)
            opened = await self.sessions.open(
                work.sessions,
                user,
                device,
                is_remembered=is_remembered,
                is_confirmed=True,
                replacing=replacing,
            )
            known = await self.devices.remember(work.known_devices, opened.session, device_token)
            await work.commit()
        return replace(opened, device_token=known)

    async def _find(
        self, email: str, device_token: str | None
    ) -> tuple[User | None, KnownDevice | None]:
        async with self.units_of_work.reading() as work:
            try:
                user = await work.users.find_by_email(canonical_email(email))
            except EmailInvalid:
                user = None
            return user, await self.devices.recognise(work.known_devices, user, device_token)


def account_key(email: str) -> str:
    """Return the rate limiter's key of an account, the same for all spellings of its e-mail."""
    try:
        return canonical_email(email)
    except EmailInvalid:
        return email.strip().casefold()[:LONGEST_EMAIL]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOut:
    units_of_work: UnitsOfWork
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller) -> None:
        """End the caller's own session; one that has already ended is no error (ASVS 7.4.1)."""
        if caller.session_id is None:
            return
        async with (
            self.audit.act(Act.END_SESSION, by=caller, of=caller.user_id, why="signed out"),
            self.units_of_work.writing() as work,
        ):
            await work.sessions.remove([caller.session_id])
            await work.commit()
        self.cache.drop_sessions([caller.session_id])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognise:
    units_of_work: UnitsOfWork
    sessions: SessionService
    cache: SessionCache

    async def __call__(self, signed_token: str, *, activity: bool) -> SignedIn:
        """Return the session of the signed token. With `activity`, restart the idle timeout, at most once a minute
        or four times within the timeout. Heartbeats, polling and timer ticks are not activity. Raises SessionEnded, StoreUnavailable."""
        lookup = self.cache.look_up(signed_token)
        signed_in = lookup.found
        if signed_in is None:
            async with self.units_of_work.reading() as work:
                signed_in = await self.sessions.recognise(work.sessions, signed_token)
            self.cache.put(signed_in, after=lookup)
        self.sessions.must_be_live(signed_in.session)
        if activity and self.sessions.is_due_for_touch(signed_in.session):
            # A read-only store is enough to recognise the caller.
            with suppress(StoreUnavailable):
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
class PurgeAttempts:
    auth: AuthService

    async def __call__(self) -> int:
        """Remove rate limits that are free again; return how many."""
        return await self.auth.forget_attempts()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSetup:
    units_of_work: UnitsOfWork
    auth: AuthService

    async def __call__(self) -> str | None:
        """Return a signed token for the set-up link, valid for 15 minutes; None if there is an active admin."""
        async with self.units_of_work.reading() as work:
            if await work.users.count_active_admins():
                return None
        return self.auth.offer_setup()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSetup:
    units_of_work: UnitsOfWork
    auth: AuthService

    async def __call__(self, signed_token: str) -> None:
        """Check the signed token without consuming it. Raises SignedTokenRefused, or SetupClosed if there is an admin."""
        self.auth.must_be_setup_token(signed_token)
        async with self.units_of_work.reading() as work:
            await self.auth.must_have_no_admin(work.users, locked=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    units_of_work: UnitsOfWork
    auth: AuthService
    users: UserService
    sessions: SessionService
    devices: KnownDeviceService
    passwords: PasswordService
    hasher: PasswordHasher
    check: CheckSetup
    audit: AuditService

    async def __call__(
        self,
        signed_token: str,
        *,
        email: str,
        name: str,
        password: str,
        device: Device,
        device_token: str | None = None,
    ) -> Opened:
        """Make the first admin, sign them in, and make the browser known. An empty name becomes the e-mail's local part.
        The first of two concurrent calls wins. Raises the errors of CheckSetup, EmailInvalid, NameInvalid,
        PasswordInvalid, EmailTaken."""
        async with self.audit.act(Act.CREATE_USER, by=None, how="set-up link") as entry:
            opened = await self._set_up(signed_token, email, name, password, device, device_token)
            entry.of, entry.opened = opened.session.user_id, opened.session.id
            entry.details = {**entry.details, "granted": ADMIN}
        return opened

    async def _set_up(
        self,
        signed_token: str,
        email: str,
        name: str,
        password: str,
        device: Device,
        device_token: str | None,
    ) -> Opened:
        await self.check(signed_token)
        canonical = canonical_email(email)
        called = name.strip() or canonical.partition("@")[0]
        self.passwords.must_be_acceptable(password, email=canonical, name=called)
        password_hash = await self.hasher.hash(password)
        async with self.units_of_work.writing() as work:
            await self.auth.must_have_no_admin(work.users, locked=True)
            user = await self.users.make(
                work.users, email=canonical, name=called, password_hash=password_hash, roles={ADMIN}
            )
            opened = await self.sessions.open(work.sessions, user, device, is_confirmed=True)
            known = await self.devices.remember(work.known_devices, opened.session, device_token)
            await work.commit()
        return replace(opened, device_token=known)
