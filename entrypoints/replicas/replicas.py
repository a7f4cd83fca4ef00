"""The other replicas, as the gate sees them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from application.settings import Settings, SettingsInvalid
from application.use_cases import UseCases
from domain.errors import ReplicaGone, StoreUnavailable
from domain.model.replica import Replica, ReplicaId
from domain.model.user import UserId
from entrypoints.replicas.between import BetweenReplicas, Told
from entrypoints.replicas.forwarding import Forwarding
from entrypoints.replicas.homes import Homes, Peer
from entrypoints.replicas.hops import HOP, Codec, Hop, Hops
from entrypoints.replicas.listener import CannotListen, Limits, bound, listening, url_of

log = structlog.get_logger()


class Replicas:
    def __init__(self, *, url: str, homes: Homes, hops: Hops) -> None:
        """`url` is the setting REPLICA_URL."""
        self._url = url
        self._hops = hops
        self._forwarding: Forwarding | None = None
        self.homes = homes

    @classmethod
    def of(
        cls,
        settings: Settings,
        use_cases: UseCases,
        *,
        new_id: Callable[[], Any],
        new_secret: Callable[[], str],
        codec: Codec,
        now: Callable[[], datetime],
        has_events: Callable[[UserId], bool],
        is_in_use: Callable[[UserId], bool],
    ) -> Self | None:
        """Return None for a service without REPLICA_URL."""
        url = settings.replica_url
        if url is None:
            return None
        this = Replica(id=ReplicaId(new_id()), url=url)
        homes = Homes(
            this,
            beat=use_cases.beat,
            find_home=use_cases.find_home,
            release_homes=use_cases.release_homes,
            leave_replicas=use_cases.leave_replicas,
            has_events=has_events,
            is_in_use=is_in_use,
        )
        hops = Hops(codec=codec, now=now, new_secret=new_secret, this=this.id)
        return cls(url=url, homes=homes, hops=hops)

    async def hand_over(self) -> None:
        """Let the other replicas take all accounts. Returns when none is left here, or nobody can take them."""
        try:
            await self.homes.hand_over()
        except StoreUnavailable:
            log.warning("the other replicas take the accounts of this one when it has ended")

    @asynccontextmanager
    async def running(self, gate: ASGIApp, told: Told, limits: Limits) -> AsyncIterator[None]:
        """Listen for the other replicas, and be one of them, until the block ends. `told` is called with what
        `tell_home` of another replica says. Raises SettingsInvalid, StoreUnavailable."""
        try:
            listener = bound(self._url)
        except CannotListen as error:
            raise SettingsInvalid([f"GRADIOAPP_REPLICA_URL: cannot listen at {error}"]) from error
        self.homes.listens_at(url_of(self._url, listener))
        async with AsyncExitStack() as ending:
            self._forwarding = await ending.enter_async_context(Forwarding.opened(self._hops))
            ending.callback(self._end_forwarding)
            between = BetweenReplicas(gate=gate, hops=self._hops, told=told)
            await ending.enter_async_context(listening(between, listener, limits))
            await self.homes.beat()
            ending.push_async_callback(self.homes.leave)
            yield

    async def tell_home(self, user_id: UserId, said: Mapping[str, str], secret: str) -> None:
        """Tell the account's home something, unless it is this replica. `said` must have nothing that may not be in a
        log. Does not raise if the home does not respond."""
        try:
            peer = await self.homes.elsewhere(user_id)
            if peer is not None and self._forwarding is not None:
                await self._forwarding.tell(peer, said, secret)
        except (ReplicaGone, StoreUnavailable):
            log.warning("cannot tell the account's replica that another session has begun")

    def _end_forwarding(self) -> None:
        self._forwarding = None

    async def elsewhere(self, user_id: UserId, scope: Scope) -> "Elsewhere | None":
        """Return the replica that must respond to a request of the account; None if this one does. Raises ReplicaGone,
        StoreUnavailable."""
        if hop_of(scope) is not None:
            await self.homes.must_be_here(user_id)
            return None
        peer = await self.homes.elsewhere(user_id)
        if peer is None:
            return None
        if self._forwarding is None:  # This process is about to end.
            raise ReplicaGone
        return Elsewhere(peer=peer, forwarding=self._forwarding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Another replica, which responds to a request."""

    peer: Peer
    forwarding: Forwarding

    @property
    def name(self) -> str:
        return str(self.peer.replica.id)

    async def respond(
        self,
        request_id: str,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        has_body: bool,
        traceparent: str = "",
    ) -> None:
        """Send the request as it was received, and the response as it comes. `traceparent` is the span of the request in
        this process. Raises what Forwarding raises."""
        signature = self.forwarding.hops.sign(
            scope, request_id, to=self.peer.replica.id, traceparent=traceparent
        )
        await self.forwarding.send(self.peer, signature, scope, receive, send, has_body=has_body)


def hop_of(scope: Scope) -> Hop | None:
    """Return how a request came from another replica; None for a request of a client."""
    hop: Hop | None = scope.get("state", {}).get(HOP)
    return hop
