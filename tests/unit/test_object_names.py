"""Only objects that this service has named are files of it."""

from datetime import UTC, datetime
from typing import Final

import pytest

from adapters.object_storage.names import key_of, new_name, versions_in

NAME: Final = new_name("a" * 64, 4, "b" * 32)
NOON: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)


def places(key: str) -> list[str]:
    return list(versions_in([(f"{key}/{NAME}", 4, NOON)]))


@pytest.mark.parametrize("place", ["a/b.txt", "a/100%.txt", "a/ä b", "a/\udcff", "a/..b", "a/\n"])
def test_what_we_have_named_is_found_under_its_place(place: str) -> None:
    assert places(key_of(place)) == [place]


@pytest.mark.parametrize(
    "key",
    [
        *("..%2F..%2Fq", "%2E%2E/r", "../r", "a/./b", "a//b", "/a", "x%2F%2Fy", "dir%2Fa"),
        *("a%zz", "%", "a%41"),
    ],
)
def test_what_another_program_has_named_is_no_file(key: str) -> None:
    assert places(key) == []
