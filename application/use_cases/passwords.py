"""Use cases of passwords: owners change theirs, and operators set that of any account."""

from dataclasses import dataclass

from application.use_cases.sessions import Ended
from domain.model.audit import Act
from domain.model.caller import Caller
from domain.model.user import UserId
from domain.ports.security import PasswordHasher
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.access_tokens import AccessTokenService
from domain.services.admins import must_administer
from domain.services.audit import AuditService
from domain.services.auth import AuthService
from domain.services.confirmations import ConfirmationService
from domain.services.passwords import PasswordService
from domain.services.sessions import SessionService
from domain.services.users import UserService


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    units_of_work: UnitsOfWork
    auth: AuthService
    users: UserService
    sessions: SessionService
    tokens: AccessTokenService
    confirmations: ConfirmationService
    passwords: PasswordService
    hasher: PasswordHasher
    cache: SessionCache
    audit: AuditService

    async def __call__(
        self, caller: Caller, *, current: str, new: str, revokes_tokens: bool = True
    ) -> Ended:
        """Change the caller's own password, end all other sessions of the account (ASVS 7.4.3), forget all other devices,
        and with `revokes_tokens` revoke all access tokens. The current password confirms the session, and wrong ones
        count against a limit of this session. Raises NotAllowed for a program, PasswordSignInOff, WrongPassword, PasswordInvalid,
        SignInThrottled, HashingBusy, and SignInRefused if the account changed meanwhile."""
        async with self.audit.act(Act.CHANGE_PASSWORD, by=caller, of=caller.user_id) as entry:
            ended = await self._change(caller, current, new, revokes_tokens=revokes_tokens)
            entry.details = {"sessions_ended": ended.sessions, "tokens_revoked": ended.tokens}
        return ended

    async def _change(
        self, caller: Caller, current: str, new: str, *, revokes_tokens: bool
    ) -> Ended:
        caller.must_be_a_person()
        user_id = caller.account()
        async with self.units_of_work.reading() as work:
            before = await work.users.get(user_id)
        self.auth.must_allow_password(before)
        self.passwords.must_be_acceptable(new, email=before.email, name=before.name)
        async with self.auth.attempt(self.auth.limits_of_session(str(caller.session_id))):
            await self.auth.confirm(before, current)
        self.auth.must_differ(current, new)
        password_hash = await self.hasher.hash(new)
        async with self.units_of_work.writing() as work:
            user = await work.users.get_locked(user_id)
            self.auth.must_be_unchanged(user, since=before)
            await self.users.set_password(work.users, user, password_hash)
            ended = await self.sessions.remove_all(work.sessions, user.id, keep=caller.session_id)
            await work.known_devices.remove_of_user(user.id, keep=caller.session_id)
            revoked = (
                await self.tokens.remove_all(work.access_tokens, user.id) if revokes_tokens else ()
            )
            await self.confirmations.confirm(work.sessions, caller)
            await work.commit()
        self.cache.drop_user(user_id)
        return Ended(sessions=len(ended), tokens=len(revoked))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPassword:
    units_of_work: UnitsOfWork
    users: UserService
    sessions: SessionService
    tokens: AccessTokenService
    confirmations: ConfirmationService
    passwords: PasswordService
    hasher: PasswordHasher
    cache: SessionCache
    audit: AuditService

    async def __call__(
        self, caller: Caller, user_id: UserId, password: str, *, revokes_tokens: bool = True
    ) -> Ended:
        """Set an account's password, end all its sessions, forget its devices, and with `revokes_tokens` revoke all its
        access tokens. Admins only; a program may not do this. Raises ConfirmationNeeded, NotAllowed, UserNotFound,
        PasswordInvalid, HashingBusy."""
        async with self.audit.act(Act.CHANGE_PASSWORD, by=caller, of=user_id) as entry:
            ended = await self._set(caller, user_id, password, revokes_tokens=revokes_tokens)
            entry.details = {"sessions_ended": ended.sessions, "tokens_revoked": ended.tokens}
        return ended

    async def _set(
        self, caller: Caller, user_id: UserId, password: str, *, revokes_tokens: bool
    ) -> Ended:
        async with self.units_of_work.reading() as work:
            await must_administer(work.users, caller)
            await self.confirmations.must_be_confirmed(work.sessions, caller)
            user = await work.users.get(user_id)
        self.passwords.must_be_acceptable(password, email=user.email, name=user.name)
        password_hash = await self.hasher.hash(password)
        async with self.units_of_work.writing() as work:
            # Again: hashing takes its time, and the caller's session may have ended meanwhile.
            await must_administer(work.users, caller)
            await self.confirmations.must_be_confirmed(work.sessions, caller)
            user = await work.users.get_locked(user_id)
            await self.users.set_password(work.users, user, password_hash)
            ended = await self.sessions.remove_all(work.sessions, user_id)
            await work.known_devices.remove_of_user(user_id)
            revoked = (
                await self.tokens.remove_all(work.access_tokens, user_id) if revokes_tokens else ()
            )
            await work.commit()
        self.cache.drop_user(user_id)
        return Ended(sessions=len(ended), tokens=len(revoked))
