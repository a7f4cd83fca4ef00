"""What may be kept."""

from typing import Any

import pytest

from domain.errors import StateInvalid
from domain.model.state import LARGEST_VALUE, checked_key, encoded

_LOOP: list[Any] = []
_LOOP.append(_LOOP)


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "é", [], {}, {"a": [1, {"b": None}]}])
def test_json_can_be_kept(value: object) -> None:
    assert encoded("key", value)


@pytest.mark.parametrize(
    "value",
    [
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
    ],
)
def test_what_would_not_come_back_as_it_went_is_refused(value: object) -> None:
    with pytest.raises(StateInvalid, match="key"):
        encoded("key", value)


def test_a_value_has_a_largest_size_in_bytes() -> None:
    assert encoded("key", "x" * (LARGEST_VALUE - 2))

    with pytest.raises(StateInvalid, match=str(LARGEST_VALUE)):
        encoded("key", "é" * (LARGEST_VALUE // 2))


@pytest.mark.parametrize("key", ["", "x" * 201, 5, None, "a\0b", "\ud800"])
def test_a_key_is_a_text_of_a_sensible_length(key: object) -> None:
    with pytest.raises(StateInvalid):
        checked_key(key)
