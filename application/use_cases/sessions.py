"""Use cases of sessions: owners and admins list and end them; the service touches and purges them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from domain.errors import SessionEnded
from domain.model.access_token import AccessTokenId
from domain.model.audit import Act
from domain.model.caller import Caller
from domain.model.session import Session, SessionId
from domain.model.user import User, UserId
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.access_tokens import AccessTokenService
from domain.services.admins import must_administer
from domain.services.audit import AuditService
from domain.services.sessions import SessionService


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What has ended of an account."""

    sessions: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSessions:
    units_of_work: UnitsOfWork
    sessions: SessionService

    async def __call__(self, caller: Caller, user_id: UserId) -> Sequence[Session]:
        """Return the live sessions of the caller's account, or as an admin of any account, the most recently seen
        first. Raises NotAllowed, also for a program, UserNotFound."""
        caller.must_be_a_person()
        async with self.units_of_work.reading() as work:
            if caller.user_id != user_id:
                await must_administer(work.users, caller)
                await work.users.get(user_id)
            return await self.sessions.live_of(work.sessions, user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAllSessions:
    units_of_work: UnitsOfWork
    sessions: SessionService

    async def __call__(
        self, caller: Caller, *, limit: int = 50, after: SessionId | None = None
    ) -> Sequence[tuple[Session, User]]:
        """Return the live sessions of all accounts, the newest sign-in first; admins only. Raises NotAllowed."""
        found: list[tuple[Session, User]] = []
        async with self.units_of_work.reading() as work:
            await must_administer(work.users, caller)
            while len(found) < limit:
                page = await work.sessions.page(limit=limit, after=after)
                found += [pair for pair in page if self.sessions.is_live(pair[0])]
                if len(page) < limit:
                    break
                after = page[-1][0].id
        return found[:limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeSession:
    units_of_work: UnitsOfWork
    sessions: SessionService
    cache: SessionCache
    audit: AuditService

    async def __call__(
        self, caller: Caller, session_id: SessionId, *, of: UserId | None = None
    ) -> None:
        """End one of the caller's own sessions, or any session if the caller is an admin, and forget its device. With
        `of`, end only a session of that account. Raises SessionNotFound, and NotAllowed for a program and for a caller
        who is no longer an admin."""
        async with (
            self.audit.act(Act.END_SESSION, by=caller, of=of, ended=str(session_id)),
            self.units_of_work.writing() as work,
        ):
            await self.sessions.end(work.sessions, session_id, by=caller, users=work.users, of=of)
            await work.known_devices.remove_of_session(session_id)
            await work.commit()
        self.cache.drop_sessions([session_id])


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeOtherSessions:
    units_of_work: UnitsOfWork
    sessions: SessionService
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller) -> int:
        """End all of the caller's sessions except the current one, and forget all other devices; return how many
        sessions have ended. Raises NotAllowed, also for a program."""
        async with (
            self.audit.act(Act.END_SESSION, by=caller, of=caller.user_id) as entry,
            self.units_of_work.writing() as work,
        ):
            ended = await self.sessions.end_others(work.sessions, by=caller)
            await work.known_devices.remove_of_user(caller.account(), keep=caller.session_id)
            entry.details = {"sessions": len(ended)}
            await work.commit()
        self.cache.drop_sessions(ended)
        return len(ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeAllSessions:
    units_of_work: UnitsOfWork
    sessions: SessionService
    tokens: AccessTokenService
    cache: SessionCache
    audit: AuditService

    async def __call__(
        self, caller: Caller, user_id: UserId, *, revokes_tokens: bool = True
    ) -> Ended:
        """End everything of an account: all sessions, and with `revokes_tokens` all access tokens; forget its devices.
        Admins only (ASVS 7.4.5). Raises UserNotFound, and NotAllowed, also for a program that would end the sessions of
        its own account."""
        async with (
            self.audit.act(Act.END_SESSION, by=caller, of=user_id) as entry,
            self.units_of_work.writing() as work,
        ):
            ended = await self.sessions.end_all(work.sessions, user_id, by=caller, users=work.users)
            await work.known_devices.remove_of_user(user_id)
            revoked = (
                await self.tokens.remove_all(work.access_tokens, user_id) if revokes_tokens else ()
            )
            entry.details = {"sessions": len(ended), "tokens": len(revoked)}
            await work.commit()
        self.cache.drop_user(user_id)
        return Ended(sessions=len(ended), tokens=len(revoked))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAwake:
    units_of_work: UnitsOfWork
    sessions: SessionService

    async def __call__(self, session_ids: Iterable[SessionId]) -> None:
        """Touch sessions that have a running event, so that long events do not let them become idle. A session that was
        ended meanwhile stays ended."""
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
    tokens: AccessTokenService

    async def __call__(self, session_ids: Collection[SessionId]) -> frozenset[SessionId]:
        """Return those of the sessions that have ended, on any replica, except those that have just expired. A program's
        session has the id of its access token, and ends with it."""
        if not session_ids:
            return frozenset()
        async with self.units_of_work.reading() as work:
            ended = frozenset(session_ids) - await self.sessions.kept_among(
                work.sessions, session_ids
            )
            if ended:
                ids = [AccessTokenId(session_id) for session_id in ended]
                ended -= await self.tokens.live_among(work.access_tokens, ids)
        return ended


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOverSession:
    units_of_work: UnitsOfWork
    sessions: SessionService
    audit: AuditService

    async def __call__(self, signed_token: str, *, by: UserId | None) -> SessionId | None:
        """Remove the just expired session of a browser's last cookie after a sign-in or sign-out. Return its id if the
        account `by` owns it and has signed in: the new session may go on with its tabs, once."""
        async with self.units_of_work.writing() as work:
            expired = await self.sessions.take_over(work.sessions, signed_token, by=by)
            await work.commit()
        if expired is not None and by is not None:
            self.audit.done(Act.RENEW_SESSION, of=by, expired=str(expired))
        return expired


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeSessions:
    units_of_work: UnitsOfWork
    sessions: SessionService
    cache: SessionCache

    async def __call__(self) -> int:
        """Remove sessions past their timeouts with their data; return how many. Also forget the logout tokens of
        providers that have expired."""
        async with self.units_of_work.writing() as work:
            ended = await self.sessions.purge(work.sessions)
            await self.sessions.forget_logout_tokens(work.identities)
            await work.commit()
        self.cache.drop_sessions(ended)
        return len(ended)
