"""Values that outlive a request: of the account, and of the session."""

from dataclasses import dataclass

from domain.errors import NotAllowed, SessionEnded
from domain.model.caller import Caller
from domain.model.session import SessionId
from domain.model.state import Changes, Entries, Updates
from domain.model.user import UserId
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.state import StateService


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAccountState:
    units_of_work: UnitsOfWork

    async def __call__(self, caller: Caller) -> Entries:
        async with self.units_of_work.reading() as work:
            return await work.account_state.read(_account(caller))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAccountState:
    units_of_work: UnitsOfWork
    state: StateService

    async def __call__(
        self, caller: Caller, changes: Changes, updates: Updates | None = None
    ) -> Entries:
        """All or nothing, as StateService.change tells. Raises StateInvalid, UserNotFound."""
        async with self.units_of_work.writing() as work:
            entries = await self.state.change(
                work.account_state, _account(caller), changes, updates
            )
            await work.commit()
        return entries


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSessionData:
    units_of_work: UnitsOfWork
    state: StateService
    cache: SessionCache

    async def __call__(self, caller: Caller, changes: Changes) -> Entries:
        """Of the sign-in, or of a program's access token. Keys that are not named stay. Raises StateInvalid, SessionEnded,
        AccessTokenEnded."""
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


def _account(caller: Caller) -> UserId:
    if caller.user_id is None:
        raise NotAllowed
    return caller.user_id


def _session(caller: Caller) -> SessionId:
    if caller.session_id is None:
        raise SessionEnded
    return caller.session_id
