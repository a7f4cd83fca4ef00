"""Time and chance, each entering in one place."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    @abstractmethod
    def now(self) -> datetime:
        """UTC, time-zone aware."""


class IdGenerator(Protocol):
    @abstractmethod
    def new_id(self) -> UUID:
        """Unique; not secret."""

    @abstractmethod
    def new_secret(self) -> str:
        """256 random bits as URL-safe text of 43 characters (ASVS 7.2.3)."""
