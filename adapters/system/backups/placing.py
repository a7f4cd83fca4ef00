"""Put restored data into place at once: a folder is either as before, or complete."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from adapters.system.files import FILE_MODE, FOLDER_MODE

_UNFINISHED: Final = ".restoring-"
"""Part of the name of the folder in which a backup is unpacked, beside the data folder or in it."""
_IGNORE: Final = ".gitignore"


class NotEmpty(Exception):
    """There is data already. `path` is a file or folder of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(str(path))


def must_be_empty(folder: Path) -> None:
    """Accept a missing folder, an empty one, and remains of an interrupted restore. Raises NotEmpty,
    NotADirectoryError."""
    if not os.path.lexists(folder):
        return
    for path in folder.iterdir():
        if path.name != _IGNORE and not path.name.startswith(_UNFINISHED):
            raise NotEmpty(path)


@contextmanager
def unpacking_for(folder: Path) -> Iterator[Path]:
    """Yield a new private folder on the same disk, and remove it after the block if it is still there."""
    folder.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    is_inside = _must_stay(folder)
    prefix = _UNFINISHED if is_inside else f".{folder.name}{_UNFINISHED}"
    parent = folder if is_inside else folder.parent
    for remains in parent.glob(f"{escape(prefix)}*"):  # Of a restore that was killed.
        shutil.rmtree(remains)
    staged = Path(mkdtemp(prefix=prefix, dir=parent))
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def place(staged: Path, folder: Path, *, last: str) -> None:
    """Make the content of `staged` that of the folder. Raises NotEmpty if somebody has stored something meanwhile. In a
    folder that cannot be replaced, such as a volume, the entry `last` comes at the end."""
    (staged / _IGNORE).write_text("*\n")
    os.sync()
    must_be_empty(folder)
    if staged.parent == folder:
        folder.chmod(FOLDER_MODE)
        for path in sorted(staged.iterdir(), key=lambda path: path.name == last):
            path.replace(folder / path.name)
    else:
        if folder.exists():
            (folder / _IGNORE).unlink(missing_ok=True)
        try:
            # This replaces an empty folder only.
            staged.rename(folder)
        except OSError as error:
            if folder.is_dir() and any(folder.iterdir()):
                raise NotEmpty(folder) from error
            raise
    os.sync()


@contextmanager
def placed_file(staged: Path, file: Path) -> Iterator[None]:
    """Put a copy of the staged file into place; take it away again if the block fails. Raises NotEmpty."""
    aside = file.with_name(f".{file.name}{_UNFINISHED}{os.getpid()}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as copy, staged.open("rb") as content:
            shutil.copyfileobj(content, copy)
        try:
            os.link(aside, file)
        except FileExistsError as error:
            raise NotEmpty(file) from error
    finally:
        aside.unlink(missing_ok=True)
    try:
        yield
    except BaseException:
        with suppress(FileNotFoundError):
            file.unlink()
        raise


def _must_stay(folder: Path) -> bool:
    """Return whether the folder exists and another one cannot take its place."""
    return folder.is_dir() and (folder.is_mount() or not os.access(folder.parent, os.W_OK))
