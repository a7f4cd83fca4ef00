"""Make the last part of each page's address from its title or name."""

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
"""Gradio's own addresses below the HomePage, which no page may have."""


def slug_of(text: str) -> str:
    """Return the text in lower-case letters, digits and `-`. Empty if no such character is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def is_slug(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9-]*", text) is not None and text not in _TAKEN


def first_free(texts: Iterable[str], taken: Iterable[str]) -> str:
    """Return the slug of the first text that has one, or "app". A number is added if the slug is taken."""
    name = next(filter(is_slug, map(slug_of, texts)), "app")
    used = set(taken)
    numbered = (f"{name}-{number}" for number in count(2))
    return name if name not in used else next(slug for slug in numbered if slug not in used)
