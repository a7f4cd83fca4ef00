"""`redirect(url)`: Gradio itself cannot send a browser elsewhere, so the address travels beside an event's outputs to
`session.js`."""

from urllib.parse import urlsplit

import gradio as gr

from entrypoints.ui.calling import current_call, is_served


def redirect(url: str) -> None:
    """In a callback: sends the browser there once it has returned; of a generator, after the step. A path of this
    service, as in "/gradio/reports/", or an https:// address. Raises ValueError for anything else."""
    _must_be_safe(url)
    if is_served():
        current_call().goes_to = url
    else:
        gr.Info(f"Signed in, the browser would go to {url}")


def _must_be_safe(url: str) -> None:
    is_path = url.startswith("/") and not url.startswith(("//", "/\\"))
    is_clean = url.isprintable() and "\\" not in url and " " not in url
    parts = urlsplit(url) if is_clean else None
    is_address = parts is not None and parts.scheme == "https" and bool(parts.hostname)
    if not is_clean or not (is_path or is_address):
        raise ValueError(
            f"redirect() takes a path such as /gradio/ or an https:// address, not {url!r:.200}."
        )
