"""Answers that come bit by bit, with progress, and can be stopped."""

import time
from collections.abc import AsyncIterator, Iterator

import gradio as gr


def steps(count: float, progress: gr.Progress = gr.Progress()) -> Iterator[str]:  # noqa: B008 -- Gradio's way.
    for step in progress.tqdm(range(int(count)), desc="Stepping"):
        yield f"step {step}"


async def endless() -> AsyncIterator[str]:
    import asyncio

    for number in range(10_000):
        yield f"number {number}"
        await asyncio.sleep(0.05)


with gr.Blocks() as demo:
    count = gr.Number(3, label="Count")
    out = gr.Textbox(label="Now")
    gr.Button("Step").click(steps, count, out, api_name="steps")
    running = gr.Button("Run").click(endless, outputs=out, api_name="endless")
    # Gradio asks for the stop's own event before it cancels, so a last number may still come after it.
    said = gr.Textbox(label="Said")
    gr.Button("Stop").click(lambda: f"stopped at {time.time():.0f}", outputs=said, cancels=running)

if __name__ == "__main__":
    demo.queue(max_size=20).launch()
