"""Gradio's folder of kept files, in which the files of all callers lie side by side."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from entrypoints.ui.files.private_places import is_in

DEEP_LINKS: Final = "deep_links"
"""The place of the values that links save. They are opened as a page, and are no files for anybody."""


class CacheFolder:
    """Resolves paths, and tells places in the folder. A place is a path within the folder, with `/`."""

    def __init__(self, path: str) -> None:
        """`path` is the real path of the folder."""
        self.path = path

    def has(self, real: str) -> bool:
        """Return whether a real path is in the folder."""
        return is_in(real, self.path)

    def has_values(self, real: str) -> bool:
        """Return whether a real path is a link's, with the values of an account."""
        return is_in(real, self.path_of(DEEP_LINKS))

    def place(self, real: str) -> str:
        return os.path.relpath(real, self.path).replace(os.sep, "/")

    def places(self, paths: Iterable[str]) -> set[str]:
        """Return the places of those of the paths that are in the folder."""
        places = set()
        for path in paths:
            try:
                real = real_path(path)
            except (OSError, ValueError):
                continue
            if self.has(real):
                places.add(self.place(real))
        return places

    def path_of(self, place: str) -> str:
        return str(Path(self.path, place))

    def size_at(self, place: str) -> int | None:
        """Return the size of the file in bytes, or None if it does not exist."""
        try:
            return Path(self.path, place).stat().st_size
        except OSError:
            return None


def real_path(path: str) -> str:
    """Resolve a path as Gradio does: from the working directory, through links and `..`, without decoding."""
    return os.path.realpath(os.path.abspath(path))  # noqa: PTH100 -- Exactly as Gradio does.
