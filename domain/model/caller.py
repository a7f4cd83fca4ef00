"""The caller of a use case."""

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
    """None for the operator and for a program with an access token."""
    roles: frozenset[str]
    token_id: AccessTokenId | None = None
    """The access token that a program sent; None for a person."""
    goes_on: bool = False
    """True for an event that an earlier session of the same browser has begun: it goes on as the next session, but
    without what that one has confirmed."""

    @classmethod
    def operator(cls) -> Self:
        """Return the caller for the command line: it has the rights of an admin and no account."""
        return cls(user_id=None, session_id=None, roles=frozenset({ADMIN}))

    @property
    def is_operator(self) -> bool:
        return self.user_id is None

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles

    def must_have(self, role: str) -> None:
        if role not in self.roles:
            raise NotAllowed

    def must_be_a_person(self) -> None:
        """Raises NotAllowed for a program: a leaked token must not be able to extend its own life (ASVS 6.3.4)."""
        if self.token_id is not None:
            raise NotAllowed("An access token may not do this. Sign in with a browser.")

    def account(self) -> UserId:
        """Return the caller's own account. Raises NotAllowed for the operator, who has none."""
        if self.user_id is None:
            raise NotAllowed
        return self.user_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A recognised session or access token with its user and the session's data, as one request or event sees them."""

    user: User
    """With the roles in force: an access token may have fewer roles than its account."""
    session: Session
    data: Entries
    token: AccessToken | None = None
    goes_on: bool = False
    """See Caller."""
    """None if a person has signed in."""

    @property
    def caller(self) -> Caller:
        return Caller(
            user_id=self.user.id,
            session_id=self.session.id if self.token is None else None,
            roles=self.user.roles,
            token_id=None if self.token is None else self.token.id,
            goes_on=self.goes_on,
        )
