"""The app for the abuse benchmark: its events do what an abuser would use."""

import time
from typing import Any

import gradio as gr


def echo(said: str) -> str:
    return said


def work(said: str) -> str:
    time.sleep(0.1)
    return said


def hold(seconds: float) -> float:
    """Occupy a thread of the pool that all callbacks share."""
    time.sleep(min(seconds, 10))
    return seconds


def take(value: Any) -> str:
    return type(value).__name__


def count(pictures: Any) -> int:
    return len(pictures or ())


with gr.Blocks(title="Abused", analytics_enabled=False) as demo:
    text, out = gr.Textbox(label="Text"), gr.Textbox(label="Out")
    value, number = gr.JSON(label="Value"), gr.Number(label="Number")
    gallery = gr.Gallery(label="Pictures", type="numpy")
    gr.Button("echo").click(echo, text, out, api_name="echo")
    gr.Button("work").click(work, text, out, api_name="work")
    gr.Button("hold").click(hold, number, number, api_name="hold", queue=False)
    gr.Button("take").click(take, value, out, api_name="take")
    gr.Button("count").click(count, gallery, number, api_name="count", queue=False)
