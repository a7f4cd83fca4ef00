"""Counts what a JSON text holds before it is parsed: a parser holds the event loop, and memory, for all of it at once.

Every operation is one over many bytes; there is no loop over single ones. A text that is no JSON may be miscounted, but not
before its first wrong byte, where the parser stops.
"""

from array import array
from itertools import accumulate
from typing import Final

from starlette.exceptions import HTTPException

from entrypoints.ui.caps import DEEPEST, NODES

SLICE: Final = 64 * 1024
"""Bytes counted at a time: 3 ms at most."""

_BEGINS, _ENDS, _OTHER = 1, -1, 0
_STRUCTURE: Final = b"[]{}:,"
_TEXT: Final = bytes(set(range(256)) - set(_STRUCTURE))
_STEPS: Final = bytes(
    (_BEGINS if byte in b"[{" else _ENDS if byte in b"]}" else _OTHER) % 256 for byte in range(256)
)
"""A bracket as what it adds to the depth, as a signed byte."""


class Scan:
    """`nodes` counts values and names of members, an empty list or object as one more. Brackets and commas inside of
    strings count nothing."""

    def __init__(self) -> None:
        self.nodes = 1
        self._depth = 0
        self._is_in_string = False
        self._rest = b""

    def read(self, text: bytes) -> None:
        """The next part, at most SLICE bytes of it. Raises HTTPException as soon as it is too much."""
        structure = self._outside_of_strings(text).translate(None, _TEXT)
        steps = structure.translate(_STEPS, b":,")
        begins = steps.count(_BEGINS)
        self.nodes += len(structure) - (len(steps) - begins)
        if self.nodes > NODES:
            raise HTTPException(
                413, f"The body has more than {NODES:,} values: send them in parts, or as a file."
            )
        if self._depth + begins > DEEPEST:
            deepest = max(accumulate(array("b", steps)), default=0)
            if self._depth + deepest > DEEPEST:
                raise HTTPException(400, f"The body is nested more than {DEEPEST} levels deep.")
        self._depth += 2 * begins - len(steps)

    def _outside_of_strings(self, text: bytes) -> bytes:
        text = self._rest + text
        # From left to right, so that of a row of backslashes each escapes the next.
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
        self._rest = b"\\" if text.endswith(b"\\") else b""
        parts = text.split(b'"')
        outside = b"".join(parts[self._is_in_string :: 2])
        self._is_in_string ^= len(parts) % 2 == 0
        return outside
