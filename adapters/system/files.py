"""Files on the service's own disk: its private folder, and the files of its apps."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from domain.model.file import StoredFile
from domain.ports.files import FileStorage

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


def private_folder(path: Path) -> Path:
    """Make the folder if it is missing, with access for its owner only and ignored by git; leave an existing one
    unchanged."""
    if not path.exists():
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        (path / ".gitignore").write_text("*\n")
    return path


def secret_in(path: Path, new_secret: str) -> str:
    """Return the content of the file; create it with `new_secret` if it is missing. Two concurrent processes get the
    same secret. Raises PermissionError if users other than the owner can read the file (ASVS 13.3.2)."""
    private_folder(path.parent)
    with suppress(FileExistsError):
        _create_whole(path, new_secret)
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} can be read by other users. Type: chmod 600 {path}")
    return path.read_text().strip()


def _create_whole(path: Path, text: str) -> None:
    """Write to a temporary file and link it into place, so that nobody reads half a secret. Raises FileExistsError."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.link(aside, path)
    finally:
        aside.unlink()


_BATCH: Final = 500
"""Files."""
_ASIDE: Final = ".aside."
"""Prefix of the name of a file that is set aside, in the same folder."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class FolderOnDisk(FileStorage):
    """Opens each folder of a path separately and never through a link, so that a path cannot lead outside. It is also
    the storage of a service that has no other: every process that uses the folder has its files already."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def files(self) -> AsyncIterator[Sequence[StoredFile]]:
        found = _walk(self._path, "")
        while batch := await asyncio.to_thread(lambda: list(islice(found, _BATCH))):
            yield batch

    async def set_aside(self, places: Collection[str]) -> Sequence[str]:
        return await asyncio.to_thread(self._each, places, _set_aside)

    async def put_back(self, places: Collection[str]) -> None:
        await asyncio.to_thread(self._each, places, _put_back)

    async def remove_aside(self, places: Collection[str]) -> None:
        removed = await asyncio.to_thread(self._each, places, _remove_aside)
        await asyncio.to_thread(self._remove_empty, removed)

    @property
    def is_apart(self) -> bool:
        return False

    async def share(self, places: Collection[str]) -> None:
        pass

    async def bring(self, places: Collection[str]) -> None:
        pass

    async def state(self) -> Literal["off", "ok", "degraded"]:
        return "off"

    def _each(self, places: Collection[str], change: Callable[[int, str], None]) -> Sequence[str]:
        """Change the files; return the places where the change succeeded."""
        done = []
        for place in places:
            with suppress(OSError), self._opened(place) as (folder, name):
                change(folder, name)
                done.append(place)
        return done

    def _remove_empty(self, places: Collection[str]) -> None:
        for place in places:
            while "/" in place:
                place = place.rpartition("/")[0]
                try:
                    with self._opened(place) as (folder, name):
                        os.rmdir(name, dir_fd=folder)
                except OSError:
                    break

    @contextmanager
    def _opened(self, place: str) -> Iterator[tuple[int, str]]:
        """Open the parent folder of the place, and yield it with the file's name. Raises OSError."""
        *folders, name = place.split("/")
        if {"", ".", ".."} & {*folders, name}:
            raise FileNotFoundError(place)
        inner = os.open(os.path.realpath(self._path), _FOLDER)
        try:
            for step in folders:
                outer, inner = inner, os.open(step, _FOLDER, dir_fd=inner)
                os.close(outer)
            yield inner, name
        finally:
            os.close(inner)


def _walk(folder: Path | str, place: str) -> Iterator[StoredFile]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{place}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                with suppress(OSError):  # Another process has removed it.
                    yield _stored(entry, place)


def _stored(entry: os.DirEntry[str], place: str) -> StoredFile:
    found = entry.stat(follow_symlinks=False)
    return StoredFile(
        place=f"{place}{entry.name.removeprefix(_ASIDE)}",
        size=found.st_size,
        changed_at=datetime.fromtimestamp(found.st_ctime, UTC),
        is_aside=entry.name.startswith(_ASIDE),
    )


def _set_aside(folder: int, name: str) -> None:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise FileNotFoundError(name)
    os.rename(name, f"{_ASIDE}{name}", src_dir_fd=folder, dst_dir_fd=folder)


def _put_back(folder: int, name: str) -> None:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(f"{_ASIDE}{name}", name, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        os.unlink(f"{_ASIDE}{name}", dir_fd=folder)


def _remove_aside(folder: int, name: str) -> None:
    os.unlink(f"{_ASIDE}{name}", dir_fd=folder)
