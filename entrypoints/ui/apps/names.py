"""Read what `--app` names: `FILE.py`, `FILE.py:NAME` or `module:NAME`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

USUAL_FILES: Final = frozenset({"app", "demo", "gradio_app", "main", "run", "ui"})
"""File names that say nothing about the app; the title then comes from the folder's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppName:
    """What names an app. It is read before the first app is loaded: an app may change the working directory."""

    typed: str
    where: str
    """The file or module, as it was typed."""
    name: str
    """The app's name in it, or an empty text."""
    file: Path | None
    """The absolute path of the file; links are not followed. None for a module."""

    @classmethod
    def read(cls, typed: str) -> Self:
        where, name = _parts(typed)
        file = Path(where).absolute() if _is_file(where) else None
        return cls(typed=typed, where=where, name=name, file=file)

    @property
    def source(self) -> Path | str:
        """The file, to which links are followed, or the name of the module: one for all apps in it."""
        return self.where if self.file is None else self.file.resolve()

    @property
    def words(self) -> Sequence[str]:
        """Possible names of the app, the best first: the file's name, then its folder's. For USUAL_FILES, the
        folder's comes first."""
        if self.file is None:
            last, *above = reversed(self.where.split("."))
        else:
            last, above = self.file.stem, [self.file.resolve().parent.name]
        return sorted([last, *above[:1]], key=lambda word: word.lower() in USUAL_FILES)

    @property
    def title(self) -> str:
        return self.words[0].replace("_", " ").replace("-", " ").strip().capitalize()


def _parts(typed: str) -> tuple[str, str]:
    """Return the file or module, and the app's name, which may be empty. The colon of a Windows drive does not
    count."""
    where, colon, name = typed.rpartition(":")
    if not colon or "/" in name or "\\" in name or name.endswith(".py"):
        return typed, ""
    return where, name


def _is_file(where: str) -> bool:
    path = Path(where)
    has_path = where.endswith(".py") or "/" in where or "\\" in where
    return has_path or (path.suffix != "" and path.is_file())
