"""Load our static files, such as styles and icons, into memory once."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Final

from entrypoints import looks

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
    """A hash of the content; also the ETag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFiles:
    by_name: Mapping[str, StaticFile]

    @classmethod
    def load(cls) -> "StaticFiles":
        folder = files("entrypoints.web") / "static"
        found = {
            entry.name: _file(entry.name, entry.read_bytes())
            for entry in folder.iterdir()
            if entry.name.rpartition(".")[2] in _TYPES
        }
        style = looks.root_sheet().encode() + found["style.css"].content
        found |= {
            "style.css": _file("style.css", style),
            "icon.svg": _file("icon.svg", looks.LOGO.encode()),
        }
        return cls(by_name=found)

    def address(self, name: str) -> str:
        """Return the file's address, which changes with its content, so that browsers may cache it forever."""
        return f"/static/{name}?v={self.by_name[name].version}"


def _file(name: str, content: bytes) -> StaticFile:
    return StaticFile(
        content=content,
        media_type=_TYPES[name.rpartition(".")[2]],
        version=sha256(content).hexdigest()[:16],
    )
