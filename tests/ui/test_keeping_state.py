"""State per account in an author's callback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import gradio as gr
import pytest

from domain.errors import StateInvalid
from domain.model.caller import Caller
from domain.model.state import LARGEST_VALUE
from entrypoints.ui.calls.kept_values import State as Values
from gradioapp import State, injected
from tests.ui.conftest import Browser, House, Mounts, completed

BOB: Final = "bob@example.org"


def an_app(fn: Callable[..., Any], *, takes: int = 0, **event: Any) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        inputs = [gr.Textbox() for _ in range(takes)]
        gr.Button().click(fn, inputs, gr.Textbox(), api_name="fn", **event)
    return demo


async def stored(house: House, browser: Browser) -> dict[str, Any]:
    assert browser.session is not None
    caller = Caller(
        user_id=browser.session.user_id, session_id=browser.session.id, roles=frozenset()
    )
    return {k: e.value for k, e in (await house.use_cases.read_account_state(caller)).items()}


async def test_state_is_shared_by_the_devices_of_an_account_and_by_nobody_else(
    mounted: Mounts,
) -> None:
    def fn(*, state: State = injected) -> str:
        state["runs"] = state.get("runs", 0) + 1
        return str(state["runs"])

    house = await mounted(an_app(fn))
    laptop, phone = await house.signed_in(), await house.signed_in()
    bob = await house.signed_in(BOB)

    assert [await laptop.gets("fn"), await phone.gets("fn"), await bob.gets("fn")] == [
        "1",
        "2",
        "1",
    ]
    assert await stored(house, laptop) == {"runs": 2}


async def test_writes_of_two_tabs_to_different_keys_are_both_kept(mounted: Mounts) -> None:
    has_begun, other_is_done = asyncio.Event(), asyncio.Event()

    async def fn(key: str, *, state: State = injected) -> None:
        state[key] = "here"
        if key == "slow":
            has_begun.set()
            await other_is_done.wait()

    house = await mounted(an_app(fn, takes=1, concurrency_limit=None))
    ada = await house.signed_in()

    slow = asyncio.create_task(ada.gets("fn", "slow"))
    await has_begun.wait()
    await ada.gets("fn", "quick")
    other_is_done.set()
    await slow

    assert await stored(house, ada) == {"slow": "here", "quick": "here"}


@pytest.mark.asvs("15.4.2")
async def test_concurrent_updates_are_never_lost(mounted: Mounts) -> None:
    has_begun = asyncio.Event()
    waiting: list[int] = []

    async def fn(*, state: State = injected) -> str:
        provisional = state.update("runs", lambda runs: (runs or 0) + 1)
        waiting.append(provisional)
        if len(waiting) == 20:
            has_begun.set()
        await has_begun.wait()
        return str(provisional)

    house = await mounted(an_app(fn, concurrency_limit=None))
    ada = await house.signed_in()

    await asyncio.gather(*(ada.gets("fn") for _ in range(20)))

    assert waiting == [1] * 20
    assert await stored(house, ada) == {"runs": 20}


async def test_a_callback_that_raises_keeps_no_state(mounted: Mounts) -> None:
    def fn(word: str, *, state: State = injected) -> None:
        state["word"] = word
        state.update("runs", lambda runs: (runs or 0) + 1)
        if word == "bad":
            raise ValueError(word)

    house = await mounted(an_app(fn, takes=1))
    ada = await house.signed_in()

    await ada.gets("fn", "good")
    await ada.runs("fn", "bad")

    assert await stored(house, ada) == {"word": "good", "runs": 1}


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_generator_keeps_each_step_up_to_the_one_that_raises(
    mounted: Mounts, *, is_async: bool
) -> None:
    def fn(*, state: State = injected) -> Iterator[int]:
        for number in range(3):
            state["step"] = number
            state.update("all", lambda kept: (kept or 0) + 1)
            if number == 2:
                raise ValueError
            yield number

    async def async_fn(*, state: State = injected) -> AsyncIterator[int]:
        for number in fn(state=state):
            yield number

    house = await mounted(an_app(async_fn if is_async else fn))
    ada = await house.signed_in()

    await ada.runs("fn")

    assert await stored(house, ada) == {"step": 1, "all": 2}


async def test_removals_and_changes_inside_a_value_are_kept(mounted: Mounts) -> None:
    def fn(*, state: State = injected) -> None:
        if "old" in state:
            del state["old"]
            state["list"].append(2)
        else:
            state.update({"old": 1, "list": [1]})

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    await ada.gets("fn")
    await ada.gets("fn")

    assert await stored(house, ada) == {"list": [1, 2]}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (object(), "is not JSON"),
        ({1: "x"}, "has a key that is not text"),
        (float("nan"), "is not JSON"),
        ("x" * LARGEST_VALUE, "the limit is"),
    ],
)
async def test_a_value_that_cannot_be_kept_is_refused_at_the_line_that_sets_it(
    mounted: Mounts, value: Any, says: str
) -> None:
    lines: list[str] = []

    def fn(*, state: State = injected) -> None:
        state["before"] = 1
        lines.append("before")
        state["thing"] = value
        lines.append("after")

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    said = completed(await ada.runs("fn"))["output"]

    assert (said["title"], lines) == ("Cannot be saved", ["before"])
    assert says in said["error"]
    assert await stored(house, ada) == {}


async def test_a_callback_without_state_does_not_read_it(mounted: Mounts) -> None:
    def fn() -> str:
        return "x"

    house = await mounted(an_app(fn))
    ada = await house.signed_in()
    house.container.use_cases().read_account_state  # noqa: B018 -- Made before it is replaced.
    reads: list[Caller] = []

    class Counted:
        async def __call__(self, caller: Caller) -> dict[str, Any]:
            reads.append(caller)
            return {}

    object.__setattr__(house.use_cases, "read_account_state", Counted())

    assert await ada.gets("fn") == "x"
    assert reads == []


# Without an app


def test_a_value_that_is_set_after_an_update_is_written() -> None:
    state = Values({"a": 1, "b": 1, "c": [1]})

    state.update("a", lambda kept: kept + 1)
    state["a"] = 10
    state["b"] = 5
    state.update("b", lambda kept: kept + 1)
    state.update("c", lambda kept: [*kept, 2])
    state["c"].append(3)

    assert state.updates() == {}
    assert state.changes() == {"a": 10, "b": 6, "c": [1, 2, 3]}


def test_updates_of_one_key_are_applied_in_order() -> None:
    state = Values({})

    assert [state.update("n", lambda n: (n or 0) + 1) for _ in range(3)] == [1, 2, 3]

    [(key, functions)] = state.updates().items()
    value: Any = 40
    for function in functions:
        value = function(value)
    assert (key, value, state.changes()) == ("n", 43, {})


def test_an_update_to_a_value_that_cannot_be_kept_is_refused() -> None:
    state = Values({})

    with pytest.raises(StateInvalid, match="is not JSON"):
        state.update("n", lambda _: object())
    assert (dict(state), state.updates(), state.changes()) == ({}, {}, {})
