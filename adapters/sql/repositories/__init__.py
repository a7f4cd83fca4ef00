"""The repositories over SQL: one statement each where that is possible, the same for SQLite and PostgreSQL. What runs for
every event is put together once, which takes as long as to run it."""

from adapters.sql.repositories.access_tokens import SqlAccessTokens
from adapters.sql.repositories.files import SqlFiles
from adapters.sql.repositories.sessions import SqlSessions
from adapters.sql.repositories.state import SqlAccountState, SqlSessionData, SqlTokenData
from adapters.sql.repositories.users import SqlUsers

__all__ = [
    "SqlAccessTokens",
    "SqlAccountState",
    "SqlFiles",
    "SqlSessionData",
    "SqlSessions",
    "SqlTokenData",
    "SqlUsers",
]
