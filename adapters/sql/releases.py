"""Which releases may use a schema. The name of its revision says it: a release can read the name before it has the migration."""

import re
from collections.abc import Collection
from typing import Final

_ADDS_ONLY: Final = re.compile(r"\d{4}_since_(?P<oldest>\d{4})")


def number_of(revision: str) -> str:
    """Return `0012` for `0012` and for `0012_since_0011`."""
    return revision.partition("_")[0]


def oldest_for(revision: str) -> str:
    """Return the number of the oldest revision whose release may use the schema: `0011` for `0012_since_0011`, and `0012`
    for `0012`, which only releases may use that have its migration."""
    found = _ADDS_ONLY.fullmatch(revision)
    return found["oldest"] if found else revision


def may_use(revision: str, known: Collection[str]) -> bool:
    """Return whether a release with these revisions may read and write a schema of a later one."""
    return revision in known or oldest_for(revision) in {number_of(each) for each in known}
