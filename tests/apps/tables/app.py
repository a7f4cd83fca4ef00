"""A table, and what stands beside it."""

import gradio as gr
import pandas as pd  # type: ignore[import-untyped]  # Gradio brings it, and no types.
from data import ROWS  # type: ignore[import-not-found]  # Of this folder.


def older_than(age: float) -> pd.DataFrame:
    table = pd.DataFrame(ROWS, columns=["name", "age"])
    return table[table["age"] > age]


with gr.Blocks() as demo:
    age = gr.Number(30, label="Older than")
    table = gr.Dataframe(older_than, inputs=age, label="People")
    gr.Button("Count").click(lambda t: len(t), table, gr.Number(label="How many"), api_name="count")

if __name__ == "__main__":
    demo.launch()
