"""An example of a page: a stream of steps, in the name of who is signed in."""

import asyncio
from collections.abc import AsyncIterator

import gradio as gr

from entrypoints.ui.pages.theme import our_looks
from entrypoints.ui.sdk import Page, current_user


async def count_down(seconds: float) -> AsyncIterator[str]:
    """One line a second."""
    name = current_user().name
    for left in range(int(seconds), 0, -1):
        yield f"{left} … hold on, {name}"
        await asyncio.sleep(1)
    yield f"Lift-off, {name}!"


def build() -> Page:
    with gr.Blocks(title="Countdown", analytics_enabled=False) as demo:
        gr.Markdown(
            "# Countdown\nA page of its own: one file with `build() -> Page`, one name in `PAGES`."
        )
        seconds = gr.Slider(1, 60, value=10, step=1, label="Seconds")
        start = gr.Button("Start", variant="primary")
        said = gr.Textbox(label="Countdown", interactive=False)
        start.click(count_down, seconds, said, api_name="count_down", concurrency_limit=None)
    return Page(
        demo=demo,
        title="Countdown",
        description="Counts down in your name, one step a second. It shows how a page of this service is made.",
        looks=our_looks(),
        is_example=True,
    )
