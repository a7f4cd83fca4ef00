"""Acts within an event are recorded with the request that has started it."""

from typing import Any

import gradio as gr
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from domain.model.caller import Caller
from entrypoints.ui.calls.call import current_call
from tests.ui.conftest import GRADIO, Mounts


async def renames(name: str) -> str:
    call = current_call()
    user = await call.use_cases.rename_user(call.caller, call.signed_in.user.id, name)
    return user.name


async def test_an_act_in_a_queued_event_is_recorded_with_its_request(
    mounted: Mounts, lines: list[Any]
) -> None:
    with gr.Blocks() as demo:
        text = gr.Textbox()
        gr.Button().click(renames, text, text, api_name="renames")
    house = await mounted(demo)
    ada = await house.signed_in()
    assert ada.session
    assert "user_updated" not in str(lines)

    with capture_logs(processors=[merge_contextvars]) as captured:
        joined = await ada.http.post(
            f"{GRADIO}/gradio_api/queue/join",
            json={"data": ["Augusta"], "fn_index": 0, "session_hash": "mine"},
        )
        await ada.stream("mine")

    [line] = [line for line in captured if line["event"] == "user_updated"]
    assert line["by"] == line["of"] == str(ada.session.user_id)
    assert (line["session_id"], line["via"]) == (str(ada.session.id), "app")
    assert line["request_id"] == joined.headers["x-request-id"]
    assert line["address"] == "127.0.0.1"
    assert (
        await house.use_cases.get_user(Caller.operator(), ada.session.user_id)
    ).name == "Augusta"
