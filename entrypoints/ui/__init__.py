"""Gradio's side of the door."""

import entrypoints.ui.stubs  # noqa: F401 -- Before anything that imports Gradio.
from entrypoints.ui.calling import being_built
from entrypoints.ui.loading import App, folders_of, load_pages
from entrypoints.ui.mounting import UI, mount
from entrypoints.ui.pages import EXAMPLES, PAGES
from entrypoints.ui.sdk import Page, PageRefused

__all__ = [
    "EXAMPLES",
    "PAGES",
    "UI",
    "App",
    "Page",
    "PageRefused",
    "being_built",
    "folders_of",
    "load_pages",
    "mount",
]
