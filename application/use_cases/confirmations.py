"""Use cases of confirming a session: its user proves again who they are, with the password or at an identity provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from application.use_cases.identities import Returned
from domain.errors import SessionEnded
from domain.model.audit import Act
from domain.model.caller import Caller
from domain.model.identity import Provider, Providers
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.audit import AuditService
from domain.services.auth import AuthService
from domain.services.confirmations import ConfirmationService


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The state of a session, and the ways in which its user may confirm it."""

    until: datetime | None
    """None: the session is not confirmed."""
    takes_password: bool
    providers: Sequence[Provider]
    """The configured providers to which the account is linked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConfirmation:
    units_of_work: UnitsOfWork
    confirmations: ConfirmationService
    auth: AuthService
    providers: Providers

    async def __call__(self, caller: Caller) -> Confirmation:
        """Return the state of the caller's own session. Raises SessionEnded, and NotAllowed for a program and for the
        operator."""
        caller.must_be_a_person()
        user_id = caller.account()
        async with self.units_of_work.reading() as work:
            user = await work.users.get(user_id)
            linked = {identity.issuer for identity in await work.identities.of_user(user_id)}
            session = await work.sessions.find(caller.session_id) if caller.session_id else None
        if session is None:
            raise SessionEnded
        return Confirmation(
            until=self.confirmations.until(session),
            takes_password=user.password_hash is not None and self.auth.allows_password(user),
            providers=[one for one in self.providers.all if one.issuer in linked],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmByPassword:
    units_of_work: UnitsOfWork
    confirmations: ConfirmationService
    auth: AuthService
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller, password: str) -> datetime:
        """Confirm the caller's own session and return until when. Wrong passwords count against a limit of this session,
        before any is hashed. Raises WrongPassword, SignInThrottled, PasswordSignInOff, HashingBusy, SessionEnded,
        SignInRefused if the account changed meanwhile, and NotAllowed for a program and for the operator."""
        how = "password again"
        async with self.audit.act(Act.SIGN_IN, by=caller, of=caller.user_id, how=how):
            return await self._confirm(caller, password)

    async def _confirm(self, caller: Caller, password: str) -> datetime:
        caller.must_be_a_person()
        user_id = caller.account()
        async with self.units_of_work.reading() as work:
            before = await work.users.get(user_id)
        self.auth.must_allow_password(before)
        async with self.auth.attempt(self.auth.limits_of_session(str(caller.session_id))):
            await self.auth.confirm(before, password)
        async with self.units_of_work.writing() as work:
            user = await work.users.get_locked(user_id)
            self.auth.must_be_unchanged(user, since=before)
            until = await self.confirmations.confirm(work.sessions, caller)
            await work.commit()
        self.cache.drop_user(user_id)
        return until


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmByIdentity:
    units_of_work: UnitsOfWork
    confirmations: ConfirmationService
    providers: Providers
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller, name: str, returned: Returned) -> datetime:
        """Confirm the caller's own session by the sign-in at a provider that was begun for it, and return until when.
        Raises ProviderNotFound, IdentityRefused, SessionEnded, and NotAllowed for a program."""
        how, user_id = "provider again", caller.account()
        async with (
            self.audit.act(Act.SIGN_IN, by=caller, of=caller.user_id, how=how, provider=name),
            self.units_of_work.writing() as work,
        ):
            caller.must_be_a_person()
            await self.confirmations.must_prove(
                self.providers.named(name),
                returned.profile,
                begun_for=returned.confirms,
                begun_at=returned.begun_at,
                caller=caller,
                identities=work.identities,
            )
            until = await self.confirmations.confirm(work.sessions, caller)
            await work.commit()
        self.cache.drop_user(user_id)
        return until
