"""A cache of recognised sessions in the memory of this process. It tells other replicas what has changed."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from uuid import UUID

from adapters.memory.news import NoNews
from domain.model.caller import SignedIn
from domain.model.session import SessionId
from domain.model.state import Entries
from domain.model.user import UserId
from domain.ports.replicas import Changes, ReplicaNews
from domain.ports.session_cache import Lookup, SessionCache, Ticket
from domain.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    signed_in: SignedIn
    since: datetime


class MemorySessionCache(SessionCache):
    """Above `most_tokens`, the least recently used entries are dropped."""

    def __init__(
        self,
        *,
        clock: Clock,
        keep: timedelta,
        news: ReplicaNews | None = None,
        most_tokens: int = 10_000,
    ) -> None:
        """A `keep` of zero turns the cache off. Without `news`, other replicas hear of no change."""
        self._news = news or NoNews()
        self._news.listen(self._drop, self._drop_all)
        self._clock = clock
        self._keep = keep
        self._most_tokens = most_tokens
        self._changes = 0
        self._last_change: OrderedDict[UUID, int] = OrderedDict()
        """Number of the last change of each session and user, the oldest change first."""
        self._forgotten_change = 0
        """Number of the latest change that was dropped from `_last_change`; sessions and users that are not in it count
        as changed then."""
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._by_owner: defaultdict[UUID, set[str]] = defaultdict(set)
        """Tokens by session and by user."""
        self._lock = Lock()

    def look_up(self, token: str) -> Lookup:
        now = self._clock.now()
        with self._lock:
            return Lookup(token=token, found=self._find(token, now), ticket=Ticket(self._changes))

    def put(self, signed_in: SignedIn, *, after: Lookup) -> None:
        if self._keep <= timedelta(0):
            return
        now = self._clock.now()
        owners = signed_in.session.id, signed_in.user.id
        with self._lock:
            if any(self._has_changed(owner, after.ticket) for owner in owners):
                return
            self._forget([after.token])
            self._kept[after.token] = _Kept(signed_in=signed_in, since=now)
            for owner in owners:
                self._by_owner[owner].add(after.token)
            if len(self._kept) > self._most_tokens:
                self._forget([next(iter(self._kept))])

    def ticket(self) -> Ticket:
        with self._lock:
            return Ticket(self._changes)

    def drop_sessions(self, session_ids: Sequence[SessionId]) -> None:
        self._drop(Changes(sessions=frozenset(session_ids)))
        self._news.tell(sessions=session_ids)

    def drop_user(self, user_id: UserId) -> None:
        self._drop(Changes(users=frozenset([user_id])))
        self._news.tell(users=[user_id])

    def renew_data(self, session_id: SessionId, data: Entries, *, ticket: Ticket) -> None:
        with self._lock:
            if self._has_changed(session_id, ticket):
                self._forget(self._by_owner.get(session_id, ()))
            self._note_change(session_id)
            self._replace(session_id, data=data)
        self._news.tell(sessions=[session_id])

    def renew_touched(self, touched: SignedIn) -> None:
        session = touched.session
        with self._lock:
            self._note_change(session.id)
            self._replace(session.id, session=session, token=touched.token)

    def _drop(self, changes: Changes) -> None:
        with self._lock:
            for owner in (*changes.sessions, *changes.users):
                self._note_change(owner)
                self._forget(self._by_owner.get(owner, ()))

    def _drop_all(self) -> None:
        """Something may have changed unheard."""
        with self._lock:
            self._changes += 1
            self._forgotten_change = self._changes
            self._last_change.clear()
            self._forget(self._kept)

    def _find(self, token: str, now: datetime) -> SignedIn | None:
        kept = self._kept.get(token)
        if kept is None:
            return None
        # Entries must not live longer when the clock is set back.
        if not timedelta(0) <= now - kept.since < self._keep:
            self._forget([token])
            return None
        self._kept.move_to_end(token)
        return kept.signed_in

    def _has_changed(self, owner: UUID, since: Ticket) -> bool:
        return self._last_change.get(owner, self._forgotten_change) > since

    def _note_change(self, owner: UUID) -> None:
        self._changes += 1
        self._last_change[owner] = self._changes
        self._last_change.move_to_end(owner)
        if len(self._last_change) > self._most_tokens:
            _, self._forgotten_change = self._last_change.popitem(last=False)

    def _replace(self, session_id: SessionId, **parts: Any) -> None:
        for token in self._by_owner.get(session_id, ()):
            kept = self._kept[token]
            self._kept[token] = replace(kept, signed_in=replace(kept.signed_in, **parts))

    def _forget(self, tokens: Iterable[str]) -> None:
        for token in list(tokens):
            kept = self._kept.pop(token, None)
            if kept is None:
                continue
            for owner in (kept.signed_in.session.id, kept.signed_in.user.id):
                self._by_owner[owner].discard(token)
                if not self._by_owner[owner]:
                    del self._by_owner[owner]
