"""Everything the service keeps, in the memory of this process: for tests, and for trying things out."""

from dataclasses import dataclass, field
from uuid import UUID

from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.file import FileClaim, FileKey
from domain.model.session import Session, SessionId
from domain.model.user import User, UserId
from domain.ports.unit_of_work import Store

Kept = dict[UUID, dict[str, tuple[str, int]]]
"""Per owner and key the value as JSON text, so that nobody holds a part of the store, and its version."""


@dataclass(slots=True, kw_only=True)
class Tables:
    """What is in a dict here is never changed once it is published: `copied` first, then publish the copy."""

    users: dict[UserId, User] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    session_data: Kept = field(default_factory=dict)
    access_tokens: dict[AccessTokenId, AccessToken] = field(default_factory=dict)
    token_data: Kept = field(default_factory=dict)
    account_state: Kept = field(default_factory=dict)
    files: dict[tuple[UserId, FileKey], FileClaim] = field(default_factory=dict)

    def copied(self) -> "Tables":
        """One level deep: the repositories replace what is deeper instead of changing it."""
        return Tables(
            users=dict(self.users),
            sessions=dict(self.sessions),
            session_data=dict(self.session_data),
            access_tokens=dict(self.access_tokens),
            token_data=dict(self.token_data),
            account_state=dict(self.account_state),
            files=dict(self.files),
        )


class MemoryStore(Store):
    def __init__(self) -> None:
        self.tables = Tables()

    async def ping(self) -> None:
        """It is here."""

    async def pending_migrations(self) -> tuple[str, ...]:
        return ()
