"""The app that is served during the faults."""

import time
from typing import Any

import gradio as gr

from gradioapp import State, current_session, injected


def writes(number: float, seconds: float, *, state: State = injected) -> float:
    """Write two keys of the account, which belong together."""
    state[f"left {number:g}"] = number
    time.sleep(seconds)
    state[f"right {number:g}"] = number
    return number


def notes(number: float, seconds: float) -> float:
    """Write two keys of the session, which belong together."""
    current_session().data[f"left {number:g}"] = number
    time.sleep(seconds)
    current_session().data[f"right {number:g}"] = number
    return number


def reads(*, state: State = injected) -> dict[str, Any]:
    return {"writes": dict(state), "notes": dict(current_session().data)}


with gr.Blocks(title="Chaos") as demo:
    number, seconds, out = gr.Number(), gr.Number(), gr.JSON()
    sent = [number, seconds]
    gr.Button().click(writes, sent, number, api_name="writes", queue=False)
    gr.Button().click(notes, sent, number, api_name="notes", queue=False)
    gr.Button().click(writes, sent, number, api_name="queued")
    gr.Button().click(reads, None, out, api_name="reads", queue=False)
