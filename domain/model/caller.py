"""Who is asking."""

from dataclasses import dataclass
from typing import Self

from domain.errors import NotAllowed
from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.session import Session, SessionId
from domain.model.state import Entries
from domain.model.user import ADMIN, User, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    user_id: UserId | None
    """None only for the operator at the command line."""
    session_id: SessionId | None
    """None for the operator and for a program."""
    roles: frozenset[str]
    token_id: AccessTokenId | None = None
    """Of the token with which a program asks."""

    @classmethod
    def operator(cls) -> Self:
        """Whoever can run `gradioapp` on the machine: may do what an admin may, and owns no account."""
        return cls(user_id=None, session_id=None, roles=frozenset({ADMIN}))

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles

    def must_have(self, role: str) -> None:
        if role not in self.roles:
            raise NotAllowed

    def must_be_a_person(self) -> None:
        """Raises NotAllowed for a program: a leaked token must not make itself last longer (ASVS 6.3.4)."""
        if self.token_id is not None:
            raise NotAllowed("An access token may not do this. Sign in with a browser.")

    def must_be_or_administer(self, user_id: UserId) -> None:
        if self.user_id != user_id:
            self.must_have(ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A recognised session with its user and the session's data, as one request or event sees them. A program's token
    is one too."""

    user: User
    """With the roles that count here: a token may have fewer than its account."""
    session: Session
    data: Entries
    token: AccessToken | None = None
    """None where a person has signed in."""

    @property
    def caller(self) -> Caller:
        return Caller(
            user_id=self.user.id,
            session_id=self.session.id if self.token is None else None,
            roles=self.user.roles,
            token_id=None if self.token is None else self.token.id,
        )
