"""Which connection goes for a new one, without a server: connections here are names that know whether they can go."""

from dataclasses import dataclass, field

import pytest

from application.settings import load
from entrypoints.cli.connections import MOST, Connections, connections_of, group_of
from entrypoints.web.proxies import Proxies


@dataclass(eq=False)
class Peer:
    group: str | None = "192.0.2.1"
    waiting: int = 0
    """Bytes it has not read."""
    has_begun: bool = False
    """Whether it is being answered, though nobody has said so yet."""
    became: list[str] = field(default_factory=list)

    def is_unfinished(self) -> bool:
        return not self.waiting and not self.has_begun

    def unsent(self) -> int:
        return self.waiting

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


def test_at_the_cap_the_oldest_without_a_whole_header_makes_room(clock: Clock) -> None:
    connections = table(clock)
    peers = [Peer() for _ in range(4)]

    assert [connections.admit(peer) for peer in peers] == [True] * 4

    assert [bool(peer.became) for peer in peers] == [True, False, False, False]
    assert len(connections) == 3


def test_whose_body_arrives_goes_after_those_without_a_header(clock: Clock) -> None:
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


def test_what_is_being_answered_makes_no_room_and_the_new_one_is_refused(clock: Clock) -> None:
    connections = table(clock)
    streaming, early, unread = Peer(), Peer(), Peer()
    for peer in (streaming, early, unread):
        connections.admit(peer)
    connections.is_answered(streaming)
    connections.arrives(early)
    early.has_begun = True  # Answered before its body is there.
    unread.waiting = 1  # Its response is complete, and not yet read.

    assert not connections.admit(Peer())

    assert streaming.became == early.became == unread.became == []
    assert len(connections) == 3


def test_between_two_requests_a_connection_makes_room(clock: Clock) -> None:
    connections = table(clock, most=1)
    idle = Peer()
    connections.admit(idle)
    connections.is_answered(idle)
    connections.waits(idle)

    assert connections.admit(Peer())
    assert idle.became == ["dropped: made_room"]


def test_one_group_makes_room_for_itself_and_takes_none_from_others(clock: Clock) -> None:
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


def test_a_group_whose_connections_are_all_answered_is_refused_one_more(clock: Clock) -> None:
    connections = table(clock, most=10, per_group=1)
    ada = Peer()
    connections.admit(ada)
    connections.is_answered(ada)

    assert not connections.admit(Peer())
    assert connections.admit(Peer("198.51.100.7"))
    connections.is_gone(ada)
    assert connections.admit(Peer())


def test_who_has_no_group_is_bounded_by_the_whole_alone(clock: Clock) -> None:
    connections = table(clock, most=3, per_group=1)

    peers = [Peer(None) for _ in range(3)]

    assert all(connections.admit(peer) for peer in peers)
    assert not any(peer.became for peer in peers)


def test_when_no_file_is_left_the_oldest_unfinished_go(clock: Clock) -> None:
    connections = table(clock, most=10, per_group=10)
    peers = [Peer() for _ in range(3)]
    for peer in peers:
        connections.admit(peer)
    connections.is_answered(peers[0])

    connections.free(1)
    connections.free(5)

    assert [bool(peer.became) for peer in peers] == [False, True, True]


def test_a_header_has_so_long_from_the_beginning_of_the_wait(clock: Clock) -> None:
    connections = table(clock)
    half, answered, body = Peer(), Peer(), Peer()
    for peer in (half, answered, body):
        connections.admit(peer)
    connections.is_answered(answered)
    connections.arrives(body)

    clock.now += 29
    connections.waits(half)  # One more byte of it.
    connections.close_stalled()
    assert half.became == []
    clock.now += 2
    connections.close_stalled()

    assert half.became == ["closed: no_request_in_time"]
    assert answered.became == body.became == []


def test_what_reads_nothing_for_so_long_is_dropped_and_what_reads_slowly_is_not(
    clock: Clock,
) -> None:
    connections = table(clock)
    stopped, slow = Peer(waiting=1000), Peer(waiting=1000)
    for peer in (stopped, slow):
        connections.admit(peer)
        connections.is_answered(peer)

    for _ in range(4):
        connections.close_stalled()
        clock.now += 20
        slow.waiting -= 1
    connections.close_stalled()

    assert stopped.became == ["dropped: response_not_read"]
    assert slow.became == []
    assert len(connections) == 1


def test_what_is_gone_is_neither_counted_nor_closed(clock: Clock) -> None:
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
def test_as_many_connections_as_leave_files_for_the_rest(
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
def test_a_group_is_an_address_or_a_network_of_ipv6_and_a_trusted_proxy_has_none(
    peer: str, group: str | None
) -> None:
    settings = load(env_file=None, environment="test", trusted_proxies="10.0.0.0/8")

    assert group_of(peer, Proxies(settings)) == group
