"""Define the files that no app may show: the service's data folder and database, and secrets in an app's folder."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from gradio.utils import get_cache_folder, get_upload_folder

from application.settings import Settings

_SETTINGS: Final = ".env"
"""Prefix of the names of files with secrets: `.env`, `.env.local`, `.envrc`."""
_REPOSITORY: Final = ".git"
SYSTEM: Final = ("/proc", "/sys", "/dev")
"""Folders with the environment of processes, and devices. No app may show them, even if its author allows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivatePlaces:
    """Private files and folders, all as real paths. A path is judged after links are resolved, never by its spelling
    (ASVS 13.3.2, 13.4.1)."""

    data: str
    """The service's data folder. All of it is private, except Gradio's folders in it."""
    database: str | None
    """The SQLite file. All files whose names begin with its name are private too."""
    cache: str
    """Gradio's folder of uploads and outputs. There, the owners of a file decide."""
    examples: str
    """The folder of cached examples of all apps. Its files have no owners."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Call this only after Gradio's folders have been set."""
        file = settings.database_file
        return cls(
            data=os.path.realpath(settings.data_dir),
            database=None if file is None else os.path.realpath(file),
            cache=os.path.realpath(get_upload_folder()),
            examples=os.path.realpath(get_cache_folder()),
        )

    def have(self, path: str, *, own_examples: Path | None = None) -> bool:
        """Return whether the file is private. `own_examples` is the folder with cached examples of the app that shows
        it. Raises OSError and ValueError if the text cannot be a path."""
        real = os.path.realpath(path)
        if is_in(real, self.cache):
            return False
        if is_in(real, self.examples):
            return own_examples is None or not is_in(real, os.path.realpath(own_examples))
        if any(is_in(real, folder) for folder in SYSTEM):
            return True
        if is_in(real, self.data) or (self.database and real.startswith(self.database)):
            return True
        # The working directory itself may be below a folder with such a name.
        here = os.getcwd()  # noqa: PTH109 -- Already a real path, and needed for each file.
        below = os.path.relpath(real, here) if is_in(real, here) else real
        return any(_is_secret(part) for part in (*Path(below).parts, Path(path).name))


def is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_secret(name: str) -> bool:
    folded = name.casefold()
    return folded == _REPOSITORY or folded.startswith(_SETTINGS)
