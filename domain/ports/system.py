"""Time and randomness."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    @abstractmethod
    def now(self) -> datetime:
        """Return the time in UTC, time-zone aware."""


class IdGenerator(Protocol):
    @abstractmethod
    def new_id(self) -> UUID:
        """Return a unique id; it is not secret."""

    @abstractmethod
    def new_secret(self) -> str:
        """Return 256 random bits as URL-safe text of 43 characters (ASVS 7.2.3)."""
