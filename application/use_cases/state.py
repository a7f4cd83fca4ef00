"""Use cases of values that outlive a request: account state and session data."""

from dataclasses import dataclass

from domain.errors import SessionEnded
from domain.model.caller import Caller, SignedIn
from domain.model.session import SessionId
from domain.model.state import Changes, Entries, Updates
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.state import StateService


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAccountState:
    units_of_work: UnitsOfWork

    async def __call__(self, caller: Caller) -> Entries:
        async with self.units_of_work.reading() as work:
            return await work.account_state.read(caller.account())


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAccountState:
    units_of_work: UnitsOfWork
    state: StateService

    async def __call__(
        self, caller: Caller, changes: Changes, updates: Updates | None = None
    ) -> Entries:
        """Change the account's state, all or nothing, like StateService.change. Raises StateInvalid, UserNotFound."""
        async with self.units_of_work.writing() as work:
            entries = await self.state.change(
                work.account_state, caller.account(), changes, updates
            )
            await work.commit()
        return entries


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSessionData:
    units_of_work: UnitsOfWork
    has_replicas: bool
    """True if another process may have written the data since it was cached here."""

    async def __call__(self, signed_in: SignedIn) -> Entries:
        """Return the data of the session or, for a program, of its access token, with everything that was written before.
        Raises StoreUnavailable."""
        if not self.has_replicas:
            return signed_in.data
        caller = signed_in.caller
        async with self.units_of_work.reading() as work:
            if caller.token_id is not None:
                return await work.token_data.read(caller.token_id)
            return await work.session_data.read(_session(caller))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSessionData:
    units_of_work: UnitsOfWork
    state: StateService
    cache: SessionCache

    async def __call__(self, caller: Caller, changes: Changes) -> Entries:
        """Change the data of the session or, for a program, of its access token. Other keys stay. Raises StateInvalid,
        SessionEnded, AccessTokenEnded."""
        ticket = self.cache.ticket()
        async with self.units_of_work.writing() as work:
            if caller.token_id is not None:
                session_id = SessionId(caller.token_id)
                entries = await self.state.change(work.token_data, caller.token_id, changes)
            else:
                session_id = _session(caller)
                entries = await self.state.change(work.session_data, session_id, changes)
            await work.commit()
        self.cache.renew_data(session_id, entries, ticket=ticket)
        return entries


def _session(caller: Caller) -> SessionId:
    if caller.session_id is None:
        raise SessionEnded
    return caller.session_id
