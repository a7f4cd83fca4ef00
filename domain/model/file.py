"""A file that a user sent or was given: who may fetch it, not what is in it."""

from hashlib import sha256
from typing import NewType

FileKey = NewType("FileKey", bytes)
"""32 bytes: SHA-256 of the path within the folder that the app keeps its files in. Such a path names the content, so
the same content is the same file, and belongs to everybody who sent or was given it."""


def file_key(path: str) -> FileKey:
    """`path` is relative, with "/", and may hold whatever a file system allows."""
    return FileKey(sha256(path.encode(errors="surrogatepass")).digest())
