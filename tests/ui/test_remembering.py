"""The value of a remembered component is restored after a reload."""

from collections.abc import Callable
from typing import Any, Final

import gradio as gr
import pytest

from entrypoints.ui import Page
from gradioapp import remember
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed

API: Final = f"{GRADIO}/gradio_api"


def an_app(component: Callable[[], Any], **how: Any) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        remember(component(), **how)
    return demo


async def runs(browser: Browser, name: str, *data: Any) -> Any:
    number = next(n for n, fn in browser.demo.fns.items() if fn.name == name)
    body = {"data": data, "fn_index": number, "session_hash": "tab"}
    joined = await browser.http.post(f"{API}/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    last = completed(await browser.told("tab"))
    assert last["success"], last
    return last["output"]["data"]


async def opens(browser: Browser) -> Any:
    """Return the value that the component shows once the page has loaded."""
    [value] = await runs(browser, "restore")
    return value


NOTHING: Final = {"__type__": "update"}

COMPONENTS: Final[list[tuple[Callable[[], Any], Any]]] = [
    (lambda: gr.Textbox(label="It"), "hello"),
    (lambda: gr.Textbox(label="It"), ""),
    (lambda: gr.Number(label="It"), 4.5),
    (lambda: gr.Slider(0, 10, label="It"), 7),
    (lambda: gr.Checkbox(label="It"), True),
    (lambda: gr.CheckboxGroup(["a", "b"], label="It"), ["a", "b"]),
    (lambda: gr.Radio(["a", "b"], label="It"), "b"),
    (lambda: gr.Dropdown(["a", "b"], multiselect=True, label="It"), ["b"]),
    (lambda: gr.Code(label="It"), "x = 1"),
    (lambda: gr.ColorPicker(label="It"), "#ff0000"),
    (lambda: gr.Dataframe(label="It"), {"headers": ["a"], "data": [["1"]], "metadata": None}),
    (
        lambda: gr.Chatbot(label="It"),
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "hi"}],
                "metadata": None,
                "options": None,
            }
        ],
    ),
]


@pytest.mark.parametrize(("component", "value"), COMPONENTS)
async def test_a_value_is_restored_only_for_its_account(
    mounted: Mounts, component: Callable[[], Any], value: Any
) -> None:
    house = await mounted(an_app(component))
    laptop, phone = await house.signed_in(), await house.signed_in()
    bob = await house.signed_in("bob@example.org")
    assert await opens(laptop) == NOTHING

    await runs(laptop, "save", value)

    assert [await opens(laptop), await opens(phone)] == [value, value]
    assert await opens(bob) == NOTHING


async def test_a_value_of_the_session_ends_with_the_session(mounted: Mounts) -> None:
    house = await mounted(an_app(lambda: gr.Textbox(label="It"), scope="session"))
    laptop, phone = await house.signed_in(), await house.signed_in()

    await runs(laptop, "save", "hello")

    assert await opens(laptop) == "hello"
    assert await opens(phone) == NOTHING
    assert await house.kept(laptop) == {"remember:/gradio:It": "hello"}


async def test_components_with_one_name_in_two_apps_are_kept_apart(mounted: Mounts) -> None:
    def box() -> Any:
        return gr.Textbox(label="It")

    other = an_app(box)
    house: House = await mounted(an_app(box), others=[Page(demo=other, title="Other")])
    ada = await house.signed_in()

    await runs(ada, "save", "hello")

    number = next(n for n, fn in other.fns.items() if fn.name == "restore")
    told = await ada.http.post(
        f"{GRADIO}/other/gradio_api/run/x", json={"data": [], "fn_index": number}
    )
    assert told.json()["data"] == [NOTHING]


async def test_a_message_with_a_file_is_not_kept(mounted: Mounts) -> None:
    house = await mounted(an_app(lambda: gr.MultimodalTextbox(label="It")))
    ada = await house.signed_in()
    sent = await ada.http.post(f"{API}/upload", files={"files": ("note.txt", b"hi")})
    [path] = sent.json()
    message = {"text": "see", "files": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}

    await runs(ada, "save", message)

    assert await opens(ada) == NOTHING


async def test_a_component_that_cannot_be_remembered_is_refused_with_the_reason() -> None:
    with gr.Blocks():
        with pytest.raises(ValueError, match="is a file"):
            remember(gr.Image(label="Picture"))
        with pytest.raises(ValueError, match="neither a label nor an elem_id"):
            remember(gr.Textbox())
        remember(gr.Textbox(label="Name"))
        with pytest.raises(ValueError, match="Two components are remembered as 'Name'"):
            remember(gr.Textbox(label="Name"))
        remember(gr.Textbox(label="Name"), key="other")
    with pytest.raises(ValueError, match=r"inside `with gr\.Blocks\(\)`"):
        remember(gr.Textbox(label="Name"))


async def test_remembered_components_are_left_out_of_the_description(mounted: Mounts) -> None:
    house = await mounted(an_app(lambda: gr.Textbox(label="It")))
    ada = await house.signed_in()

    info = (await ada.http.get(f"{API}/info")).json()

    assert info["named_endpoints"] == {}


async def test_several_components_are_remembered_by_one_call(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        remember(gr.Textbox(label="One"), gr.Number(label="Two"))
    ada = await (await mounted(demo)).signed_in()
    saves = [number for number, fn in demo.fns.items() if fn.name == "save"]
    restores = [number for number, fn in demo.fns.items() if fn.name == "restore"]

    async def at(number: int, *data: Any) -> Any:
        body = {"data": data, "fn_index": number, "session_hash": "tab"}
        await ada.http.post(f"{API}/queue/join", json=body)
        return completed(await ada.told("tab"))["output"]["data"]

    for number, value in zip(saves, ("a", 2), strict=True):
        await at(number, value)

    assert [await at(number) for number in restores] == [["a"], [2]]


async def test_one_key_for_several_components_is_refused() -> None:
    with gr.Blocks(), pytest.raises(ValueError, match="Call remember\\(\\) once for each"):
        remember(gr.Textbox(label="One"), gr.Textbox(label="Two"), key="both")
