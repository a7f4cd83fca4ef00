"""Unpack a backup. Nothing in it is trusted: a file that was made to do harm writes nothing outside of the folder, and
no more than fits on the disk."""

import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn

from adapters.system.backups.manifest import (
    DATABASE,
    FILES,
    KEY,
    LARGEST_MANIFEST,
    MANIFEST,
    BackupDamaged,
    Manifest,
    Member,
)
from adapters.system.files import FILE_MODE, FOLDER_MODE

_GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 1024 * 1024
"""Bytes that are read at once."""
_LARGEST_HEADER: Final = 1024 * 1024
"""Bytes of the header of a member: tarfile reads each of them whole."""
_OVERHEAD: Final = 4096
"""Bytes of the disk that each file takes beside its content."""
_PLAIN: Final = {tarfile.REGTYPE, tarfile.AREGTYPE}
_SINGLE: Final = {DATABASE, KEY}
_FILE: Final = re.compile(rf"{FILES}(/[^/\0]+)+")


class DiskFull(Exception):
    """The backup needs more bytes than the disk has."""


def unpack(file: Path, into: Path) -> Manifest:
    """Unpack all members into an empty folder, and compare them with the manifest. Raises BackupDamaged, DiskFull,
    OSError."""
    found: dict[str, Member] = {}
    space = _Space(shutil.disk_usage(into).free)
    with _opened(file) as archive:
        while (header := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # Otherwise, it keeps all of them in memory.
            content = _content(archive, header)
            if header.name == MANIFEST:
                manifest = _manifest(header, content)
                _must_be_last(archive)
                _must_be_equal(manifest, found)
                return manifest
            _must_be_acceptable(header)
            space.take(header.size + _OVERHEAD)
            found[header.name] = _unpacked(content, into / header.name)
    raise BackupDamaged("it is not complete: its manifest is missing")


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    with (
        _damaged(),
        file.open("rb") as raw,
        _plain(raw) as stream,
        tarfile.open(fileobj=_Bounded(stream), mode="r:", tarinfo=_Header) as archive,
    ):
        yield archive


class _Header(tarfile.TarInfo):
    """A header of a file that is not sparse. Lists of the parts of sparse files are read into memory, whatever their
    length, and a member of some bytes may be a file of terabytes."""

    @property
    def is_plain(self) -> bool:
        return self.type in _PLAIN and not self.issparse()

    def _refuse(self, *_: object) -> NoReturn:
        raise BackupDamaged("a member in it is a sparse file")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse


class _Space:
    def __init__(self, free: int) -> None:
        self._free = free

    def take(self, size: int) -> None:
        self._free -= size
        if self._free < 0:
            raise DiskFull


class _Bounded(io.RawIOBase):
    """A stream in which nobody reads more at once than a piece."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise BackupDamaged("a header in it is too large")
        return self._stream.read(size)

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)


@contextmanager
def _damaged() -> Iterator[None]:
    """Raise BackupDamaged for everything that the libraries say about the file."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BackupDamaged("it is no tar, or not complete") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise BackupDamaged("a header in it cannot be read") from error


@contextmanager
def _plain(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    is_compressed = raw.read(2) == _GZIP
    raw.seek(0)
    if not is_compressed:
        yield raw
        return
    with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
        yield stream  # type: ignore[misc]


def _content(archive: tarfile.TarFile, header: tarfile.TarInfo) -> IO[bytes]:
    """Return the content of a plain file. Raises BackupDamaged for a link, a folder or a device."""
    is_plain = isinstance(header, _Header) and header.is_plain
    content = archive.extractfile(header) if is_plain and header.size >= 0 else None
    if content is None:
        raise BackupDamaged(f"{header.name!r:.100} in it is no plain file")
    return content


def _must_be_acceptable(header: tarfile.TarInfo) -> None:
    name = header.name
    steps = name.split("/")
    if name not in _SINGLE and (not _FILE.fullmatch(name) or {".", ".."} & {*steps}):
        raise BackupDamaged(f"it has a member with the name {name!r:.100}")


def _unpacked(content: IO[bytes], path: Path) -> Member:
    """Write the content to a new file. Raises BackupDamaged for a second file of one name, OSError."""
    try:
        _make_folders(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
    except (FileExistsError, NotADirectoryError) as error:
        raise BackupDamaged(f"it has two members with the name {path.name!r:.100}") from error
    digest, size = hashlib.sha256(), 0
    with os.fdopen(descriptor, "wb") as file:
        while piece := content.read(_PIECE):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    return Member(size=size, sha256=digest.hexdigest())


def _make_folders(folder: Path) -> None:
    # The mode of mkdir(parents=True) would not hold for the parents.
    if not folder.is_dir():
        _make_folders(folder.parent)
        folder.mkdir(mode=FOLDER_MODE)


def _manifest(header: tarfile.TarInfo, content: IO[bytes]) -> Manifest:
    if header.size > LARGEST_MANIFEST:
        raise BackupDamaged("its manifest is too large")
    return Manifest.decoded(b"".join(iter(lambda: content.read(_PIECE), b"")))


def _must_be_last(archive: tarfile.TarFile) -> None:
    if archive.next() is not None:
        raise BackupDamaged("it has members behind its manifest")


def _must_be_equal(manifest: Manifest, found: dict[str, Member]) -> None:
    if DATABASE not in found:
        raise BackupDamaged("it has no database")
    for name in sorted(found.keys() | manifest.members.keys()):
        listed, member = manifest.members.get(name), found.get(name)
        if listed is None:
            raise BackupDamaged(f"{name!r:.100} is not in its manifest")
        if member is None:
            raise BackupDamaged(f"{name!r:.100} is missing")
        if listed != member:
            raise BackupDamaged(f"size or checksum of {name!r:.100} is wrong")
