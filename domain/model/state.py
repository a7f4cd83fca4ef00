"""Values that outlive a request: session data (per sign-in) and account state (per account)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.errors import StateInvalid

JsonValue = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | bool | None

LARGEST_KEY: Final = 200
"""Characters."""
LARGEST_VALUE: Final = 64 * 1024
"""Bytes of UTF-8 JSON, for one value."""
LARGEST_TOTAL: Final = 1024 * 1024
"""Bytes of UTF-8 JSON, for all values of one owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stored value. Its version starts at 1 and grows by one with every write."""

    value: JsonValue
    version: int


Entries = Mapping[str, Entry]


class Removed:
    """Marks a key that a set of changes removes."""


REMOVED: Final = Removed()
Changes = Mapping[str, JsonValue | Removed]
Updates = Mapping[str, Sequence[Callable[[JsonValue], JsonValue]]]
"""For each key, the functions to apply one after the other to the stored value."""


def checked_key(key: object) -> str:
    if not isinstance(key, str) or not key or len(key) > LARGEST_KEY or "\0" in key:
        raise StateInvalid(
            f"A key must be a text of 1 to {LARGEST_KEY} characters without NUL, not {key!r:.60}."
        )
    _must_be_utf8(key, f"The key {key!r:.60}")
    return key


def encoded(key: str, value: object) -> str:
    """Return the value as JSON text. Raises StateInvalid if it is not JSON or larger than LARGEST_VALUE."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise StateInvalid(f"The value of {key!r} is not JSON: {error}") from error
    _must_have_text_keys(key, value)
    size = len(_must_be_utf8(text, f"The value of {key!r}"))
    if "\\u0000" in text:
        raise StateInvalid(f"The value of {key!r} contains a NUL character.")
    if size > LARGEST_VALUE:
        raise StateInvalid(
            f"The value of {key!r} has {size} bytes as JSON; the limit is {LARGEST_VALUE}."
        )
    return text


def _must_have_text_keys(key: str, value: object) -> None:
    """Raises StateInvalid for keys that are not text. json.dumps would silently turn 1 into "1", and the value read
    would differ from the value written."""
    if isinstance(value, dict):
        for inner, item in value.items():
            if not isinstance(inner, str):
                raise StateInvalid(
                    f"The value of {key!r} has a key that is not text: {inner!r:.60}"
                )
            _must_have_text_keys(key, item)
    elif isinstance(value, list | tuple):
        for item in value:
            _must_have_text_keys(key, item)


def _must_be_utf8(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise StateInvalid(f"{what} contains a lone surrogate.") from error
