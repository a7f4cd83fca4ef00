"""The choice of the connection that is dropped for a new one. No server runs: a peer stands for a connection."""

import math
from dataclasses import dataclass, field

import pytest

from application.settings import load
from entrypoints.connections.table import MOST, Connections, connections_of, group_of
from entrypoints.web.proxies import Proxies


@dataclass(eq=False)
class Peer:
    group: str | None = "192.0.2.1"
    waiting: int = 0
    """Bytes that the client has not read."""
    has_read: int = 0
    """Bytes."""
    has_begun: bool = False
    """True if its response has begun, although `is_answered` was not called yet."""
    became: list[str] = field(default_factory=list)

    def is_unfinished(self) -> bool:
        return not self.waiting and not self.has_begun

    def unsent(self) -> int:
        return self.waiting

    def sent(self) -> int:
        return self.has_read

    def drop(self, why: str) -> None:
        self.became.append(f"dropped: {why}")

    def close(self, why: str) -> None:
        self.became.append(f"closed: {why}")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def table(clock: Clock, *, most: int = 3, per_group: int = 100) -> Connections:
    return Connections(most=most, per_group=per_group, stall=30, now=clock)


def test_the_oldest_connection_without_a_complete_header_is_dropped_at_the_cap(
    clock: Clock,
) -> None:
    connections = table(clock)
    peers = [Peer() for _ in range(4)]

    assert [connections.admit(peer) for peer in peers] == [True] * 4

    assert [bool(peer.became) for peer in peers] == [True, False, False, False]
    assert len(connections) == 3


def test_a_connection_whose_body_arrives_is_dropped_after_those_without_a_header(
    clock: Clock,
) -> None:
    connections = table(clock)
    uploading, half, new, newer = Peer(), Peer(), Peer(), Peer()
    answered = Peer()
    for peer in (answered, uploading, half):
        connections.admit(peer)
    connections.is_answered(answered)
    connections.arrives(uploading)

    connections.admit(new)
    connections.is_answered(new)
    connections.admit(newer)

    assert half.became == uploading.became == ["dropped: made_room"]
    assert answered.became == new.became == newer.became == []


def test_a_new_connection_is_refused_while_all_others_are_being_answered(clock: Clock) -> None:
    connections = table(clock)
    streaming, early, unread = Peer(), Peer(), Peer()
    for peer in (streaming, early, unread):
        connections.admit(peer)
    connections.is_answered(streaming)
    connections.arrives(early)
    early.has_begun = True  # Its response began before its body arrived.
    unread.waiting = 1  # Its response is complete, and not yet read.

    assert not connections.admit(Peer())

    assert streaming.became == early.became == unread.became == []
    assert len(connections) == 3


def test_an_idle_connection_is_dropped_for_a_new_one(clock: Clock) -> None:
    connections = table(clock, most=1)
    idle = Peer()
    connections.admit(idle)
    connections.is_answered(idle)
    connections.waits(idle)

    assert connections.admit(Peer())
    assert idle.became == ["dropped: made_room"]


def test_a_group_at_its_cap_drops_only_its_own_connections(clock: Clock) -> None:
    connections = table(clock, most=10, per_group=2)
    bob = Peer("198.51.100.7")
    ada = [Peer(), Peer()]
    for peer in (bob, *ada):
        connections.admit(peer)

    assert connections.admit(Peer())
    for peer in ada:
        connections.is_answered(peer)
    assert connections.admit(Peer())
    assert [bool(peer.became) for peer in (*ada, bob)] == [True, False, False]


def test_a_group_whose_connections_are_all_being_answered_gets_no_more(clock: Clock) -> None:
    connections = table(clock, most=10, per_group=1)
    ada = Peer()
    connections.admit(ada)
    connections.is_answered(ada)

    assert not connections.admit(Peer())
    assert connections.admit(Peer("198.51.100.7"))
    connections.is_gone(ada)
    assert connections.admit(Peer())


def test_connections_without_a_group_have_only_the_total_cap(clock: Clock) -> None:
    connections = table(clock, most=3, per_group=1)

    peers = [Peer(None) for _ in range(3)]

    assert all(connections.admit(peer) for peer in peers)
    assert not any(peer.became for peer in peers)


