"""Reload open pages when a service with `--reload` has started again. Never in prod, which refuses this setting."""

from functools import cache
from html import escape
from pathlib import Path
from typing import Final

APP_ID: Final = "/gradio_api/app_id"
"""The address, below a page, of a number that is new with each start."""


def refresher(app_id: int, address: str) -> str:
    """Return the script of a page that belongs to this start. `address` is where to ask for the present number."""
    return f'<script data-id="{app_id}" data-address="{escape(address)}">{script()}</script>'


@cache
def script() -> str:
    return Path(__file__).with_suffix(".js").read_text()
