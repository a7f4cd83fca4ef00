"""What this process does at the moment, and what it has counted since it started."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Connections to the database."""

    in_use: int
    size: int
    """The largest number at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The kind of an attempt to sign in, or to confirm a session."""

    how: str
    """As in the audit lines, such as `password`."""
    outcome: str
    """`done`, or the name of the refusal, as in the audit lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    hashes_waiting: int
    """Passwords that wait for a thread to be hashed."""
    connections: Connections | None
    """None if the store has no connections."""
    redis: Literal["off", "ok", "degraded"]
    """As in `/readyz`; "off" without Redis."""
    sign_ins: Mapping[SignIn, int]
    throttled: int
    """Attempts that a rate limit has refused."""