def test_the_oldest_unfinished_connections_are_dropped_when_no_file_is_left(clock: Clock) -> None:
    connections = table(clock, most=10, per_group=10)
    peers = [Peer() for _ in range(3)]
    for peer in peers:
        connections.admit(peer)
    connections.is_answered(peers[0])

    connections.free(1)
    connections.free(5)

    assert [bool(peer.became) for peer in peers] == [False, True, True]


def test_the_time_for_a_header_counts_from_the_start_of_the_wait(clock: Clock) -> None:
    connections = table(clock)
    half, answered, body = Peer(), Peer(), Peer()
    for peer in (half, answered, body):
        connections.admit(peer)
    connections.is_answered(answered)
    connections.arrives(body)

    clock.now += 29
    connections.waits(half)  # One more byte of the header.
    connections.close_stalled()
    assert half.became == []
    clock.now += 2
    connections.close_stalled()

    assert half.became == ["closed: no_request_in_time"]
    assert answered.became == body.became == []


def test_a_client_whose_reading_has_no_limit_is_not_dropped(clock: Clock) -> None:
    connections = Connections(most=3, per_group=3, stall=30, reading_stall=math.inf, now=clock)
    stopped, silent = Peer(waiting=1000), Peer()
    for peer in (stopped, silent):
        connections.admit(peer)
    connections.is_answered(stopped)

    for _ in range(8):
        connections.close_stalled()
        clock.now += 10

    assert stopped.became == []
    assert silent.became == ["closed: no_request_in_time"]


def test_a_client_that_reads_little_is_dropped_but_a_slow_one_is_not(clock: Clock) -> None:
    connections = table(clock, most=4)
    stopped, drop_by_drop, slow, done = (Peer(waiting=1000) for _ in range(4))
    for peer in (stopped, drop_by_drop, slow, done):
        connections.admit(peer)
        connections.is_answered(peer)

    for _ in range(8):
        connections.close_stalled()
        clock.now += 10
        drop_by_drop.has_read += 900
        slow.has_read += 10_000
        done.waiting = 0
    connections.close_stalled()

    assert stopped.became == drop_by_drop.became == ["dropped: response_not_read"]
    assert slow.became == done.became == []
    assert len(connections) == 2


def test_a_client_may_pause_again_after_it_has_read(clock: Clock) -> None:
    connections = table(clock)
    pausing = Peer(waiting=1000)
    connections.admit(pausing)
    connections.is_answered(pausing)

    for _ in range(5):
        connections.close_stalled()
        clock.now += 25
        connections.close_stalled()
        pausing.has_read += 30_000
        connections.close_stalled()

    assert pausing.became == []


def test_the_slowest_reader_makes_room_if_nothing_else_can(clock: Clock) -> None:
    connections = table(clock)
    slow, slower, fast, new, newer = (Peer(waiting=1000) for _ in range(5))
    for peer in (slow, slower, fast):
        connections.admit(peer)
        connections.is_answered(peer)
    connections.close_stalled()
    clock.now += 10
    slow.has_read, slower.has_read, fast.has_read = 50_000, 20_000, 200_000
    connections.close_stalled()

    assert connections.admit(new)
    connections.is_answered(new)
    assert connections.admit(newer)
    connections.is_answered(newer)
    assert not connections.admit(Peer())

    assert slower.became == slow.became == ["dropped: made_room"]
    assert fast.became == []


def test_a_closed_connection_is_neither_counted_nor_closed_again(clock: Clock) -> None:
    connections = table(clock)
    peer = Peer()
    connections.admit(peer)

    for _ in range(2):
        connections.is_gone(peer)
    connections.waits(peer)
    connections.arrives(peer)
    clock.now += 100
    connections.close_stalled()
    connections.free(1)

    assert len(connections) == 0
    assert peer.became == []


@pytest.mark.parametrize(
    ("files", "connections"),
    [(64, 32), (256, 128), (1024, 724), (20_000, MOST), (None, MOST)],
)
def test_the_cap_of_connections_leaves_files_for_other_uses(
    files: int | None, connections: int
) -> None:
    assert connections_of(files) == connections


@pytest.mark.parametrize(
    ("peer", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("10.1.2.3", None),
        ("::ffff:10.1.2.3", None),
        ("", None),
        ("/run/socket", "/run/socket"),
    ],
)
def test_a_group_is_an_address_or_an_ipv6_network_and_never_a_trusted_proxy(
    peer: str, group: str | None
) -> None:
    settings = load(env_file=None, environment="test", trusted_proxies="10.0.0.0/8")

    assert group_of(peer, Proxies(settings)) == group
