"""Pictures, also among examples."""

from pathlib import Path

import gradio as gr
from PIL import Image, ImageOps

RED = Path(__file__).with_name("red.png")


def mirror(picture: Image.Image) -> Image.Image:
    return ImageOps.mirror(picture)


iface = gr.Interface(
    mirror,
    gr.Image(type="pil", label="Picture"),
    gr.Image(label="Mirrored", format="png"),
    examples=[[str(RED)]],
    flagging_mode="never",
    api_name="mirror",
)

if __name__ == "__main__":
    iface.launch()
