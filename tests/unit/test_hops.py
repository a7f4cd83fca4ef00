"""A request of another replica counts once, for ten seconds, and only as it was signed."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

import pytest

from adapters.security.signed_tokens import JwtCodec
from adapters.system.clock import StoppedClock
from domain.errors import SignedTokenRefused
from domain.model.replica import ReplicaId
from entrypoints.replicas.hops import HEADER, Hop, Hops

KEY: Final = "the key of the year is 32 bytes!"
OTHER_KEY: Final = "another key of exactly 32 bytes!"
HERE, THERE = ReplicaId(UUID(int=1)), ReplicaId(UUID(int=2))
SCOPE: Final[Mapping[str, Any]] = {
    "method": "POST",
    "raw_path": b"/gradio/app/gradio_api/queue/join",
    "query_string": b"a=1",
    "scheme": "https",
    "client": ("192.0.2.7", 4711),
    "headers": [],
}


def hops(this: ReplicaId, clock: StoppedClock, key: str = KEY) -> Hops:
    numbers = count()
    return Hops(
        codec=JwtCodec([key], clock),
        now=clock.now,
        new_secret=lambda: f"nonce-{next(numbers)}",
        this=this,
    )


def signed(clock: StoppedClock, *, to: ReplicaId = THERE, key: str = KEY) -> bytes:
    return hops(HERE, clock, key).sign(SCOPE, "an-id", to=to).encode()


def arriving(*tokens: bytes, **changes: Any) -> dict[str, Any]:
    return {**SCOPE, "headers": [(HEADER, token) for token in tokens], **changes}


def test_the_home_learns_what_the_other_replica_knows() -> None:
    clock = StoppedClock()

    hop = hops(THERE, clock).read(arriving(signed(clock)))

    assert hop == Hop(peer="192.0.2.7", port=4711, scheme="https", request_id="an-id")


def test_a_request_counts_once() -> None:
    clock = StoppedClock()
    there, request = hops(THERE, clock), arriving(signed(clock))
    there.read(request)

    with pytest.raises(SignedTokenRefused):
        there.read(request)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"raw_path": b"/gradio/app/gradio_api/queue/joi"},
        {"raw_path": b"/gradio/app/gradio_api/queue/join%61"},
        {"query_string": b""},
        {"query_string": b"a=2"},
    ],
)
def test_another_request_is_refused(change: Mapping[str, Any]) -> None:
    clock = StoppedClock()
    request = arriving(signed(clock), **change)

    with pytest.raises(SignedTokenRefused):
        hops(THERE, clock).read(request)


def test_a_request_for_another_replica_is_refused() -> None:
    clock = StoppedClock()

    with pytest.raises(SignedTokenRefused):
        hops(THERE, clock).read(arriving(signed(clock, to=HERE)))


def test_another_key_is_refused() -> None:
    clock = StoppedClock()

    with pytest.raises(SignedTokenRefused):
        hops(THERE, clock).read(arriving(signed(clock, key=OTHER_KEY)))


@pytest.mark.parametrize("tokens", [(), (b"",), (b"a.b.c",), (b"\xff",)])
def test_a_request_without_a_signature_is_refused(tokens: tuple[bytes, ...]) -> None:
    with pytest.raises(SignedTokenRefused):
        hops(THERE, StoppedClock()).read(arriving(*tokens))


def test_two_signatures_are_refused() -> None:
    clock = StoppedClock()

    with pytest.raises(SignedTokenRefused):
        hops(THERE, clock).read(arriving(signed(clock), signed(clock)))


def arrives_after(seconds: int) -> Hop:
    """Sign a request by one clock, and read it by another one that is so many seconds later."""
    clock = StoppedClock()
    there = StoppedClock(clock.now() + timedelta(seconds=seconds))
    return hops(THERE, there).read(arriving(signed(clock)))


@pytest.mark.parametrize("seconds", [-5, 0, 9])
def test_a_request_counts_for_ten_seconds_and_clocks_may_differ_by_five(seconds: int) -> None:
    arrives_after(seconds)


@pytest.mark.parametrize("seconds", [-6, 10])
def test_a_request_is_refused_later_or_long_before(seconds: int) -> None:
    with pytest.raises(SignedTokenRefused):
        arrives_after(seconds)


def test_spent_signatures_are_forgotten_when_they_have_expired() -> None:
    clock = StoppedClock()
    here, there = hops(HERE, clock), hops(THERE, clock)
    for _ in range(5):
        there.read(arriving(here.sign(SCOPE, "an-id", to=THERE).encode()))
    assert len(there._used) == 5

    clock.forward(timedelta(seconds=10))
    there.read(arriving(here.sign(SCOPE, "an-id", to=THERE).encode()))

    assert len(there._used) == 1
