"""Implement `redirect(url)`. Gradio has no redirects, so the address is sent next to an event's outputs, and
`session.js` follows it."""

from urllib.parse import urlsplit

import gradio as gr

from entrypoints.ui.calls.call import current_call, is_served


def redirect(url: str) -> None:
    """Redirect the browser when the callback returns, or after the current step of a generator. `url` is a path of this
    service, such as "/gradio/reports/", or an https:// address. Raises ValueError for anything else."""
    _must_be_safe(url)
    if is_served():
        current_call().goes_to = url
    else:
        gr.Info(f"When the app is served by gradioapp, the browser is redirected to {url}")


def _must_be_safe(url: str) -> None:
    is_path = url.startswith("/") and not url.startswith(("//", "/\\"))
    is_clean = url.isprintable() and "\\" not in url and " " not in url
    parts = urlsplit(url) if is_clean else None
    is_address = parts is not None and parts.scheme == "https" and bool(parts.hostname)
    if not is_clean or not (is_path or is_address):
        raise ValueError(
            f"redirect() takes a path such as /gradio/ or an https:// address, not {url!r:.200}."
        )
