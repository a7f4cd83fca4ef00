"""Counts in the memory of this process."""

from collections import Counter
from collections.abc import Mapping

from domain.model.load import SignIn
from domain.ports.tally import Tally


class MemoryTally(Tally):
    def __init__(self) -> None:
        self._sign_ins: Counter[SignIn] = Counter()
        self._throttled = 0

    def add_sign_in(self, sign_in: SignIn) -> None:
        self._sign_ins[sign_in] += 1

    def add_throttled(self) -> None:
        self._throttled += 1

    def sign_ins(self) -> Mapping[SignIn, int]:
        return dict(self._sign_ins)

    def throttled(self) -> int:
        return self._throttled
