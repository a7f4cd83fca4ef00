"""Gradio's side of the door."""

from entrypoints.ui.mounting import UI, PageRefused, mount
from entrypoints.ui.pages import PAGES

__all__ = ["PAGES", "UI", "PageRefused", "mount"]
