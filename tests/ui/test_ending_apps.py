"""Code of an app that would end the process ends only its event: the service has other apps and other people."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import gradio as gr
import pytest

from tests.ui.attacks import API, joins
from tests.ui.conftest import Mounts, completed


def exits(_: str) -> str:
    sys.exit(1)


async def exits_later(_: str) -> str:
    sys.exit(3)


def interrupts(_: str) -> str:
    raise KeyboardInterrupt


def exits_in_the_middle(_: str) -> Iterator[str]:
    yield "begun"
    sys.exit(4)


async def exits_in_the_middle_later(_: str) -> AsyncIterator[str]:
    yield "begun"
    sys.exit(5)


WAYS: Final = (
    exits,
    exits_later,
    interrupts,
    exits_in_the_middle,
    exits_in_the_middle_later,
)


def app_of(fn: Callable[..., Any], **options: Any) -> gr.Blocks:
    with gr.Blocks() as demo:
        text = gr.Textbox()
        gr.Button().click(fn, text, text, api_name="ends", **options)
        gr.Button().click(lambda: "still here", None, text, api_name="works")
    return demo  # type: ignore[no-any-return]


@pytest.mark.parametrize("fn", WAYS)
async def test_an_event_that_exits_fails_alone(
    fn: Callable[..., Any], mounted: Mounts, lines: list[Any]
) -> None:
    house = await mounted(app_of(fn))
    ada = await house.signed_in()

    await joins(ada, house, "ends", "a", tab="mine")
    ended = completed(await ada.told("mine"))

    assert not ended["success"]
    [line] = [line for line in lines if line.get("exc_info")]
    assert "SystemExit" in repr(line) or "KeyboardInterrupt" in repr(line)
    assert await ada.gets("works") == "still here"


async def test_an_event_that_exits_without_the_queue_fails_alone(mounted: Mounts) -> None:
    house = await mounted(app_of(exits, queue=False))
    ada = await house.signed_in()

    ended = await ada.http.post(f"{API}/run/ends", json={"data": ["a"]})

    assert ended.status_code == 500
    assert await ada.gets("works") == "still here"


async def test_a_batch_that_exits_fails_alone(mounted: Mounts) -> None:
    house = await mounted(app_of(exits, batch=True))
    ada = await house.signed_in()

    await joins(ada, house, "ends", "a", tab="mine")

    assert not completed(await ada.told("mine"))["success"]


async def test_a_queue_that_an_event_asks_for_keeps_the_one_of_the_service(
    mounted: Mounts, lines: list[Any]
) -> None:
    def queues(_: str) -> str:
        assert demo.queue(max_size=3) is demo
        return "done"

    demo = app_of(queues)
    house = await mounted(demo)
    ada = await house.signed_in()

    assert await ada.gets("ends", "a") == "done"
    assert await ada.gets("works") == "still here"
    assert [line for line in lines if "queue() does nothing" in line["event"]]


async def test_a_state_whose_callback_exits_hides_no_other_one(
    mounted: Mounts, lines: list[Any]
) -> None:
    gone: list[int] = []
    with gr.Blocks() as demo:
        first = gr.State(1, delete_callback=lambda _: sys.exit(1))
        second = gr.State(2, delete_callback=gone.append)
        gr.Button().click(lambda a, b: (a, b), [first, second], [first, second], api_name="keep")
    house = await mounted(demo)
    ada = await house.signed_in()
    await joins(ada, house, "keep", None, None, tab="mine")
    await ada.told("mine")

    await house.ends(ada)
    await house.pages.accounts.forget([ada.session.id] if ada.session else [])

    assert gone == [2]
    assert [line["fault"] for line in lines if "delete_callback" in line["event"]] == ["SystemExit"]
