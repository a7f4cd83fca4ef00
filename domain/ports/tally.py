"""Counts since the process started, for those who operate the service."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

from domain.model.load import SignIn


class Tally(Protocol):
    """No method waits, and none raises."""

    @abstractmethod
    def add_sign_in(self, sign_in: SignIn) -> None:
        """Count an attempt to sign in, or to confirm a session, that is done or refused."""

    @abstractmethod
    def add_throttled(self) -> None:
        """Count an attempt that a rate limit has refused."""

    @abstractmethod
    def sign_ins(self) -> Mapping[SignIn, int]:
        """Return how often each kind was counted."""

    @abstractmethod
    def throttled(self) -> int:
        """Return how many attempts rate limits have refused."""
