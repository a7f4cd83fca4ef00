"""The limits of stored values and keys."""

from typing import Any

import pytest

from domain.errors import StateInvalid
from domain.model.state import LARGEST_VALUE, checked_key, encoded

_LOOP: list[Any] = []
_LOOP.append(_LOOP)


def test_json_values_are_accepted(subtests: pytest.Subtests) -> None:
    values: list[object] = [None, True, 0, 1.5, "é", [], {}, {"a": [1, {"b": None}]}]

    for value in values:
        with subtests.test(value=value):
            assert encoded("key", value)


def test_a_value_that_json_cannot_store_unchanged_is_refused(subtests: pytest.Subtests) -> None:
    for value in [
        object(),
        {1, 2},
        b"bytes",
        float("nan"),
        float("inf"),
        {1: "a"},
        [{"a": {2: 3}}],
        _LOOP,
        "\ud800",
        "a\0b",
    ]:
        with subtests.test(value=value), pytest.raises(StateInvalid, match="key"):
            encoded("key", value)


def test_a_value_has_a_maximum_size_in_bytes() -> None:
    assert encoded("key", "x" * (LARGEST_VALUE - 2))

    with pytest.raises(StateInvalid, match=str(LARGEST_VALUE)):
        encoded("key", "é" * (LARGEST_VALUE // 2))


def test_a_key_must_be_a_text_of_limited_length(subtests: pytest.Subtests) -> None:
    for key in ["", "x" * 201, 5, None, "a\0b", "\ud800"]:
        with subtests.test(key=key), pytest.raises(StateInvalid):
            checked_key(key)
