"""Our few assets, read once into memory: style, icons, and the script for Gradio's pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    content: bytes
    media_type: str
    version: str
    """Of the content; also its ETag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFiles:
    by_name: Mapping[str, StaticFile]

    @classmethod
    @cache
    def load(cls) -> "StaticFiles":
        folder = files("entrypoints.web") / "static"
        found = {
            entry.name: _file(entry.name, entry.read_bytes())
            for entry in folder.iterdir()
            if entry.name.rpartition(".")[2] in _TYPES
        }
        return cls(by_name=found)

    def address(self, name: str) -> str:
        """Changes with the content, so that a browser may keep it for ever."""
        return f"/static/{name}?v={self.by_name[name].version}"


def _file(name: str, content: bytes) -> StaticFile:
    return StaticFile(
        content=content,
        media_type=_TYPES[name.rpartition(".")[2]],
        version=sha256(content).hexdigest()[:16],
    )
