"""Random requests to our forms, with random cookies, tokens and returns from a provider, cause no fault and let nobody in."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.web.houses import House

CALLERS = ("anonymous", "user", "admin")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@pytest.mark.parametrize("caller", CALLERS)
def test_a_random_request_to_our_forms_causes_no_fault_and_lets_nobody_in(
    house: House, loop: asyncio.AbstractEventLoop, caller: str
) -> None:
    from tests.web import fuzzing_forms

    run = loop.run_until_complete
    run(house.door.has("user@example.org"))
    run(house.door.has("admin@example.org", "admin"))
    run(house.door.has("ada@example.org", "admin"))
    operations = fuzzing_forms.operations()
    assert len(operations) == 14

    attempts = fuzzing_forms.Attempts(house, caller)
    share = fuzzing_forms.SECONDS / len(CALLERS) / len(operations)
    for operation in operations:
        attempts.of(operation, run, seconds=share)

    assert {200, 303, 401, 403} <= attempts.seen
