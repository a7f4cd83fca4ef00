"""A file that a user sent or was given: who may fetch it, how long it is kept, not what is in it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NewType

from domain.errors import FilesQuotaExceeded
from domain.model.user import UserId

FileKey = NewType("FileKey", bytes)
"""32 bytes: SHA-256 of the path within the folder that the app keeps its files in. Such a path names the content, so
the same content is the same file, and belongs to everybody who sent or was given it."""

MARKED_EVERY: Final = timedelta(days=1)
"""The store is told of a claim's use at most this often."""
UPLOADS: Final = ".uploads"
"""The folder within, for uploads that are not whole yet."""
LEFT: Final = timedelta(days=1)
"""A part of an upload, or a file set aside, that is older was left by a process that died."""
WITHOUT_FILE: Final = timedelta(days=7)
"""A claim whose file is not in the folder lasts so much longer: the file may be on another machine, whose own process
knows better."""
DIGEST: Final = 32
"""Characters that no text has by chance, if they name a folder of Gradio's."""

_MB: Final = 1024 * 1024


def file_key(path: str) -> FileKey:
    """`path` is relative, with "/", and may hold whatever a file system allows."""
    return FileKey(sha256(path.encode(errors="surrogatepass")).digest())


def mark_of(place: str) -> str:
    """Return the part of a relative path that every text naming the file contains: the folder, if it is named after the
    content."""
    folder = place.partition("/")[0]
    return folder if len(folder) >= DIGEST else place


def is_named_in(place: str, text: str) -> bool:
    """Return whether the JSON `text` names the file at this relative path."""
    return json.dumps(mark_of(place), ensure_ascii=False)[1:-1] in text


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClaim:
    """One account's right to one file."""

    user_id: UserId
    key: FileKey
    size: int | None
    """Bytes; None for a claim of an earlier release whose file has not been seen since."""
    used_at: datetime
    """When it was last claimed, fetched or named, exact to MARKED_EVERY."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file as the folder has it."""

    place: str
    """Its path within the folder, with "/"."""
    size: int
    changed_at: datetime
    """When it was written or moved there, as the file system says."""
    is_aside: bool = False
    """Taken out of its place to be removed."""

    @property
    def key(self) -> FileKey:
        return file_key(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePolicy:
    quota: int
    """Bytes of the files that one account may have a claim on."""
    keep: timedelta | None
    """How long a claim lasts after its last use; None: for ever."""

    def must_fit(self, used: int, more: int) -> None:
        """Refuse `more` bytes that do not fit. Raises FilesQuotaExceeded."""
        if used + more > self.quota:
            raise FilesQuotaExceeded(
                f"Your files take {_megabytes(used)} of the {_megabytes(self.quota)} that an account may have, and with "
                f"this they would take more. {self._way_out}"
            )

    def unused_before(self, now: datetime) -> datetime | None:
        """Return the moment before which the last written use of an unused claim lies; None: claims never end."""
        return None if self.keep is None else now - self.keep - MARKED_EVERY

    @property
    def _way_out(self) -> str:
        ask = "Ask the operator of this service for a higher GRADIOAPP_FILES_QUOTA_MB"
        if self.keep is None:
            return f"{ask}."
        return (
            f"{ask}, or wait: files that you have not used for {self.keep.days} days are removed."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpace:
    """How much of its quota an account has used."""

    used: int
    """Bytes."""
    policy: FilePolicy

    def must_fit(self, more: int) -> None:
        """Refuse `more` bytes that do not fit. Raises FilesQuotaExceeded."""
        self.policy.must_fit(self.used, more)


def _megabytes(size: int) -> str:
    return f"{size / _MB:,.1f} MB"
