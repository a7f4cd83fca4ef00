"""The app of both servers and its bare mount; the service gets the app with --app."""

import gradio as gr
from fastapi import FastAPI
from starlette.types import ASGIApp

from gradioapp import State, User, injected


def echo(said: str) -> str:
    return said


def greet(said: str, *, user: User = injected) -> str:
    return f"{user.name}: {said}"


def count(said: str, *, state: State = injected) -> str:
    """Read and write the account's state once. The bare mount keeps it in memory."""
    state["runs"] = state.get("runs", 0) + 1
    return said


with gr.Blocks(title="Echo", analytics_enabled=False) as demo:
    text, out = gr.Textbox(label="Text"), gr.Textbox(label="Out")
    for fn in (echo, greet, count):
        gr.Button(fn.__name__).click(fn, text, out, api_name=fn.__name__)


def bare() -> ASGIApp:
    api = FastAPI()
    api.add_api_route("/healthz", lambda: {"status": "ok"})
    gr.mount_gradio_app(api, demo, "/gradio/echo")
    return api


def auth() -> ASGIApp:
    """The bare mount with Gradio's own sign-in."""
    api = FastAPI()
    api.add_api_route("/healthz", lambda: {"status": "ok"})
    gr.mount_gradio_app(api, demo, "/gradio/echo", auth=lambda _, password: bool(password))
    return api
