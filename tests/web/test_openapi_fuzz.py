"""Random requests of every caller to the JSON API get a documented response and never cause a fault."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.web.conftest import MakeDoor


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@pytest.mark.parametrize("caller", ["anonymous", "user", "admin", "program"])
def test_a_random_request_to_the_api_never_causes_a_fault(
    make_door: MakeDoor, loop: asyncio.AbstractEventLoop, caller: str
) -> None:
    from tests.web import fuzzing

    door = make_door()
    run = loop.run_until_complete
    run(door.has("user@example.org"))
    run(door.has("admin@example.org", "admin"))
    known = run(door.has("other@example.org", "admin")).id
    operations = fuzzing.operations_of(run(fuzzing.document_of(door)))
    assert len(operations) == 18

    seen: set[int] = set()
    for operation in operations:
        seen |= fuzzing.attempts(door, run, operation, caller, known=str(known))

    assert (caller == "anonymous") == seen.isdisjoint({200, 201, 204})
