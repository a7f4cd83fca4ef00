"""Let a new session go on with the tabs of its browser's former one, at whichever replica they are."""

from dataclasses import dataclass
from uuid import UUID

from application.use_cases import UseCases
from domain.model.caller import SignedIn
from domain.model.session import Session, SessionId
from domain.model.user import UserId
from entrypoints.access import RecogniseAgain
from entrypoints.replicas import Replicas
from entrypoints.ui import Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    accounts: Accounts
    use_cases: UseCases
    replicas: Replicas | None = None

    async def __call__(
        self, former: SessionId, session: Session, *, signed_token: str | None = None
    ) -> None:
        """Hand the tabs of the session `former`, which has ended, to the next session of its browser. With its
        `signed_token`, the events that still run go on too. A home that does not respond keeps the tabs; the page then
        says that it has to be loaded again."""
        self.here(former, session.id, session.user_id, signed_token)
        if self.replicas is not None:
            said = {"former": former.hex, "session": session.id.hex, "user": session.user_id.hex}
            await self.replicas.tell_home(session.user_id, said, signed_token or "")

    def of_another_replica(self, said: dict[str, str], signed_token: str) -> None:
        """Hand over tabs that are here. Raises KeyError and ValueError for anything but what `__call__` sends."""
        former, session = (SessionId(UUID(hex=said[name])) for name in ("former", "session"))
        self.here(former, session, UserId(UUID(hex=said["user"])), signed_token or None)

    def here(
        self, former: SessionId, session: SessionId, user: UserId, signed_token: str | None
    ) -> None:
        check = None if signed_token is None else self._check_of(signed_token)
        self.accounts.hand_over(former, session, of=user, recognise=check)

    def _check_of(self, signed_token: str) -> RecogniseAgain:
        async def check(*, activity: bool) -> SignedIn:
            return await self.use_cases.recognise(signed_token, activity=activity)

        return check
