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
    """One kept value. Its version starts at 1 and grows by one with every write."""

    value: JsonValue
    version: int


Entries = Mapping[str, Entry]


class Removed:
    """Stands in a set of changes for a key that is to go."""


REMOVED: Final = Removed()
Changes = Mapping[str, JsonValue | Removed]
Updates = Mapping[str, Sequence[Callable[[JsonValue], JsonValue]]]
"""Of each key the functions that make the new value of the stored one."""


def checked_key(key: object) -> str:
    if not isinstance(key, str) or not key or len(key) > LARGEST_KEY or "\0" in key:
        raise StateInvalid(
            f"A key is a text of 1 to {LARGEST_KEY} characters without NUL, not {key!r:.60}."
        )
    _must_be_utf8(key, f"The key {key!r:.60}")
    return key


def encoded(key: str, value: object) -> str:
    """The value as JSON text; raises StateInvalid for what is not JSON or larger than LARGEST_VALUE."""
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
            f"The value of {key!r} has {size} bytes as JSON; at most {LARGEST_VALUE} are kept."
        )
    return text


def _must_have_text_keys(key: str, value: object) -> None:
    """json.dumps turns 1 into "1" without a word; what comes back would not be what went in."""
    if isinstance(value, dict):
        for inner, item in value.items():
            if not isinstance(inner, str):
                raise StateInvalid(f"The value of {key!r} has a key that is no text: {inner!r:.60}")
            _must_have_text_keys(key, item)
    elif isinstance(value, list | tuple):
        for item in value:
            _must_have_text_keys(key, item)


def _must_be_utf8(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise StateInvalid(f"{what} contains a lone surrogate.") from error
