"""Recognised sessions in the memory of this process, for a moment."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from domain.model.caller import SignedIn
from domain.model.session import SessionId
from domain.model.state import Entries
from domain.model.user import UserId
from domain.ports.session_cache import SessionCache
from domain.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    signed_in: SignedIn
    since: datetime


class MemorySessionCache(SessionCache):
    """Beyond `most_tokens` those used longest ago are forgotten."""

    def __init__(self, *, clock: Clock, keep: timedelta, most_tokens: int = 10_000) -> None:
        """`keep` zero keeps nothing."""
        self._clock = clock
        self._keep = keep
        self._most_tokens = most_tokens
        self._generation = 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._by_owner: defaultdict[UUID, set[str]] = defaultdict(set)
        """Tokens by the session they open and by the user they belong to."""
        self._lock = Lock()

    def find(self, token: str) -> SignedIn | None:
        now = self._clock.now()
        with self._lock:
            kept = self._kept.get(token)
            if kept is None:
                return None
            # A clock set back makes nothing last longer.
            if not timedelta(0) <= now - kept.since < self._keep:
                self._forget([token])
                return None
            self._kept.move_to_end(token)
            return kept.signed_in

    def generation(self) -> int:
        with self._lock:
            return self._generation

    def put(self, token: str, signed_in: SignedIn, *, generation: int) -> None:
        if self._keep <= timedelta(0):
            return
        now = self._clock.now()
        with self._lock:
            if generation != self._generation:
                return
            self._forget([token])
            self._kept[token] = _Kept(signed_in=signed_in, since=now)
            self._by_owner[signed_in.session.id].add(token)
            self._by_owner[signed_in.user.id].add(token)
            if len(self._kept) > self._most_tokens:
                self._forget([next(iter(self._kept))])

    def drop_sessions(self, session_ids: Sequence[SessionId]) -> None:
        if not session_ids:
            return
        with self._lock:
            self._generation += 1
            for session_id in session_ids:
                self._forget(self._by_owner.get(session_id, ()))

    def drop_user(self, user_id: UserId) -> None:
        with self._lock:
            self._generation += 1
            self._forget(self._by_owner.get(user_id, ()))

    def renew_data(self, session_id: SessionId, data: Entries) -> None:
        """A drop for those who asked the store meanwhile: what they put would be older than this."""
        with self._lock:
            self._generation += 1
            for token in self._by_owner.get(session_id, ()):
                kept = self._kept[token]
                self._kept[token] = replace(kept, signed_in=replace(kept.signed_in, data=data))

    def _forget(self, tokens: Iterable[str]) -> None:
        for token in list(tokens):
            kept = self._kept.pop(token, None)
            if kept is None:
                continue
            for owner in (kept.signed_in.session.id, kept.signed_in.user.id):
                self._by_owner[owner].discard(token)
                if not self._by_owner[owner]:
                    del self._by_owner[owner]
