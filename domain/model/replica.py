"""The processes that serve the same data together."""

from dataclasses import dataclass
from typing import NewType
from uuid import UUID

ReplicaId = NewType("ReplicaId", UUID)
"""A process gets a new one at each start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    id: ReplicaId
    url: str
    """The base address at which the other replicas reach it, such as `http://10.0.0.7:8090`. Never a public address."""
    beats: int = 0
    """Grows while the process runs. Other replicas watch whether it grows, and compare no clocks."""
    is_stopping: bool = False
    """True if it takes no further accounts."""
