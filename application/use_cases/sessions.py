"""Sessions, seen and ended by their owner or by an admin, kept awake and purged by the service itself."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from domain.errors import NotAllowed, SessionEnded
from domain.model.access_token import AccessTokenId
from domain.model.caller import Caller
from domain.model.session import Session, SessionId
from domain.model.user import User, UserId
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.sessions import SessionService
from domain.services.tokens import TokenService
from domain.services.users import UserService


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSessions:
    units_of_work: UnitsOfWork
    users: UserService
    sessions: SessionService

    async def __call__(self, caller: Caller, user_id: UserId) -> Sequence[Session]:
        """The live ones of an account, the one seen last first: one's own, or as an admin anybody's.
        Raises NotAllowed, also for a program, UserNotFound."""
        caller.must_be_a_person()
        async with self.units_of_work.reading() as work:
            if caller.user_id != user_id:
                await self.users.must_administer(work.users, caller)
                await work.users.get(user_id)
            return await self.sessions.live_of(work.sessions, user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAllSessions:
    units_of_work: UnitsOfWork
    users: UserService

    async def __call__(
        self, caller: Caller, *, limit: int = 50, after: SessionId | None = None
    ) -> Sequence[tuple[Session, User]]:
        """Everybody's, the newest sign-in first, admins only. Raises NotAllowed."""
        async with self.units_of_work.reading() as work:
            await self.users.must_administer(work.users, caller)
            return await work.sessions.page(limit=limit, after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeSession:
    units_of_work: UnitsOfWork
    users: UserService
    sessions: SessionService
    cache: SessionCache

    async def __call__(self, caller: Caller, session_id: SessionId) -> None:
        """One's own, or as an admin anybody's. Raises SessionNotFound, NotAllowed for a program, and for who was an
        admin until just now."""
        caller.must_be_a_person()
        async with self.units_of_work.writing() as work:
            session = await work.sessions.find(session_id)
            if caller.is_admin and session is not None and session.user_id != caller.user_id:
                await self.users.must_administer(work.users, caller)
            await self.sessions.end(work.sessions, session_id, by=caller)
            await work.commit()
        self.cache.drop_sessions([session_id])


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeOtherSessions:
    units_of_work: UnitsOfWork
    sessions: SessionService
    cache: SessionCache

    async def __call__(self, caller: Caller) -> int:
        """All of the caller's but the one asking; answers how many ended. Raises NotAllowed, also for a program."""
        caller.must_be_a_person()
        if caller.user_id is None:
            raise NotAllowed
        async with self.units_of_work.writing() as work:
            ended = await self.sessions.end_all(
                work.sessions, caller.user_id, keep=caller.session_id
            )
            await work.commit()
        self.cache.drop_sessions(ended)
        return len(ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeAllSessions:
    units_of_work: UnitsOfWork
    users: UserService
    sessions: SessionService
    cache: SessionCache

    async def __call__(self, caller: Caller, user_id: UserId) -> int:
        """All of an account, admins only; answers how many ended. Raises NotAllowed, also for a program that would end
        those of its own account, UserNotFound (ASVS 7.4.5)."""
        if caller.user_id == user_id:
            caller.must_be_a_person()
        async with self.units_of_work.writing() as work:
            await self.users.must_administer(work.users, caller)
            await work.users.get_locked(user_id)
            ended = await self.sessions.end_all(work.sessions, user_id)
            await work.commit()
        self.cache.drop_user(user_id)
        return len(ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAwake:
    units_of_work: UnitsOfWork
    sessions: SessionService

    async def __call__(self, session_ids: Iterable[SessionId]) -> None:
        """Touches sessions that have a running event: they are not idle however long it takes.
        One that was ended meanwhile stays ended."""
        for session_id in session_ids:
            async with self.units_of_work.writing() as work:
                session = await work.sessions.find(session_id)
                if session is None:
                    continue
                try:
                    self.sessions.must_be_live(session)
                    await self.sessions.touch(work.sessions, session)
                except SessionEnded:
                    continue
                await work.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSessions:
    units_of_work: UnitsOfWork
    sessions: SessionService
    tokens: TokenService

    async def __call__(self, session_ids: Collection[SessionId]) -> frozenset[SessionId]:
        """Those of them that opened once and can be used no more, wherever they were ended. A program's session has the
        id of its access token, and lasts as long."""
        if not session_ids:
            return frozenset()
        async with self.units_of_work.reading() as work:
            ended = frozenset(session_ids) - await self.sessions.live_among(
                work.sessions, session_ids
            )
            if ended:
                ids = [AccessTokenId(session_id) for session_id in ended]
                ended -= await self.tokens.live_among(work.access_tokens, ids)
        return ended


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeSessions:
    units_of_work: UnitsOfWork
    sessions: SessionService
    cache: SessionCache

    async def __call__(self) -> int:
        """Removes what is past its end, with its data; answers how many."""
        async with self.units_of_work.writing() as work:
            ended = await self.sessions.purge(work.sessions)
            await work.commit()
        self.cache.drop_sessions(ended)
        return len(ended)
