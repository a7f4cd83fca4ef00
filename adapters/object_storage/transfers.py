"""Send files to the object store and receive them, in parts: no file is in memory as a whole."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, Final

import structlog

from adapters.object_storage.bucket import PART, Bucket, Missing
from adapters.object_storage.names import Version
from domain.errors import DiskFull, FileGone

_READ: Final = 1024 * 1024
"""Bytes that are read from the disk at once."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})

log = structlog.get_logger()


def measured(path: Path) -> tuple[str, int]:
    """Return the SHA-256 and the size of a file. Raises OSError."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


class _Sent:
    """The content of a file, which must be what it was when it was measured."""

    def __init__(self, path: Path, digest: str, size: int) -> None:
        self._path, self._digest, self._size = path, digest, size
        self.has_changed = False

    async def parts(self) -> AsyncIterator[bytes]:
        """Raises FileNotFoundError, and ValueError at the end if the file has changed, so that the object is not
        completed."""
        digest, size = sha256(), 0
        with await asyncio.to_thread(self._opened) as file:
            while part := await asyncio.to_thread(file.read, _READ):
                await asyncio.to_thread(digest.update, part)
                size += len(part)
                yield part
        if (digest.hexdigest(), size) != (self._digest, self._size):
            self.has_changed = True
            raise ValueError(f"{self._path} has changed")

    def _opened(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            self.has_changed = True
            raise


async def send(bucket: Bucket, key: str, path: Path, digest: str, size: int) -> None:
    """Write the file as an object. Raises FilesUnavailable, FileGone if the file changes meanwhile."""
    sent = _Sent(path, digest, size)
    try:
        if size <= PART:
            await bucket.write(key, b"".join([part async for part in sent.parts()]))
        else:
            await bucket.write_parts(key, size, sent.parts())
    except Exception as error:
        if sent.has_changed:
            raise FileGone from error
        raise


async def receive(bucket: Bucket, key: str, version: Version, path: Path, aside: Path) -> bool:
    """Write the object to a temporary file in the folder `aside` on the same disk, verify it, and move it to `path`.
    Return False if it was removed or is damaged. Raises FilesUnavailable, DiskFull."""
    digest = sha256()
    with _writing():
        await asyncio.to_thread(aside.mkdir, mode=0o700, parents=True, exist_ok=True)
        file = await asyncio.to_thread(_new_file_in, aside)
    part = Path(file.name)
    try:
        with file:
            try:
                async for content in bucket.read(key):
                    with _writing():
                        await asyncio.to_thread(_write, file, content, digest)
            except Missing:
                return False
            with _writing():
                await asyncio.to_thread(file.flush)
        if digest.hexdigest() != version.digest:
            log.warning("an object in the store of files is damaged", key=key)
            return False
        with _writing():
            await asyncio.to_thread(_move, part, path)
    finally:
        await asyncio.shield(asyncio.to_thread(part.unlink, missing_ok=True))
    return True


def _new_file_in(folder: Path) -> Any:
    return NamedTemporaryFile(dir=folder, delete=False)


def _write(file: Any, content: bytes, digest: Any) -> None:
    digest.update(content)
    file.write(content)


def _move(part: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part.rename(path)


@contextmanager
def _writing() -> Iterator[None]:
    """Raise DiskFull for errors of a full or read-only disk."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull from error
        raise
