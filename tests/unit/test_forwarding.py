"""What a replica does with the response of another one."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from adapters.system.clock import StoppedClock
from domain.errors import ReplicaGone
from entrypoints.replicas.between import BetweenReplicas
from entrypoints.replicas.forwarding import Forwarding
from entrypoints.replicas.hops import HEADER, Hops, target_of
from tests.unit.test_hops import HERE, SCOPE, THERE, hops

OTHER_KEY = "another key of at least 32 characters"


async def service(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"x-own", b"yes")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"done"})


async def forwarded(here: Hops, there: Hops) -> list[Message]:
    """Send a request on to another replica, and return what the client gets."""
    between = BetweenReplicas(gate=service, hops=there, told=lambda said, secret: None)
    got: list[Message] = []

    async def send(message: Message) -> None:
        got.append(message)

    transport = httpx.ASGITransport(between)
    async with httpx.AsyncClient(transport=transport) as client:
        forwarding = Forwarding(client=client, hops=here)
        scope: dict[str, Any] = {**SCOPE, "method": "GET", "headers": []}
        await forwarding._exchange(
            client.build_request(
                "GET",
                f"http://127.0.0.1:1{target_of(scope).decode()}",
                headers={HEADER.decode(): here.sign(scope, "an-id", to=THERE)},
            ),
            send,
        )
    return got


async def test_the_response_of_the_home_is_passed_on() -> None:
    clock = StoppedClock()

    start, *body = await forwarded(hops(HERE, clock), hops(THERE, clock))

    assert start["status"] == 200
    assert (b"x-own", b"yes") in start["headers"]
    assert b"".join(message["body"] for message in body) == b"done"


@pytest.mark.parametrize("differs", ["key", "clock"])
async def test_a_home_that_refuses_the_hop_counts_as_gone(differs: str) -> None:
    clock, later = StoppedClock(), StoppedClock()
    if differs == "clock":
        later.forward(timedelta(seconds=60))
    there = hops(THERE, later, OTHER_KEY) if differs == "key" else hops(THERE, later)

    with pytest.raises(ReplicaGone):
        await forwarded(hops(HERE, clock), there)
