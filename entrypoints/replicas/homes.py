"""Find the home of an account: the replica that runs its events."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

import structlog

from application.use_cases import Beat, FindHome, LeaveReplicas, ReleaseHomes
from domain.errors import ReplicaGone, StoreUnavailable
from domain.model.replica import Replica, ReplicaId
from domain.model.user import UserId

BEAT_EVERY: Final = 1.0
"""Seconds between two beats of a replica."""
KNOWN_FOR: Final = 1.0
"""Seconds for which the home of an account at another replica is not asked for again."""
STOOD_STILL: Final = 3.0
"""Seconds without a beat after which this process asks whether the others still know it."""
FORGOTTEN_AFTER: Final = BEAT_EVERY + KNOWN_FOR + 0.5
"""Seconds after which no other replica takes one that stops for the home of an account, unless it asks the database."""
_LOOK_EVERY: Final = 0.01
"""Seconds between two looks for accounts that can leave: less than a program takes from one event to the next."""
UNUSED_FOR: Final = 3600.0
"""Seconds without a request after which an account without open pages may get another home."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Peer:
    """Another replica that runs."""

    replica: Replica
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has gone. Nobody waits for its responses then."""


class Homes:
    def __init__(
        self,
        this: Replica,
        *,
        beat: Beat,
        find_home: FindHome,
        release_homes: ReleaseHomes,
        leave_replicas: LeaveReplicas,
        has_events: Callable[[UserId], bool],
        is_in_use: Callable[[UserId], bool],
        now: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
    ) -> None:
        """`has_events` tells whether events of the account wait or run here, or have results that nobody has read;
        `is_in_use` also whether it has a page open. `now` returns seconds of a monotonic clock."""
        self._this = this
        self._beat = beat
        self._find_home = find_home
        self._release_homes = release_homes
        self._leave_replicas = leave_replicas
        self._has_events = has_events
        self._is_in_use = is_in_use
        self._now = now
        self._peers: dict[ReplicaId, Peer] = {}
        self._here: dict[UserId, float] = {}
        """The accounts whose home is here, and when each one was last used."""
        self._elsewhere: dict[UserId, tuple[Peer, float]] = {}
        """The accounts whose home is another replica, and until when that is not asked again."""
        self._using: Counter[UserId] = Counter()
        """Requests of each account that may begin an event here."""
        self._stops_since: float | None = None
        self._moving = asyncio.Lock()
        """Held while accounts come here or leave, so that none does both."""
        self._beaten_at = float("-inf")

    @property
    def this(self) -> ReplicaId:
        return self._this.id

    def listens_at(self, url: str) -> None:
        self._this = replace(self._this, url=url)

    async def elsewhere(
        self, user_id: UserId, *, otherwise: ReplicaId | None = None
    ) -> Peer | None:
        """Return the replica that runs the account's events, or None if this one does. `otherwise` takes an account
        without a home. Raises ReplicaGone, StoreUnavailable."""
        await self._notice_standstill()
        now = self._now()
        if user_id in self._here:
            self._here[user_id] = now
            return None
        peer, until = self._elsewhere.get(user_id, (None, 0.0))
        if peer is not None and until > now and not peer.gone.is_set():
            return peer
        return await self._find(user_id, otherwise or self._next_home(user_id))

    @contextmanager
    def used(self, user_id: UserId) -> Iterator[None]:
        """Keep an account whose home is here, until the block ends."""
        self._using[user_id] += 1
        try:
            yield
        finally:
            self._using[user_id] -= 1
            if not self._using[user_id]:
                del self._using[user_id]

    async def must_be_here(self, user_id: UserId) -> None:
        """Raises ReplicaGone if another replica runs the account's events: a request makes one hop at most."""
        self._elsewhere.pop(user_id, None)
        # If it has just left, it returns for this request.
        if await self.elsewhere(user_id, otherwise=self.this) is not None:
            raise ReplicaGone

    async def beat(self) -> None:
        """Show that this replica runs, and learn which others do. Raises StoreUnavailable."""
        self._beaten_at = self._now()
        beaten = await self._beat(self._this)
        if beaten.is_new:
            self._here.clear()
        running = {each.id: each for each in beaten.others}
        for replica_id in self._peers.keys() - running.keys():
            log.warning("a replica has gone", replica=str(replica_id))
            self._peers.pop(replica_id).gone.set()
        for replica_id, replica in running.items():
            known = self._peers.get(replica_id)
            gone = asyncio.Event() if known is None else known.gone
            self._peers[replica_id] = Peer(replica, gone)
        self._elsewhere = {u: kept for u, kept in self._elsewhere.items() if kept[1] > self._now()}

    async def release_unused(self) -> None:
        """Let other replicas take the accounts that are not in use here; while this one stops, also those whose pages
        are open. Raises StoreUnavailable."""
        if self._stops_since is not None:
            if self._now() - self._stops_since < FORGOTTEN_AFTER:
                return
            unused = [user for user in self._here if not self._is_busy(user)]
        else:
            before = self._now() - UNUSED_FOR
            unused = [
                user
                for user, used_at in self._here.items()
                if used_at < before and not self._is_in_use(user) and not self._is_busy(user)
            ]
        if unused:
            await self._release(unused)

    def stop(self) -> None:
        """Take no further accounts."""
        if self._stops_since is None:
            self._stops_since = self._now()
            self._this = replace(self._this, is_stopping=True)

    async def hand_over(self) -> None:
        """Let the other replicas take all accounts, each as soon as it is not busy here; until then, it goes on here.
        Return at once if no other replica stays. Raises StoreUnavailable."""
        self.stop()
        await self.beat()
        while self._here and any(not peer.replica.is_stopping for peer in self._peers.values()):
            await asyncio.sleep(_LOOK_EVERY)
            await self.release_unused()

    async def leave(self) -> None:
        """Tell the others that this replica ends."""
        self._here.clear()
        try:
            await self._leave_replicas(self.this)
        except StoreUnavailable:
            log.warning("the other replicas will notice in some seconds that this one has ended")

    def _is_busy(self, user_id: UserId) -> bool:
        return user_id in self._using or self._has_events(user_id)

    async def _find(self, user_id: UserId, otherwise: ReplicaId) -> Peer | None:
        async with self._moving:
            home = await self._find_home(user_id, otherwise=otherwise)
            if home == self.this:
                self._here[user_id] = self._now()
                return None
        if home not in self._peers:
            await self.beat()
        peer = self._peers.get(home)
        if peer is None:
            raise ReplicaGone
        if not peer.replica.is_stopping:  # Else the account may leave it at any moment.
            self._elsewhere[user_id] = peer, self._now() + KNOWN_FOR
        return peer

    def _next_home(self, user_id: UserId) -> ReplicaId:
        """Return the replica that takes an account without a home: this one, unless it stops."""
        others = [p.replica.id for p in self._peers.values() if not p.replica.is_stopping]
        if not self._this.is_stopping or not others:
            return self.this
        # Spread over the others.
        return min(others, key=lambda other: sha256(user_id.bytes + other.bytes).digest())

    async def _release(self, user_ids: Collection[UserId]) -> None:
        async with self._moving:
            for user_id in user_ids:
                self._here.pop(user_id, None)
            await self._release_homes(user_ids, of=self.this)

    async def _notice_standstill(self) -> None:
        """A process that stood still may have lost its accounts meanwhile."""
        if self._now() - self._beaten_at <= STOOD_STILL:
            return
        try:
            await self.beat()
        except StoreUnavailable:
            log.warning("cannot ask whether the other replicas know this one")
