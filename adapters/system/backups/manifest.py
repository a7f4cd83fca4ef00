"""The manifest of a backup: what made it, and size and checksum of each member."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

MANIFEST: Final = "manifest.json"
"""The last member: a backup without it is not complete."""
DATABASE: Final = "database.sqlite3"
KEY: Final = "secret.key"
FILES: Final = "gradio"
"""The folder of all other members."""
FORMAT: Final = 1
LARGEST_MANIFEST: Final = 256 * 1024 * 1024
"""Bytes; enough for more than a million files."""


class BackupDamaged(Exception):
    """The file is no backup, or not as it was made. The message is a part of a sentence for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    release: str
    revision: str
    """The schema of the database."""
    made_at: str
    """ISO 8601."""
    members: Mapping[str, Member]

    @property
    def size(self) -> int:
        return sum(member.size for member in self.members.values())

    def encoded(self) -> bytes:
        members = {name: asdict(member) for name, member in self.members.items()}
        whole = {
            "format": FORMAT,
            "release": self.release,
            "revision": self.revision,
            "made_at": self.made_at,
            "members": members,
        }
        return json.dumps(whole, indent=1).encode()

    @classmethod
    def decoded(cls, text: bytes) -> Self:
        """Raises BackupDamaged."""
        try:
            whole = json.loads(text)
            if whole["format"] != FORMAT:
                raise BackupDamaged(
                    f"it has the format {whole['format']!r:.20}, which this release does not know"
                )
            return cls(
                release=_text(whole["release"]),
                revision=_text(whole["revision"]),
                made_at=_text(whole["made_at"]),
                members={name: _member(member) for name, member in whole["members"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BackupDamaged("its manifest cannot be read") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 100:
        raise TypeError
    return value


def _member(value: Any) -> Member:
    size, sha256 = value["size"], value["sha256"]
    if type(size) is not int or not isinstance(sha256, str):
        raise TypeError
    return Member(size=size, sha256=sha256)
