"""Plots of Gradio's own."""

import gradio as gr
import pandas as pd  # type: ignore[import-untyped]  # Gradio brings it, and no types.
from data import SQUARES  # type: ignore[import-not-found]  # Of this folder.


def up_to(end: float) -> pd.DataFrame:
    return pd.DataFrame(SQUARES[: int(end)], columns=["x", "y"])


with gr.Blocks() as demo:
    end = gr.Slider(2, len(SQUARES), value=4, step=1, label="End")
    gr.LinePlot(up_to, inputs=end, x="x", y="y", title="Squares")
    gr.BarPlot(up_to(3), x="x", y="y")

if __name__ == "__main__":
    demo.launch()
