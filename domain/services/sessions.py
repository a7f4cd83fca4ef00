"""Sessions: opened, recognised, touched, capped and ended. Who may end what is decided here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from domain.errors import SessionEnded, SessionNotFound, TokenRefused
from domain.model.caller import Caller, SignedIn
from domain.model.session import Device, Session, SessionId, SessionPolicy
from domain.model.token import Claims, Purpose
from domain.model.user import User, UserId
from domain.ports.repositories import SessionRepository
from domain.ports.security import TokenCodec
from domain.ports.system import Clock, IdGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    session: Session
    token: str = field(repr=False)
    """For the cookie, and for nothing else."""
    ended: Sequence[SessionId]
    """Sessions that had to go to keep the cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionService:
    codec: TokenCodec
    clock: Clock
    ids: IdGenerator
    policy: SessionPolicy

    async def open(self, sessions: SessionRepository, user: User, device: Device) -> Opened:
        """With a fresh secret whatever the browser brought (ASVS 7.2.4). Over the cap the oldest sign-ins end.
        The caller holds the account's lock, so that two sign-ins cannot both count too few."""
        now = self.clock.now()
        secret = self.ids.new_secret()
        session = Session(
            id=SessionId(self.ids.new_id()),
            user_id=user.id,
            secret_hash=_hash(secret),
            created_at=now,
            seen_at=now,
            ends_at=now + self.policy.absolute,
            device=device,
        )
        others = sorted(await sessions.of_user(user.id), key=lambda other: other.created_at)
        surplus = len(others) + 1 - self.policy.per_user
        ended = [other.id for other in others[: max(0, surplus)]]
        await sessions.remove(ended)
        await sessions.add(session)
        claims = Claims(
            subject=str(user.id), secret_id=secret, issued_at=now, expires_at=session.ends_at
        )
        token = self.codec.encode(Purpose.SESSION, claims)
        return Opened(session=session, token=token, ended=ended)

    async def recognise(self, sessions: SessionRepository, token: str) -> SignedIn:
        """Signature first, then the store (ASVS 7.2.1). Raises SessionEnded for everything that does not hold."""
        try:
            claims = self.codec.decode(Purpose.SESSION, token)
        except TokenRefused as error:
            raise SessionEnded from error
        found = await sessions.find_with_user(_hash(claims.secret_id))
        if found is None:
            raise SessionEnded
        session, user, data = found
        if str(user.id) != claims.subject or not user.is_active:
            raise SessionEnded
        self.must_be_live(session)
        return SignedIn(user=user, session=session, data=data)

    def must_be_live(self, session: Session) -> None:
        """Raises SessionEnded."""
        session.must_be_live(self.clock.now(), self.policy)

    def is_due_for_touch(self, session: Session) -> bool:
        return session.is_due_for_touch(self.clock.now())

    async def touch(self, sessions: SessionRepository, session: Session) -> Session:
        """Raises SessionEnded when somebody ended it meanwhile: a touch revives nothing."""
        touched = session.seen(self.clock.now())
        await sessions.save(touched)
        return touched

    async def live_of(self, sessions: SessionRepository, user_id: UserId) -> Sequence[Session]:
        """Those that could still be used, the one seen last first."""
        now = self.clock.now()
        return [s for s in await sessions.of_user(user_id) if s.is_live(now, self.policy)]

    async def live_among(
        self, sessions: SessionRepository, session_ids: Collection[SessionId]
    ) -> frozenset[SessionId]:
        """Those of them that could still be used."""
        now = self.clock.now()
        found = await sessions.find_many(session_ids)
        return frozenset(session.id for session in found if session.is_live(now, self.policy))

    async def end(self, sessions: SessionRepository, session_id: SessionId, *, by: Caller) -> None:
        """Raises SessionNotFound when it is not there, or is somebody else's and the caller no admin."""
        session = await sessions.find(session_id)
        if session is None or not (by.is_admin or session.user_id == by.user_id):
            raise SessionNotFound
        await sessions.remove([session_id])

    async def end_all(
        self, sessions: SessionRepository, user_id: UserId, *, keep: SessionId | None = None
    ) -> Sequence[SessionId]:
        """Ends all of the account's sessions but `keep`; answers those that ended."""
        ended = [s.id for s in await sessions.of_user(user_id) if s.id != keep]
        await sessions.remove(ended)
        return ended

    async def purge(self, sessions: SessionRepository) -> Sequence[SessionId]:
        """Removes what is past its idle or absolute end; answers which."""
        now = self.clock.now()
        return await sessions.remove_dead(ended_by=now, idle_since=now - self.policy.idle)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
