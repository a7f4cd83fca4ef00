"""The record of acts that concern security."""

from abc import abstractmethod
from typing import Protocol

from domain.model.audit import Entry


class AuditLog(Protocol):
    @abstractmethod
    def record(self, entry: Entry) -> None:
        """Record the entry with the request's id and the client's address. Never raises."""
