"""The two servers: a bare mount, and the service with the same app as one of its pages."""

import gradio as gr
from fastapi import FastAPI
from starlette.types import ASGIApp

from application.container import build
from application.settings import load
from entrypoints import app as service
from entrypoints import ui, web
from entrypoints.ui import Page


def demo() -> gr.Blocks:
    """One text in, one text out."""
    blocks = gr.Blocks(title="Echo", analytics_enabled=False)
    with blocks:
        text, out = gr.Textbox(label="Text"), gr.Textbox(label="Out")
        gr.Button("Go").click(lambda said: said, text, out, api_name="echo")
    return blocks


def bare() -> ASGIApp:
    api = FastAPI()
    api.add_api_route("/healthz", lambda: {"status": "ok"})
    gr.mount_gradio_app(api, demo(), "/gradio/echo")
    return api


def ours() -> ASGIApp:
    settings = load(env_file=None)
    web.configure_logging(settings)
    home = ui.PAGES[0]
    service.ui.PAGES = (home, lambda: Page(demo=demo(), title="Echo"))  # type: ignore[attr-defined]
    return service.create_app(build(settings))
