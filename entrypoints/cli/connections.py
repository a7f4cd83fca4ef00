"""How many connections there may be, and which one has to go for a new one."""

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
"""Connections that asyncio accepts before it tells us of the first. The cap can be exceeded by four times as many, until
those that are closed for them have returned their files."""
KEPT_FREE: Final = 300
"""Files for the database, the apps, the log and what is accepted above the cap; half of all, where there are few."""
MOST: Final = 10_000
"""Connections, however many files the process may open."""


def connections_of(files: int | None) -> int:
    """How many connections a process may have that may open so many files; None is any number."""
    return MOST if files is None else min(MOST, max(files // 2, files - KEPT_FREE))


def files_allowed() -> int | None:
    """How many this process may open; None where nothing is said."""
    if resource is None:
        return None  # pragma: no cover
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files


class Connection(Protocol):
    group: str | None
    """Those of one group share a cap: see `group_of`."""

    def is_unfinished(self) -> bool:
        """Whether nothing is being answered on it: no request has arrived whole, or no byte of its response is left."""

    def unsent(self) -> int:
        """Bytes of responses that wait until the client reads."""

    def drop(self, why: str) -> None:
        """Closes it at once; what waits to be sent is lost."""

    def close(self, why: str) -> None:
        """Closes it once everything is sent."""


class Connections:
    """Each is waited for (no whole header yet, or between two requests), arriving (its body is), or being answered. The
    first two are unfinished and make room for new ones, the oldest first; what is being answered never does."""

    def __init__(
        self, *, most: int, per_group: int, stall: float, now: Callable[[], float]
    ) -> None:
        """`stall` is in seconds: how long a header may take, and a response stay unread."""
        self.most = most
        self.per_group = per_group
        self.stall = stall
        self._now = now
        self._unread: dict[Connection, tuple[int, float]] = {}
        """Every connection: the bytes that waited when they last changed, and when that was."""
        self._groups: Counter[str] = Counter()
        self._waited_for: OrderedDict[Connection, float] = OrderedDict()
        """Since when; the longest first."""
        self._arriving: OrderedDict[Connection, None] = OrderedDict()
        self.refused = 0
        """Those that were not admitted and are not closed yet."""

    def __len__(self) -> int:
        return len(self._unread)

    def admit(self, new: Connection) -> bool:
        """Makes room for it if there is none. False if there can be none: then it does not count."""
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
        """For a request's header, or for the rest of a body that nobody reads any more."""
        self._arriving.pop(one, None)
        if one in self._unread:
            self._waited_for.setdefault(one, self._now())

    def arrives(self, one: Connection) -> None:
        """Its header is there, its body is not. How long that may take is the gate's business."""
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
        """The process has no file left, whatever the cap: closes so many of the oldest that are unfinished."""
        for _ in range(count):
            if not self._makes_room(None):
                return

    def close_stalled(self) -> None:
        """Whatever waited too long: for a header, or for a client that does not read."""
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
        """The oldest first, and those before the others whose body has begun to arrive."""
        return (one for one in chain(self._waited_for, self._arriving) if one.is_unfinished())

    def _drop(self, one: Connection, why: str) -> None:
        self.is_gone(one)
        one.drop(why)


def group_of(peer: str, proxies: Proxies) -> str | None:
    """An IPv4 address, or the /64 of an IPv6 one, of which everybody has as many as they like. None for a trusted proxy,
    which has everybody's connections, and for who has no address."""
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
