"""Gradio's side of the door."""

from entrypoints.ui.calling import being_built
from entrypoints.ui.mounting import UI, PageRefused, mount
from entrypoints.ui.pages import PAGES
from entrypoints.ui.sdk import Page

__all__ = ["PAGES", "UI", "Page", "PageRefused", "being_built", "mount"]
