"""A store in the memory of this process, for tests and for trying things out."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.file import FileClaim, FileKey
from domain.model.identity import Identity
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.model.provider_tokens import SealedTokens
from domain.model.replica import Replica, ReplicaId
from domain.model.session import Session, SessionId
from domain.model.user import User, UserId
from domain.ports.unit_of_work import ConnectionPool, Store

Kept = dict[UUID, dict[str, tuple[str, int]]]
"""By owner and key: the value as JSON text, so that nobody can change the stored value, and its version."""


@dataclass(slots=True, kw_only=True)
class Tables:
    """A snapshot of all tables. Never change the dicts of a published snapshot: change a copy from `copied`, then
    publish the copy."""

    users: dict[UserId, User] = field(default_factory=dict)
    identities: dict[tuple[str, str], Identity] = field(default_factory=dict)
    spent_logout_tokens: dict[bytes, datetime] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    provider_tokens: dict[SessionId, SealedTokens] = field(default_factory=dict)
    known_devices: dict[KnownDeviceId, KnownDevice] = field(default_factory=dict)
    session_data: Kept = field(default_factory=dict)
    access_tokens: dict[AccessTokenId, AccessToken] = field(default_factory=dict)
    token_data: Kept = field(default_factory=dict)
    account_state: Kept = field(default_factory=dict)
    files: dict[tuple[UserId, FileKey], FileClaim] = field(default_factory=dict)
    replicas: dict[ReplicaId, Replica] = field(default_factory=dict)
    homes: dict[UserId, ReplicaId] = field(default_factory=dict)
    event_times: dict[tuple[UserId, datetime], timedelta] = field(default_factory=dict)

    def copied(self) -> "Tables":
        """Copy one level deep: the repositories replace deeper values instead of changing them."""
        return Tables(
            users=dict(self.users),
            identities=dict(self.identities),
            spent_logout_tokens=dict(self.spent_logout_tokens),
            sessions=dict(self.sessions),
            provider_tokens=dict(self.provider_tokens),
            known_devices=dict(self.known_devices),
            session_data=dict(self.session_data),
            access_tokens=dict(self.access_tokens),
            token_data=dict(self.token_data),
            account_state=dict(self.account_state),
            files=dict(self.files),
            replicas=dict(self.replicas),
            homes=dict(self.homes),
            event_times=dict(self.event_times),
        )


class MemoryStore(Store, ConnectionPool):
    def __init__(self) -> None:
        self.tables = Tables()

    async def ping(self) -> None:
        """Return at once: memory is always available."""

    async def pending_migrations(self) -> tuple[str, ...]:
        return ()

    async def is_too_new(self) -> bool:
        return False

    def connections(self) -> None:
        """Return None: memory has no connections."""
