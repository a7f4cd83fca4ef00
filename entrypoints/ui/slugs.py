"""Where each page lies below the UI's path."""

import re
from collections.abc import Iterable
from itertools import count
from typing import Final

_TAKEN: Final = frozenset(
    {
        "assets",
        "static",
        "svelte",
        "config",
        "gradio_api",
        "theme.css",
        "login",
        "logout",
        "monitoring",
    }
)
"""Addresses of Gradio's own on the HomePage."""


def slug_of(text: str) -> str:
    """Lower-case letters, digits and `-`; empty when nothing is left of the text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def is_slug(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9-]*", text) is not None and text not in _TAKEN


def first_free(texts: Iterable[str], taken: Iterable[str]) -> str:
    """The slug of the first text that has one; a number makes it another than those taken."""
    name = next(filter(is_slug, map(slug_of, texts)), "app")
    used = set(taken)
    numbered = (f"{name}-{number}" for number in count(2))
    return name if name not in used else next(slug for slug in numbered if slug not in used)
