"""A gallery, and what is chosen in it."""

import gradio as gr
from PIL import Image

COLOURS = ("red", "green", "blue")


def paint() -> list[tuple[Image.Image, str]]:
    return [(Image.new("RGB", (40, 40), colour), colour) for colour in COLOURS]


def chosen(chosen: gr.SelectData) -> str:
    return COLOURS[chosen.index]


with gr.Blocks() as demo:
    pictures = gr.Gallery(label="Pictures", columns=3, format="png")
    colour = gr.Textbox(label="Colour")
    gr.Button("Paint").click(paint, outputs=pictures, api_name="paint")
    pictures.select(chosen, outputs=colour, api_visibility="private")

if __name__ == "__main__":
    demo.launch()
