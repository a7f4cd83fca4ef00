"""Bounds the number of connections, and chooses which one is closed to make room for a new one."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import chain
from typing import Final, Protocol

from entrypoints.web.proxies import Proxies

try:
    import resource
except ImportError:  # pragma: no cover -- Windows, which has no such limit.
    resource = None  # type: ignore[assignment]

ACCEPTED_AT_ONCE: Final = 32
"""Connections that asyncio accepts in one turn of its loop. The cap can be exceeded by four times as many: the connections
that are closed for them return their files three turns later."""
KEPT_FREE: Final = 300
"""Files reserved for the database, the apps, the log and connections above the cap; half of all files where there are few."""
MOST: Final = 10_000
"""Connections at most, whatever the limit of open files is."""


def connections_of(files: int | None) -> int:
    """Derive the cap on connections from the limit of open files; None is no limit."""
    return MOST if files is None else min(MOST, max(files // 2, files - KEPT_FREE))


def files_allowed() -> int | None:
    """Read the limit of open files of this process; None is no limit."""
    if resource is None:
        return None  # pragma: no cover
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files


class Connection(Protocol):
    group: str | None
    """Connections of one group share a cap: see `group_of`."""

    def is_unfinished(self) -> bool:
        """Whether it can be closed without cutting a response: no request is complete, and no response waits to be read."""

    def unsent(self) -> int:
        """Count the bytes of responses that wait for the client to read."""

    def drop(self, why: str) -> None:
        """Close it at once; unsent bytes are lost."""

    def close(self, why: str) -> None:
        """Close it after all bytes are sent."""


class Connections:
    """The table of open connections. Each one waits for a request's header, receives a request's body, or is being
    answered. Connections in the first two states are closed to make room for new ones, the oldest first; a connection that
    is being answered is never closed for another."""

    def __init__(
        self, *, most: int, per_group: int, stall: float, now: Callable[[], float]
    ) -> None:
        """`stall` is in seconds: the time limit for a header, and for a client that reads nothing of its response."""
        self.most = most
        self.per_group = per_group
        self.stall = stall
        self._now = now
        self._unread: dict[Connection, tuple[int, float]] = {}
        """Every connection, with the number of unsent bytes and the time at which that number last changed."""
        self._groups: Counter[str] = Counter()
        self._waited_for: OrderedDict[Connection, float] = OrderedDict()
        """Connections that wait for a header, with the time at which the wait began, the oldest first."""
        self._arriving: OrderedDict[Connection, None] = OrderedDict()
        self.refused = 0
        """Connections that were refused and are not closed yet."""

    def __len__(self) -> int:
        return len(self._unread)

    def admit(self, new: Connection) -> bool:
        """Add a connection, and close another one if the cap is reached. False if none can be closed: the new one is not added."""
        if new.group is not None and self._groups[new.group] >= self.per_group:
            is_admitted = self._makes_room(new.group)
        else:
            is_admitted = len(self) < self.most or self._makes_room(None)
        if is_admitted:
            self._unread[new] = (0, self._now())
            if new.group is not None:
                self._groups[new.group] += 1
            self.waits(new)
        return is_admitted

    def waits(self, one: Connection) -> None:
        """Note that it waits for a header, or for the rest of a body that was answered before it was complete."""
        self._arriving.pop(one, None)
        if one in self._unread:
            self._waited_for.setdefault(one, self._now())

    def arrives(self, one: Connection) -> None:
        """Note that its header is complete and its body is not. The gate limits the time of bodies."""
        self._waited_for.pop(one, None)
        if one in self._unread:
            self._arriving.setdefault(one)

    def is_answered(self, one: Connection) -> None:
        self._waited_for.pop(one, None)
        self._arriving.pop(one, None)

    def is_gone(self, one: Connection) -> None:
        self.is_answered(one)
        if self._unread.pop(one, None) is not None and one.group is not None:
            self._groups[one.group] -= 1
            if not self._groups[one.group]:
                del self._groups[one.group]

    def free(self, count: int) -> None:
        """Close up to `count` of the oldest unfinished connections: the process has no file left, whatever the cap is."""
        for _ in range(count):
            if not self._makes_room(None):
                return

    def close_stalled(self) -> None:
        """Close the connections that have waited too long for a header, or for a client that does not read."""
        too_old = self._now() - self.stall
        while self._waited_for:
            one, since = next(iter(self._waited_for.items()))
            if since > too_old:
                break
            del self._waited_for[one]
            one.close("no_request_in_time")
        for one in [one for one in self._unread if self._has_stopped_reading(one, too_old)]:
            self._drop(one, "response_not_read")

    def _has_stopped_reading(self, one: Connection, too_old: float) -> bool:
        unsent, (before, since) = one.unsent(), self._unread[one]
        if unsent == before and unsent:
            return since <= too_old
        if unsent != before:
            self._unread[one] = (unsent, self._now())
        return False

    def _makes_room(self, group: str | None) -> bool:
        for one in self._unfinished():
            if group is None or one.group == group:
                self._drop(one, "made_room")
                return True
        return False

    def _unfinished(self) -> Iterator[Connection]:
        """The oldest first; connections without a complete header before those that are receiving a body."""
        return (one for one in chain(self._waited_for, self._arriving) if one.is_unfinished())

    def _drop(self, one: Connection, why: str) -> None:
        self.is_gone(one)
        one.drop(why)


def group_of(peer: str, proxies: Proxies) -> str | None:
    """Name what the cap per address counts: the IPv4 address, or the /64 network of an IPv6 address, since one client owns
    all addresses of its /64. None for a trusted proxy, which carries the connections of all clients, and for a peer without
    an address."""
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
