"""What no app shows: the service's data folder and database, and what developers keep secret beside an app."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from gradio.utils import get_cache_folder, get_upload_folder

from application.settings import Settings

_SETTINGS: Final = ".env"
"""Begins the names of files with secrets: `.env`, `.env.local`, `.envrc`."""
_REPOSITORY: Final = ".git"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivatePlaces:
    """Judged by where a path leads, through links, and not by how it is written (ASVS 13.3.2, 13.4.1). All places are
    real paths."""

    data: str
    """The service's folder: all of it is private, except what Gradio keeps in it."""
    database: str | None
    """A SQLite file elsewhere; private with all files whose names begin with its name."""
    cache: str
    """Gradio's folder of uploads and outputs: ownership decides there."""
    examples: str
    """The folder of kept examples of all apps: nobody owns a file there."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Once Gradio has been told where to keep its files."""
        file = settings.database_file
        return cls(
            data=os.path.realpath(settings.data_dir),
            database=None if file is None else os.path.realpath(file),
            cache=os.path.realpath(get_upload_folder()),
            examples=os.path.realpath(get_cache_folder()),
        )

    def have(self, path: str, *, own_examples: Path | None = None) -> bool:
        """Return whether the file is private. `own_examples` is the folder of the app that asks.
        Raises OSError and ValueError for what can be no path."""
        real = os.path.realpath(path)
        if is_in(real, self.cache):
            return False
        if is_in(real, self.examples):
            return own_examples is None or not is_in(real, os.path.realpath(own_examples))
        if is_in(real, self.data) or (self.database and real.startswith(self.database)):
            return True
        # An app may itself stand in a folder of such a name.
        here = os.getcwd()  # noqa: PTH109 -- A real path already, and asked for each file.
        below = os.path.relpath(real, here) if is_in(real, here) else real
        return any(_is_secret(part) for part in (*Path(below).parts, Path(path).name))


def is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_secret(name: str) -> bool:
    folded = name.casefold()
    return folded == _REPOSITORY or folded.startswith(_SETTINGS)
