"""The folder of a service that keeps its things on its own disk."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


def private_folder(path: Path) -> Path:
    """Make the folder if it is missing, for its owner alone and for no repository; an existing one stays as it is."""
    if not path.exists():
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        (path / ".gitignore").write_text("*\n")
    return path


def secret_in(path: Path, new_secret: str) -> str:
    """What the file holds; if there is none yet, it is made with `new_secret`, and of two processes at once both
    answer the same. Raises PermissionError when others than its owner may read it (ASVS 13.3.2)."""
    private_folder(path.parent)
    with suppress(FileExistsError):
        _create_whole(path, new_secret)
    if path.stat().st_mode & 0o077:
        raise PermissionError(
            f"{path} can be read by others than its owner. Type: chmod 600 {path}"
        )
    return path.read_text().strip()


def _create_whole(path: Path, text: str) -> None:
    """Written aside and linked into place: nobody ever reads half a secret. Raises FileExistsError."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.link(aside, path)
    finally:
        aside.unlink()
