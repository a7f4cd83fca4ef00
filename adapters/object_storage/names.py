"""The names of objects.

A file may have several objects, all below its place: each time it is shared, it gets a new one, whose name tells the
SHA-256 and the size of the content. So a damaged or half-written object is recognised, whatever the store promises, and
a file that is being removed can be shared again at the same time.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import unquote_to_bytes

_ODD: Final = re.compile("[%\x00-\x1f\x7f\udc80-\udcff]")
"""Characters that a place may have, and a key of S3 may not, and the sign that replaces them."""
_OBJECT: Final = re.compile(
    r"(?P<place>.+)/(?P<version>(?P<digest>[0-9a-f]{64})-(?P<size>\d{1,20})-[0-9a-f]{32})"
    r"(?P<mark>\.aside-[0-9a-f]{32})?",
    re.DOTALL,
)


@dataclass(slots=True)
class Version:
    """One object with the content of a file."""

    name: str
    digest: str
    size: int
    """Bytes of the file."""
    stored_at: datetime | None = None
    """None: only its marks were found."""
    is_whole: bool = False
    marks: dict[str, datetime] = field(default_factory=dict)
    """The names of the marks by which processes have set the version aside, and when they did."""


def key_of(place: str) -> str:
    """Return the part of a key that stands for the place."""
    return _ODD.sub(_escaped, place)


def place_of(key: str) -> str:
    raw = unquote_to_bytes(key)
    return raw.decode(errors="surrogateescape")


def new_name(digest: str, size: int, mark: str) -> str:
    """Return the name of a new version; `mark` is 32 hexadecimal digits that no other version has."""
    return f"{digest}-{size}-{mark}"


def mark_on(name: str, process: str) -> str:
    """Return the name of the mark by which a process sets a version aside."""
    return f"{name}.aside-{process}"


def versions_in(objects: Iterable[tuple[str, int, datetime]]) -> dict[str, Sequence[Version]]:
    """Group a listing of keys, sizes and times by place. Other objects in the bucket are not ours."""
    found: dict[str, dict[str, Version]] = {}
    for key, size, stored_at in objects:
        ours = _OBJECT.fullmatch(key)
        if ours is None or not _is_key(ours["place"]):
            continue
        name = ours["version"]
        new = Version(name, ours["digest"], int(ours["size"]))
        version = found.setdefault(place_of(ours["place"]), {}).setdefault(name, new)
        if ours["mark"]:
            version.marks[f"{name}{ours['mark']}"] = stored_at
        else:
            version.stored_at, version.is_whole = stored_at, size == version.size
    return {place: list(versions.values()) for place, versions in found.items()}


def _is_key(key: str) -> bool:
    """Return whether we would write this key: another program may spell a place in another way, or leave the folder."""
    place = place_of(key)
    return key_of(place) == key and not {"", ".", ".."} & set(place.split("/"))


def _escaped(match: re.Match[str]) -> str:
    raw = match[0].encode(errors="surrogateescape")
    return "".join(f"%{byte:02X}" for byte in raw)
