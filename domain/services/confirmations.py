"""Rules for acts that need a confirmation: the user of the session has proved shortly before who they are (ASVS 7.5.1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.errors import ConfirmationNeeded, IdentityRefused, NotAllowed, SessionEnded
from domain.model.caller import Caller
from domain.model.identity import Profile, Provider
from domain.model.session import CONFIRMED_FOR, Session, SessionId
from domain.ports.repositories import IdentityRepository, SessionRepository
from domain.ports.system import Clock

SKEW: Final = timedelta(seconds=60)
"""How far a provider's clock may differ from ours."""

_OTHER_SESSION: Final = (
    "This was started in another session, or your session has ended meanwhile. Start again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationService:
    clock: Clock

    async def must_be_confirmed(self, sessions: SessionRepository, caller: Caller) -> None:
        """Ask the store, so that a confirmation counts on all replicas at once. The operator at the command line needs
        none. Raises ConfirmationNeeded, SessionEnded, and NotAllowed for a program: it cannot confirm anything, and a
        leaked token must not outlive its own expiry."""
        caller.must_be_a_person()
        if caller.is_operator:
            return
        session = await _session_of(sessions, caller)
        if caller.goes_on or self.until(session) is None:
            raise ConfirmationNeeded

    def until(self, session: Session) -> datetime | None:
        """Return how long the session is confirmed; None if it is not."""
        if session.confirmed_at is None or not session.is_confirmed(self.clock.now()):
            return None
        return session.confirmed_at + CONFIRMED_FOR

    async def confirm(self, sessions: SessionRepository, caller: Caller) -> datetime:
        """Confirm the caller's own session, whose user has just proved who they are; return until when. Raises
        SessionEnded, and NotAllowed for a caller without a session."""
        if caller.session_id is None:
            raise NotAllowed
        now = self.clock.now()
        await sessions.confirm(caller.session_id, now)
        return now + CONFIRMED_FOR

    async def must_prove(
        self,
        provider: Provider,
        profile: Profile,
        *,
        begun_for: SessionId | None,
        begun_at: float,
        caller: Caller,
        identities: IdentityRepository,
    ) -> None:
        """Check that a sign-in at the provider proves who the caller is: it was begun for the caller's session at
        `begun_at` (seconds since 1970), is of the same person, and the provider does not say that it is older. Raises
        IdentityRefused."""
        if begun_for is None or begun_for != caller.session_id:
            raise IdentityRefused(_OTHER_SESSION, reason="session")
        identity = await identities.find(profile.issuer, profile.subject)
        is_theirs = identity is not None and identity.user_id == caller.user_id
        if profile.issuer != provider.issuer or not is_theirs:
            raise IdentityRefused(
                f"You signed in with {provider.label} as somebody else. Start again, as the person who is signed in here.",
                reason="another person",
            )
        said = profile.authenticated_at
        if said is not None and said.timestamp() < begun_at - SKEW.total_seconds():
            raise IdentityRefused(
                f"{provider.label} has not asked you to sign in again. Sign out there, then start again.",
                reason="auth_time",
            )


async def _session_of(sessions: SessionRepository, caller: Caller) -> Session:
    if caller.session_id is None:
        raise ConfirmationNeeded
    session = await sessions.find(caller.session_id)
    if session is None:
        raise SessionEnded
    return session
