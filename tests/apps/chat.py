"""Two chats: one that answers bit by bit, and one that takes files."""

from collections.abc import Iterator
from typing import Any

import gradio as gr


def echo(message: str, history: list[dict[str, Any]], greeting: str) -> Iterator[str]:
    said = f"{greeting} {message}, after {len(history)}"
    for end in range(1, len(said) + 1):
        yield said[:end]


def count(message: dict[str, Any], history: list[dict[str, Any]]) -> str:
    return f"{message['text']} with {len(message['files'])}"


with gr.Blocks() as demo:
    with gr.Tab("Words"):
        greeting = gr.Textbox("You said", label="Greeting")
        gr.ChatInterface(echo, additional_inputs=[greeting], api_name="echo", save_history=True)
    with gr.Tab("Files"):
        gr.ChatInterface(count, multimodal=True, api_name="count")

if __name__ == "__main__":
    demo.launch()
