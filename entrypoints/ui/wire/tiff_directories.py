"""Read the size of a tile from the directory of a TIFF page, as libtiff reads it.

Pillow and libtiff read a damaged directory differently: of a repeated property, Pillow takes the last value and libtiff
the first one, and Pillow ends at an entry that it cannot read. So Pillow's properties do not show what libtiff decodes.
"""

import struct
from collections.abc import Iterator
from typing import Final

from PIL import TiffImagePlugin

_TILE_WIDTH: Final = 322
_TILE_HEIGHT: Final = 323
_SIZES: Final = frozenset({256, 257, 258, 277, 278, _TILE_WIDTH, _TILE_HEIGHT})
"""Numbers of the properties that decide how much memory a page takes: width, height, bits and number of samples, rows
per strip, and a tile's width and height."""
_SHORT: Final = 3
_LONG: Final = 4
_LONG8: Final = 16
"""Types of a property. The specification allows no others for a size."""

Entry = tuple[int, int, int, bytes]
"""The number, type and count of a property, and its value or the place of its value."""


class DamagedDirectory(Exception):
    """A property is repeated, or a size has a type or count that the specification does not allow."""


def tile_of(page: TiffImagePlugin.TiffImageFile) -> tuple[int, int]:
    """Return the width and height of the tiles of the current page, and 1 by 1 if it has none. Raises
    DamagedDirectory."""
    entries = list(_entries(page))
    if len({tag for tag, *_ in entries}) < len(entries):
        raise DamagedDirectory
    big = page.tag_v2._bigtiff  # noqa: SLF001 -- Pillow has no other way to ask.
    allowed = {_SHORT, _LONG, _LONG8} if big else {_SHORT, _LONG}
    if any(tag in _SIZES and kind not in allowed for tag, kind, *_ in entries):
        raise DamagedDirectory
    tiles = {e[0]: _number(page, e) for e in entries if e[0] in {_TILE_WIDTH, _TILE_HEIGHT}}
    return tiles.get(_TILE_WIDTH, 1), tiles.get(_TILE_HEIGHT, 1)


def _entries(page: TiffImagePlugin.TiffImageFile) -> Iterator[Entry]:
    """Raises DamagedDirectory if the file ends within the directory."""
    tags, file = page.tag_v2, page.fp
    assert file is not None  # noqa: S101 -- Pillow has just read the directory from it.
    big = tags._bigtiff  # noqa: SLF001 -- As above.
    head, entry = ("Q", "HHQ8s") if big else ("H", "HHL4s")
    before = file.tell()
    try:
        file.seek(tags.offset or 0)
        [number] = tags._unpack(head, file.read(8 if big else 2))  # noqa: SLF001
        for _ in range(number):
            yield tags._unpack(entry, file.read(20 if big else 12))  # noqa: SLF001
    except struct.error as error:
        raise DamagedDirectory from error
    finally:
        file.seek(before)


def _number(page: TiffImagePlugin.TiffImageFile, entry: Entry) -> int:
    """Raises DamagedDirectory if the property has several values."""
    _, kind, count, value = entry
    if count != 1:
        raise DamagedDirectory
    format_ = {_SHORT: "H", _LONG: "L", _LONG8: "Q"}[kind]
    [number] = page.tag_v2._unpack(format_, value[: struct.calcsize(f"={format_}")])  # noqa: SLF001
    return int(number)
