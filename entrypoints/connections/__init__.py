"""Limit how many connections a server of ours has open, and for how long a client may keep one without using it."""

from entrypoints.connections.limits import ConnectionLimits, between_replicas
from entrypoints.connections.table import (
    ACCEPTED_AT_ONCE,
    Connections,
    connections_of,
    files_allowed,
)

__all__ = [
    "ACCEPTED_AT_ONCE",
    "ConnectionLimits",
    "Connections",
    "between_replicas",
    "connections_of",
    "files_allowed",
]
