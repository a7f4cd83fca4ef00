"""The values of updates are converted in a thread, and shown as a bare Gradio shows them."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import gradio as gr
import pytest

from tests.ui.conftest import Mounts, completed

FORMS: Final[dict[str, Callable[[gr.Number], Any]]] = {
    "a component": lambda _: gr.Number(value=7, label="New"),
    "gr.update": lambda _: gr.update(value=7, label="New"),
    "a dict by component": lambda number: {number: gr.Number(value=7, label="New")},
    "a plain value": lambda _: 7,
    "no value": lambda _: gr.Number(label="New"),
}


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Note the thread of each conversion of a number."""
    noted: list[threading.Thread] = []
    convert = gr.Number.postprocess

    def postprocess(self: gr.Number, value: Any) -> Any:
        if value is not None:  # Components are made without a value.
            noted.append(threading.current_thread())
        return convert(self, value)

    monkeypatch.setattr(gr.Number, "postprocess", postprocess)
    return noted


@pytest.mark.parametrize("form", FORMS)
async def test_an_update_is_converted_once_and_never_on_the_event_loop(
    form: str, mounted: Mounts, threads: list[threading.Thread]
) -> None:
    with gr.Blocks() as demo:
        number = gr.Number()
        gr.Button().click(lambda: FORMS[form](number), None, number, api_name="one")
    house = await mounted(demo)
    ada = await house.signed_in()
    threads.clear()

    [shown] = completed(await ada.runs("one"))["output"]["data"]

    assert threading.main_thread() not in threads
    assert len(threads) == (form != "no value")
    if form == "a plain value":
        assert shown == 7
    else:
        value = {} if form == "no value" else {"value": 7}
        assert shown == {"label": "New", "__type__": "update"} | value


async def test_the_properties_of_an_update_count_for_the_conversion_and_for_later_events(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        number = gr.Number()
        gr.Button().click(lambda: gr.Number(value=7.77, precision=1), None, number, api_name="set")
        gr.Button().click(lambda: 1.234, None, number, api_name="next")
    house = await mounted(demo)
    ada = await house.signed_in()

    tab = "tab"
    first = completed(await ada.told(await ada.start("set", tab=tab)))["output"]["data"]
    second = completed(await ada.told(await ada.start("next", tab=tab)))["output"]["data"]

    assert first[0]["value"] == 7.8
    assert second == [1.2]


async def test_updates_of_several_outputs_of_generators_and_of_batches_are_converted_in_threads(
    mounted: Mounts, threads: list[threading.Thread]
) -> None:
    def steps() -> Iterator[Any]:
        yield gr.Number(value=1), gr.update(visible=False)
        yield 2, gr.Textbox(value="two")

    with gr.Blocks() as demo:
        number, text = gr.Number(), gr.Textbox()
        go = gr.Button()
        go.click(steps, None, [number, text], api_name="steps")
        go.click(
            lambda values: [[gr.Number(value=value + 1) for value in values]],
            number,
            number,
            batch=True,
            api_name="batch",
        )
    house = await mounted(demo)
    ada = await house.signed_in()
    threads.clear()

    last = completed(await ada.runs("steps"))["output"]["data"]
    [batched] = completed(await ada.runs("batch", 4))["output"]["data"]

    assert (last[0], last[1]["value"]) == (2, "two")
    assert batched["value"] == 5
    assert len(threads) == 3
    assert threading.main_thread() not in threads


async def test_a_value_that_cannot_be_converted_fails_the_event(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        picture = gr.Image()
        gr.Button().click(lambda: gr.Image(value=7), None, picture, api_name="one")  # type: ignore[arg-type]
    house = await mounted(demo)
    ada = await house.signed_in()

    assert not completed(await ada.runs("one"))["success"]
