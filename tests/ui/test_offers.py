"""Addresses of MCP resources are read in linear time, with the same result as a pattern with `[^/]+`."""

import re
from collections.abc import Iterator
from itertools import product

import pytest

from entrypoints.ui.mcp.offers import names_in, values_in

TEMPLATES = (
    *("-", "{x}", "{x}-", "-{x}", "{x}{y}", "{x}-{y}", "{x}/{y}", "{x}-{y}-{z}", "{x}--{y}"),
    *(
        "{x}-/{y}",
        "{x}//{y}",
        "{x}{y}-{z}",
        "-{x}a{y}-",
        "a{x}-a{y}a",
        "{x}/-{y}-/{z}",
        "{a b}-{x}",
    ),
)


def as_a_pattern(uri: str, template: str) -> dict[str, str] | None:
    pattern = re.escape(template)
    for name in names_in(template):
        pattern = pattern.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>[^/]+)")
    found = re.fullmatch(pattern, uri)
    return None if found is None else found.groupdict()


def addresses(longest: int) -> Iterator[str]:
    for length in range(longest + 1):
        yield from map("".join, product("a-/", repeat=length))


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_values_are_those_that_a_pattern_finds(template: str) -> None:
    found = 0
    for uri in [*addresses(8), "{a b}-x"]:
        expected = as_a_pattern(uri, template)
        found += expected is not None
        assert values_in(uri, template=template) == expected, uri
    assert found


@pytest.mark.parametrize(
    ("uri", "values"),
    [
        ("note://2024-05", {"year": "2024", "month": "05"}),
        ("note://2024-05-06", {"year": "2024-05", "month": "06"}),
        ("note://ü ber-\n", {"year": "ü ber", "month": "\n"}),
        ("note://2024", None),
        ("note://-05", None),
        ("note://20/24-05", None),
        ("notes://2024-05", None),
    ],
)
def test_the_address_of_a_dated_note_is_split_into_its_values(
    uri: str, values: dict[str, str] | None
) -> None:
    assert values_in(uri, template="note://{year}-{month}") == values


@pytest.mark.asvs("1.3.12")
def test_a_long_address_that_almost_matches_is_read_in_linear_time() -> None:
    template = "note://{a}-{b}-{c}-{d}-{e}/end"

    assert values_in("note://" + "-" * 1_000_000, template=template) is None
    assert values_in("note://" + "-" * 1_000_000 + "/x/end", template=template) is None
