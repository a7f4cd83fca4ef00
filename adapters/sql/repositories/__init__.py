"""Repositories over SQL, the same for SQLite and PostgreSQL: one statement per method if possible. Statements that run
for every event are built once, because building takes as long as running."""

from adapters.sql.repositories.access_tokens import SqlAccessTokens
from adapters.sql.repositories.event_times import SqlEventTimes
from adapters.sql.repositories.files import SqlFiles
from adapters.sql.repositories.identities import SqlIdentities
from adapters.sql.repositories.known_devices import SqlKnownDevices
from adapters.sql.repositories.provider_tokens import SqlProviderTokens
from adapters.sql.repositories.replicas import SqlReplicas
from adapters.sql.repositories.sessions import SqlSessions
from adapters.sql.repositories.state import SqlAccountState, SqlSessionData, SqlTokenData
from adapters.sql.repositories.users import SqlUsers

__all__ = [
    "SqlAccessTokens",
    "SqlAccountState",
    "SqlEventTimes",
    "SqlFiles",
    "SqlIdentities",
    "SqlKnownDevices",
    "SqlProviderTokens",
    "SqlReplicas",
    "SqlSessionData",
    "SqlSessions",
    "SqlTokenData",
    "SqlUsers",
]
