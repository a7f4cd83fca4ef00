"""A user's file: who may fetch it and how long it is kept, not its content."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NewType

from domain.errors import FilesQuotaExceeded
from domain.model.user import UserId

FileKey = NewType("FileKey", bytes)
"""32 bytes: SHA-256 of the path within the apps' file folder. The path depends on the content, so equal files have one
key and belong to every account that sent or received them."""

MARKED_EVERY: Final = timedelta(days=1)
"""Shortest time between two writes of a claim's last use."""
UPLOADS: Final = ".uploads"
"""Subfolder for incomplete uploads."""
LEFT: Final = timedelta(days=1)
"""A partial upload or a file set aside that is older than this was left by a process that died."""
WITHOUT_FILE: Final = timedelta(days=7)
"""Extra lifetime of a claim whose file is not in the folder: the file may be on another replica, which decides about
it."""
DIGEST: Final = 32
"""Characters. Gradio's folder names of at least this length appear in no text by chance."""

_MB: Final = 1024 * 1024


def file_key(path: str) -> FileKey:
    """Return the key of a file. `path` is relative, uses "/" and may contain any character that a file system allows."""
    return FileKey(sha256(path.encode(errors="surrogatepass")).digest())


def mark_of(place: str) -> str:
    """Return the part of a relative path that every text naming the file contains: the folder if it is named after the
    content, otherwise the whole path."""
    folder = place.partition("/")[0]
    return folder if len(folder) >= DIGEST else place


def is_named_in(place: str, text: str) -> bool:
    """Return whether the JSON `text` names the file with this relative path."""
    return json.dumps(mark_of(place), ensure_ascii=False)[1:-1] in text


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClaim:
    """The right of one account to one file."""

    user_id: UserId
    key: FileKey
    size: int | None
    """Bytes. None for a claim from an earlier release whose file has not been seen since."""
    used_at: datetime
    """When the file was last claimed, fetched or named, exact to MARKED_EVERY."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file in the folder."""

    place: str
    """The path within the folder, with "/"."""
    size: int
    changed_at: datetime
    """When the file was written or moved to this place, according to the file system."""
    is_aside: bool = False
    """True if the file was taken out of its place to be removed."""

    @property
    def key(self) -> FileKey:
        return file_key(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePolicy:
    quota: int
    """Bytes of files that one account may claim."""
    keep: timedelta | None
    """Lifetime of a claim after its last use. None: no limit."""

    def must_fit(self, used: int, more: int) -> None:
        """Raises FilesQuotaExceeded if `more` bytes do not fit."""
        if used + more > self.quota:
            raise FilesQuotaExceeded(
                f"Your files use {_megabytes(used)} of your quota of {_megabytes(self.quota)}, and the new files would exceed it. "
                f"{self._way_out}"
            )

    def unused_before(self, now: datetime) -> datetime | None:
        """Return the latest stored time of use at which a claim counts as unused. None: claims do not expire."""
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
        """Raises FilesQuotaExceeded if `more` bytes do not fit."""
        self.policy.must_fit(self.used, more)


def _megabytes(size: int) -> str:
    return f"{size / _MB:,.1f} MB"
