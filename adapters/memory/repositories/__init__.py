"""Repositories over dictionaries. They pass the same contract tests as the SQL repositories."""

from adapters.memory.repositories.access_tokens import MemoryAccessTokens
from adapters.memory.repositories.event_times import MemoryEventTimes
from adapters.memory.repositories.files import MemoryFiles
from adapters.memory.repositories.identities import MemoryIdentities
from adapters.memory.repositories.known_devices import MemoryKnownDevices
from adapters.memory.repositories.provider_tokens import MemoryProviderTokens
from adapters.memory.repositories.replicas import MemoryReplicas
from adapters.memory.repositories.sessions import MemorySessions
from adapters.memory.repositories.state import (
    MemoryAccountState,
    MemorySessionData,
    MemoryTokenData,
)
from adapters.memory.repositories.transactions import MemoryTransaction
from adapters.memory.repositories.users import MemoryUsers

__all__ = [
    "MemoryAccessTokens",
    "MemoryAccountState",
    "MemoryEventTimes",
    "MemoryFiles",
    "MemoryIdentities",
    "MemoryKnownDevices",
    "MemoryProviderTokens",
    "MemoryReplicas",
    "MemorySessionData",
    "MemorySessions",
    "MemoryTokenData",
    "MemoryTransaction",
    "MemoryUsers",
]
