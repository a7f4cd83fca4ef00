"""Paint on a picture, and choose a marked part of it."""

from typing import Any

import gradio as gr
import numpy as np

WHITE = np.full((40, 60, 3), 255, np.uint8)
Marked = tuple[np.ndarray, list[tuple[tuple[int, int, int, int], str]]]


def mark(drawn: dict[str, Any]) -> Marked:
    _, width = drawn["composite"].shape[:2]
    height = drawn["composite"].shape[0]
    halves = [((0, 0, width // 2, height), "left"), ((width // 2, 0, width, height), "right")]
    return drawn["composite"][..., :3], halves


def chosen(select: gr.SelectData) -> str:
    return f"{select.value} of {select.index}"


with gr.Blocks(title="Editor") as demo:
    drawing = gr.ImageEditor(WHITE, type="numpy", label="Drawing", height=300)
    marked = gr.AnnotatedImage(label="Marked", height=200)
    part = gr.Textbox(label="Part")
    gr.Button("Mark").click(mark, drawing, marked, api_name="mark")
    marked.select(chosen, None, part, api_visibility="private")

if __name__ == "__main__":
    demo.launch()
