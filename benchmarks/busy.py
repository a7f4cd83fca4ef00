"""An app whose event keeps one core busy."""

import os

import gradio as gr

ROUNDS = 4_000_000
"""About 200 ms of a core, in pure Python: only one thread of a process runs at a time."""


def count(_: str) -> str:
    total = 0
    for number in range(ROUNDS):
        total += number
    return str(os.getpid())


with gr.Blocks(title="Busy", analytics_enabled=False) as demo:
    text, out = gr.Textbox(label="Text"), gr.Textbox(label="Out")
    gr.Button("Count").click(count, text, out, api_name="count", concurrency_limit=None)
