"""Find the description that an author has written for an app."""

from inspect import cleandoc
from typing import Final

import gradio as gr

LONGEST: Final = 300
"""Characters."""


def description_of(demo: gr.Blocks, docstring: str | None) -> str:
    """Return the first paragraph of the module's docstring, or else of the `description=` of a gr.Interface or
    gr.ChatInterface, as plain text in one line."""
    return _first_paragraph(docstring) or _first_paragraph(getattr(demo, "description", None))


def _first_paragraph(text: object) -> str:
    if not isinstance(text, str):
        return ""
    words = cleandoc(text).strip().partition("\n\n")[0].split()
    said = " ".join(words)
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1].rstrip()}…"
