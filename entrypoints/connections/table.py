"""Limit the number of connections, and choose which one is closed to make room for a new one."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import chain
from typing import Final, Protocol

from entrypoints.connections.reading import Reader, Readers
from entrypoints.web.proxies import Proxies

try:
    import resource
except ImportError:  # pragma: no cover -- Windows, which has no such limit.
    resource = None  # type: ignore[assignment]

ACCEPTED_AT_ONCE: Final = 32
"""Connections that asyncio accepts in one iteration of its loop. The cap can be exceeded by four times as many, because
closed connections release their files three iterations later."""
KEPT_FREE: Final = 300
"""Files reserved for the database, the apps, the log and connections above the cap; at most half of all files."""
MOST: Final = 10_000
"""Maximum number of connections, even if the limit of open files is higher."""


def connections_of(files: int | None) -> int:
    """Return the cap on connections for a limit of open files. None means no limit."""
    return MOST if files is None else min(MOST, max(files // 2, files - KEPT_FREE))


def files_allowed() -> int | None:
    """Return the limit of open files of this process. None means no limit."""
    if resource is None:
        return None  # pragma: no cover
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files


class Connection(Reader, Protocol):
    group: str | None
    """Connections of one group share a cap: see `group_of`."""

    def is_unfinished(self) -> bool:
        """Return whether the connection can be closed without cutting off a response: no request is complete, and no
        response is unsent."""

    def drop(self, why: str) -> None:
        """Close the connection at once. Unsent bytes are lost."""

    def close(self, why: str) -> None:
        """Close the connection after all bytes are sent."""


class Connections:
    """The table of open connections. Each one waits for a request's header, receives a request's body, or is being
    answered. Connections in the first two states are closed to make room for new ones, the oldest first, and then those
    whose clients read their response slowly. No other connection is closed for a new one."""

    def __init__(
        self,
        *,
        most: int,
        per_group: int,
        stall: float,
        now: Callable[[], float],
        reading_stall: float | None = None,
    ) -> None:
        """`stall` is in seconds: the time limit for a header. `reading_stall` is the time for which a client may pause while
        it reads a response, by default the same."""
        self.most = most
        self.per_group = per_group
        self.stall = stall
        self._now = now
        self._open: set[Connection] = set()
        self._readers = Readers[Connection](stall=stall if reading_stall is None else reading_stall)
        self._groups: Counter[str] = Counter()
        self._waited_for: OrderedDict[Connection, float] = OrderedDict()
        """Connections that wait for a header, with the time at which the wait began, the oldest first."""
        self._arriving: OrderedDict[Connection, None] = OrderedDict()
        self.refused = 0
        """Connections that were refused and are not closed yet."""

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, new: Connection) -> bool:
        """Add a connection. If the cap is reached, close another one. Return False, without adding the new connection,
        if none can be closed."""
        if new.group is not None and self._groups[new.group] >= self.per_group:
            is_admitted = self._makes_room(new.group)
        else:
            is_admitted = len(self) < self.most or self._makes_room(None)
        if is_admitted:
            self._open.add(new)
            if new.group is not None:
                self._groups[new.group] += 1
            self.waits(new)
        return is_admitted

    def waits(self, one: Connection) -> None:
        """Record that the connection waits for a header, or for the rest of a body whose response is already
        complete."""
        self._arriving.pop(one, None)
        if one in self._open:
            self._waited_for.setdefault(one, self._now())

    def arrives(self, one: Connection) -> None:
        """Record that the header is complete and the body is not. The gate limits the time of bodies."""
        self._waited_for.pop(one, None)
        if one in self._open:
            self._arriving.setdefault(one)

    def is_answered(self, one: Connection) -> None:
        self._waited_for.pop(one, None)
        self._arriving.pop(one, None)

    def is_gone(self, one: Connection) -> None:
        self.is_answered(one)
        if one not in self._open:
            return
        self._open.remove(one)
        self._readers.forget(one)
        if one.group is not None:
            self._groups[one.group] -= 1
            if not self._groups[one.group]:
                del self._groups[one.group]

    def free(self, count: int) -> None:
        """Close up to `count` of the oldest unfinished connections. Called when the process has no free file, even
        below the cap."""
        for _ in range(count):
            if not self._makes_room(None):
                return

    def close_stalled(self) -> None:
        """Close the connections that have waited too long for a header, or for a client that hardly reads. To be called from
        time to time."""
        now = self._now()
        too_old = now - self.stall
        while self._waited_for:
            one, since = next(iter(self._waited_for.items()))
            if since > too_old:
                break
            del self._waited_for[one]
            one.close("no_request_in_time")
        for one in [one for one in self._open if not self._readers.look(one, now)]:
            self._drop(one, "response_not_read")

    def _makes_room(self, group: str | None) -> bool:
        for one in chain(self._unfinished(), self._readers.slow()):
            if group is None or one.group == group:
                self._drop(one, "made_room")
                return True
        return False

    def _unfinished(self) -> Iterator[Connection]:
        """Yield the unfinished connections: first those without a complete header, then those that receive a body, each
        the oldest first."""
        return (one for one in chain(self._waited_for, self._arriving) if one.is_unfinished())

    def _drop(self, one: Connection, why: str) -> None:
        self.is_gone(one)
        one.drop(why)


def group_of(peer: str, proxies: Proxies) -> str | None:
    """Return the group for the cap per address: the IPv4 address, or the /64 network of an IPv6 address, because one
    client owns all addresses of its /64. None for a trusted proxy, which has the connections of all clients, and for a
    peer without an address."""
    if not peer or proxies.is_trusted(peer):
        return None
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False))
