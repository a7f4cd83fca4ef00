"""Which sessions have an event that runs."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from domain.model.session import SessionId


@dataclass(frozen=True, slots=True)
class RunningEvents:
    """Counts running events per session: a session is not idle while one of its events runs."""

    _counts: Counter[SessionId] = field(default_factory=Counter)

    @contextmanager
    def one_of(self, session_id: SessionId) -> Iterator[None]:
        self._counts[session_id] += 1
        try:
            yield
        finally:
            self._counts[session_id] -= 1
            if not self._counts[session_id]:
                del self._counts[session_id]

    def sessions(self) -> Collection[SessionId]:
        return tuple(self._counts)
