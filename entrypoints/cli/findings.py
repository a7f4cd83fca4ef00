"""What `gradioapp check` prints: one finding a line."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    kind: Literal["ok", "note", "FAULT"]
    says: str


def ok(says: str) -> Finding:
    return Finding(kind="ok", says=says)


def note(says: str) -> Finding:
    """Return a finding that deserves a look, but may be meant."""
    return Finding(kind="note", says=says)


def fault(says: str) -> Finding:
    return Finding(kind="FAULT", says=says)
