"""The code of other releases: of those before a migration, from git, and of a next one with a migration of its own."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.processes import ROOT

VERSIONS: Final = Path("migrations/versions")
_PACKAGES: Final = ("adapters", "application", "domain", "entrypoints", "gradioapp", "migrations")
_NEEDS_HISTORY: Final = (
    "The code of earlier releases comes from the history of git. Fetch it: git fetch --unshallow"
)
_MIGRATION: Final = '''"""A migration of a later release."""

import sqlalchemy as sa
from alembic import op

revision: str = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    {change}
'''


def migrations_in(code: Path) -> Sequence[str]:
    """Return the names of the files, the oldest first."""
    return sorted(file.name for file in (code / VERSIONS).glob("[0-9]*.py"))


def revision_of(code: Path, migration: str) -> str:
    found = re.search(r'^revision: str = "(.+)"$', (code / VERSIONS / migration).read_text(), re.M)
    assert found, migration
    return found[1]


def revisions_in(code: Path) -> Sequence[str]:
    return [revision_of(code, migration) for migration in migrations_in(code)]


def knows(code: Path, setting: str) -> bool:
    """Return whether a release has the setting. It refuses to start with one that it does not have."""
    model = (code / "application/settings/model.py").read_text()
    return re.search(rf"^    {setting.lower()}\\b", model, re.M) is not None


def code_before(migration: str, folder: Path) -> Path:
    """Write the code from before the commit that has added the migration to a folder in `folder`, and return it. Fails
    without the history of git."""
    path = str(VERSIONS / migration)
    added = _git("log", "--diff-filter=A", "--format=%H", "--", path).decode().split()
    code = folder / f"before-{migration.removesuffix('.py')}"
    code.mkdir()
    # A migration that is not committed yet is in no commit.
    archive = _git("archive", "--format=tar", f"{added[-1]}^" if added else "HEAD")
    subprocess.run(["tar", "-x", "-C", code], input=archive, check=True)
    return code


def code_with(revision: str, change: str, *, of: Path, folder: Path) -> Path:
    """Copy the code of a release, add a migration with this statement, and return the folder of the next release."""
    code = folder / f"with-{revision}"
    for package in _PACKAGES:
        shutil.copytree(of / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    text = _MIGRATION.format(revision=revision, before=revisions_in(of)[-1], change=change)
    (code / VERSIONS / f"{revision}.py").write_text(text)
    return code


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(
            ["git", "-C", ROOT, *arguments], check=True, capture_output=True
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.fail(_NEEDS_HISTORY)
