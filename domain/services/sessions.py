"""Rules for sessions: opening, recognising, touching, limiting and ending them, and who may end which."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from domain.errors import SessionEnded, SessionNotFound, SignedTokenRefused
from domain.model.caller import Caller, SignedIn
from domain.model.identity import Origin
from domain.model.session import KEPT_FOR, Device, Session, SessionId, SessionPolicy
from domain.model.signed_token import Claims, Purpose
from domain.model.user import User, UserId
from domain.ports.repositories import IdentityRepository, SessionRepository, UserRepository
from domain.ports.security import SignedTokenCodec
from domain.ports.system import Clock, IdGenerator
from domain.services.admins import must_administer


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    session: Session
    signed_token: str = field(repr=False)
    """For the cookie only."""
    ended: Sequence[SessionId]
    """Sessions that the sign-in has ended: the browser's previous one, and those above the account's limit."""
    replaced: SessionId | None = None
    """The browser's previous session, if it was live until now and belonged to the same account. The new one may go on
    with its tabs."""
    device_token: str = field(default="", repr=False)
    """For the cookie that makes the browser known. Empty if it does not become known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionService:
    codec: SignedTokenCodec
    clock: Clock
    ids: IdGenerator
    policy: SessionPolicy

    async def open(
        self,
        sessions: SessionRepository,
        user: User,
        device: Device,
        *,
        origin: Origin | None = None,
        is_remembered: bool = False,
        is_confirmed: bool = False,
        authenticated_at: datetime | None = None,
        replacing: SignedIn | None = None,
    ) -> Opened:
        """Open a session with a new secret, whatever the browser sent (ASVS 7.2.4). It is remembered only if the policy
        allows it. `is_confirmed` means that its user has just proved who they are, or has done so at `authenticated_at`;
        nothing of an earlier session counts. End `replacing`, the browser's previous session, and above the limit the oldest
        sessions. The caller holds the account's lock, so that two sign-ins cannot both pass the limit."""
        now = self.clock.now()
        proved_at = min(now, authenticated_at or now)
        is_remembered = is_remembered and self.policy.remembered is not None
        secret = self.ids.new_secret()
        session = Session(
            id=SessionId(self.ids.new_id()),
            user_id=user.id,
            secret_hash=_hash(secret),
            created_at=now,
            seen_at=now,
            ends_at=now + self.policy.lifetime(is_remembered=is_remembered),
            device=device,
            origin=origin,
            is_remembered=is_remembered,
            confirmed_at=proved_at if is_confirmed else None,
        )
        former = [] if replacing is None else [replacing.session.id]
        replaced = None if replacing is None else await self._replace(sessions, replacing, user)
        others = sorted(await self.live_of(sessions, user.id), key=lambda other: other.created_at)
        surplus = len(others) + 1 - self.policy.per_user
        ended = [other.id for other in others[: max(0, surplus)]]
        await sessions.remove(ended)
        await sessions.add(session)
        claims = Claims(
            subject=str(user.id),
            secret_id=secret,
            issued_at=now,
            # The session itself ends at `ends_at`. Afterwards the token only proves which session its browser had.
            expires_at=session.ends_at + KEPT_FOR,
        )
        signed_token = self.codec.encode(Purpose.SESSION, claims)
        return Opened(
            session=session,
            signed_token=signed_token,
            ended=[*former, *ended],
            replaced=replaced,
        )

    async def _replace(
        self, sessions: SessionRepository, replacing: SignedIn, user: User
    ) -> SessionId | None:
        """Remove the session. Return its id if it belongs to this account, and nobody has ended it before."""
        former = replacing.session
        was_there = await sessions.remove([former.id]) == 1
        return former.id if was_there and former.user_id == user.id else None

    async def recognise(self, sessions: SessionRepository, signed_token: str) -> SignedIn:
        """Check the signature, then the store (ASVS 7.2.1). Raises SessionEnded for every invalid token; SessionExpired if
        nobody has ended the session."""
        try:
            claims = self.codec.decode(Purpose.SESSION, signed_token)
        except SignedTokenRefused as error:
            raise SessionEnded from error
        found = await sessions.find_with_user(_hash(claims.secret_id))
        if found is None:
            raise SessionEnded
        session, user, data = found
        if str(user.id) != claims.subject or not user.is_active:
            raise SessionEnded
        self.must_be_live(session)
        return SignedIn(user=user, session=session, data=data)

    def is_live(self, session: Session) -> bool:
        return session.is_live(self.clock.now(), self.policy)

    def must_be_live(self, session: Session) -> None:
        """Raises SessionExpired."""
        session.must_be_live(self.clock.now(), self.policy)

    def is_due_for_touch(self, session: Session) -> bool:
        return session.is_due_for_touch(self.clock.now(), self.policy)

    async def touch(self, sessions: SessionRepository, session: Session) -> Session:
        """Store the time of use. Raises SessionEnded if the session was ended meanwhile: touching never restores it."""
        touched = session.seen(self.clock.now())
        await sessions.save(touched)
        return touched

    async def live_of(self, sessions: SessionRepository, user_id: UserId) -> Sequence[Session]:
        """Return the account's live sessions, the most recently seen first."""
        now = self.clock.now()
        return [s for s in await sessions.of_user(user_id) if s.is_live(now, self.policy)]

    async def live_among(
        self, sessions: SessionRepository, session_ids: Collection[SessionId]
    ) -> frozenset[SessionId]:
        """Return those of the sessions that exist and are live."""
        now = self.clock.now()
        found = await sessions.find_many(session_ids)
        return frozenset(session.id for session in found if session.is_live(now, self.policy))

    async def kept_among(
        self, sessions: SessionRepository, session_ids: Collection[SessionId]
    ) -> frozenset[SessionId]:
        """Return those of the sessions that are live, or have just expired, so that a sign-in may take their tabs over."""
        now = self.clock.now()
        found = await sessions.find_many(session_ids)
        return frozenset(
            session.id
            for session in found
            if session.is_live(now, self.policy) or session.has_just_expired(now, self.policy)
        )

    async def take_over(
        self, sessions: SessionRepository, signed_token: str, *, by: UserId | None
    ) -> SessionId | None:
        """Remove the just expired session of this token, the browser's last cookie. Return its id if it belongs to the
        account `by`, which has just signed in with this browser: the new session may go on with its tabs. None in every
        other case: nobody has signed in, the session lives, it expired too long ago, somebody has ended it, or another
        sign-in has taken it over before."""
        try:
            claims = self.codec.decode(Purpose.SESSION, signed_token)
        except SignedTokenRefused:
            return None
        found = await sessions.find_with_user(_hash(claims.secret_id))
        if found is None or str(found[1].id) != claims.subject:
            return None
        session, user, _ = found
        if not session.has_just_expired(self.clock.now(), self.policy):
            return None
        is_first = await sessions.remove([session.id]) == 1
        return session.id if is_first and user.is_active and user.id == by else None

    async def end(
        self,
        sessions: SessionRepository,
        session_id: SessionId,
        *,
        by: Caller,
        users: UserRepository,
        of: UserId | None = None,
    ) -> None:
        """End one of the caller's own sessions, or any session if the caller is an admin. With `of`, end only a session
        of that account. Raises SessionNotFound (also if the caller may not end the session), and NotAllowed for
        programs and former admins."""
        by.must_be_a_person()
        session = await sessions.find(session_id)
        if session is None or of not in {None, session.user_id}:
            raise SessionNotFound
        if session.user_id != by.user_id:
            if not by.is_admin:
                raise SessionNotFound
            await must_administer(users, by)
        await sessions.remove([session_id])

    async def end_others(self, sessions: SessionRepository, *, by: Caller) -> Sequence[SessionId]:
        """End all of the caller's own sessions except the current one; return their ids. Raises NotAllowed for a
        program, and for the operator, who has no account."""
        by.must_be_a_person()
        return await self.remove_all(sessions, by.account(), keep=by.session_id)

    async def end_all(
        self, sessions: SessionRepository, user_id: UserId, *, by: Caller, users: UserRepository
    ) -> Sequence[SessionId]:
        """End all sessions of an account as an admin; return their ids (ASVS 7.4.5). Raises UserNotFound. Raises
        NotAllowed for a caller who is not an admin, and for a program that belongs to this account."""
        if by.user_id == user_id:
            by.must_be_a_person()
        await must_administer(users, by)
        await users.get_locked(user_id)
        return await self.remove_all(sessions, user_id)

    async def remove_all(
        self, sessions: SessionRepository, user_id: UserId, *, keep: SessionId | None = None
    ) -> Sequence[SessionId]:
        """Remove the account's sessions except `keep`, and return the removed ids. Does not check the caller."""
        ended = [s.id for s in await sessions.of_user(user_id) if s.id != keep]
        await sessions.remove(ended)
        return ended

    async def forget_logout_tokens(self, identities: IdentityRepository) -> int:
        """Forget used logout tokens that would be refused as expired by now; return how many."""
        return await identities.forget_logout_tokens(expired_by=self.clock.now())

    async def purge(self, sessions: SessionRepository) -> Sequence[SessionId]:
        """Remove sessions that have expired KEPT_FOR ago; return their ids."""
        expired_by = self.clock.now() - KEPT_FOR
        return await sessions.remove_dead(
            ended_by=expired_by,
            idle_since=expired_by - self.policy.idle,
            spares_remembered=self.policy.remembered is not None,
        )


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
