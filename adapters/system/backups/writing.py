"""Write a backup to a temporary name, and give it its own name when it is complete."""

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import IO, Final

from adapters.system.backups.manifest import FILES, MANIFEST, Manifest, Member
from adapters.system.files import FILE_MODE

_COMPRESSED: Final = (".gz", ".tgz")


class BackupWriter:
    """A tar that is open for writing. Its name decides whether it is compressed."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.members: dict[str, Member] = {}
        self.changed = 0
        """Files that were changed while they were read, so that their copies may be incomplete."""

    def add(self, name: str, path: Path) -> None:
        """Add a regular file. A link and a file that is gone are left out."""
        with suppress(FileNotFoundError), _regular(path) as file:
            if file is None:
                return
            before = os.fstat(file.fileno())
            reader = _Hashing(file)
            self._add(name, before.st_size, reader)
            self.members[name] = Member(size=before.st_size, sha256=reader.sha256)
            after = os.fstat(file.fileno())
            self.changed += (before.st_size, before.st_mtime_ns) != (
                after.st_size,
                after.st_mtime_ns,
            )

    def add_folder(self, folder: Path) -> None:
        """Add all regular files below the folder, as members below `FILES`."""
        for path in _files(folder):
            self.add(f"{FILES}/{path.relative_to(folder).as_posix()}", path)

    def finish(self, manifest: Manifest) -> None:
        text = manifest.encoded()
        self._add(MANIFEST, len(text), io.BytesIO(text))

    def _add(self, name: str, size: int, content: "io.BytesIO | _Hashing") -> None:
        member = tarfile.TarInfo(name)
        member.size = size
        member.mode = FILE_MODE
        self._archive.addfile(member, content)
        self._archive.members.clear()  # type: ignore[attr-defined]  # Otherwise, it keeps all of them in memory.


@contextmanager
def writing(file: Path, *, replaces: bool) -> Iterator[tuple[BackupWriter, Path]]:
    """Yield the writer, and an empty private folder beside the file for the time of the block. Afterwards the file is
    there with access for its owner only; after an error, nothing is. Raises FileExistsError, unless it `replaces` the
    file."""
    if not replaces and os.path.lexists(file):
        raise FileExistsError(file)
    folder = Path(mkdtemp(prefix=f".{file.name}.", dir=file.parent))
    try:
        aside = folder / "backup"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as raw:
            mode: Final = "w:gz" if file.name.endswith(_COMPRESSED) else "w"
            with tarfile.open(fileobj=raw, mode=mode, format=tarfile.PAX_FORMAT) as archive:
                yield BackupWriter(archive), folder
            raw.flush()
            os.fsync(raw.fileno())
        _name(aside, file, replaces=replaces)
    finally:
        rmtree(folder)
    _sync(file.parent)


def _name(aside: Path, file: Path, *, replaces: bool) -> None:
    if not replaces:
        try:
            # Unlike a rename, a link never replaces a file.
            os.link(aside, file)
        except FileExistsError:
            raise
        except OSError:  # Some file systems have no links.
            if os.path.lexists(file):
                raise FileExistsError(file) from None
        else:
            return
    aside.replace(file)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Hashing:
    """Read a file that may be shortened meanwhile: zeros take the place of what is missing."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        found = self._file.read(size).ljust(max(size, 0), b"\0")
        self._hash.update(found)
        return found

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """Yield all regular files below the folder, and follow no link."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


@contextmanager
def _regular(path: Path) -> Iterator[IO[bytes] | None]:
    """Open the file, or yield None if another kind of file has taken its place."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError:
        if not path.is_symlink():
            raise
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        yield file if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
