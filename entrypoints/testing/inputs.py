"""Say what to pass in place of an input that no client can send as JSON."""

import json
from datetime import date, time
from functools import partial
from pathlib import PurePath
from typing import Any, Final

_PLAIN: Final = "Pass text, numbers, lists and dicts with text as keys, as a browser sends them."


class _NotSendable(Exception):
    def __init__(self, value: object) -> None:
        self.value = value


def advice_on(value: Any, *, besides: type) -> str:
    """Return what is wrong with the value and what to pass instead, or an empty text if it can be sent. Values of the
    type `besides` can be sent too."""
    try:
        json.dumps(value, allow_nan=False, default=partial(_refuse, besides=besides))
    except _NotSendable as found:
        kind = type(found.value).__name__
        begin = f"is a {kind}" if found.value is value else f"is or has a {kind}"
        return f"{begin}, which no client can send. {_instead_of(found.value)}"
    except (TypeError, ValueError, RecursionError):  # Keys, NaN, and values within themselves.
        return f"is nothing that a client can send. {_PLAIN}"
    return ""


def _refuse(value: object, *, besides: type) -> None:
    if not isinstance(value, besides):
        raise _NotSendable(value)


def _instead_of(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return "Pass person.upload(NAME, value)."
    if isinstance(value, PurePath):
        return "Pass person.upload(value.name, value.read_bytes())."
    if isinstance(value, set | frozenset):
        return "Pass list(value)."
    if isinstance(value, date | time):
        return "Pass value.isoformat()."
    return _instead_of_library_value(value)


def _instead_of_library_value(value: Any) -> str:
    """Ask by names: the libraries need not be imported for this."""
    library = type(value).__module__.partition(".")[0]
    if library == "PIL":
        return "Save it to bytes, and pass person.upload(NAME, BYTES)."
    if hasattr(value, "columns") and hasattr(value, "values"):
        return 'Pass {"headers": list(value), "data": value.values.tolist()}.'
    if library == "numpy" and getattr(value, "ndim", 0) == 0 and hasattr(value, "item"):
        return "Pass value.item()."
    if hasattr(value, "tolist"):
        return "Pass value.tolist(), or for a picture or sound person.upload(NAME, BYTES)."
    return _PLAIN
