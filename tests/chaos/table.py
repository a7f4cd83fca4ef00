"""The table that the suite prints: one row for each fault."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Row:
    fault: str
    acknowledged: int
    """Writes that the service has confirmed."""
    refused: int
    """Writes with 503, another refusal, or no response in time. Their writers know that they must write again."""
    lost: int
    half_made: int
    probes: int
    """Requests with bad credentials."""
    let_in: int
    other_5xx: int
    """Responses of the 500s, other than 503."""
    slowest: float
    """Seconds of the slowest acknowledged write."""
    recovered: float
    """Seconds from the end of the fault until ten writes in a row have succeeded."""


_HEADS: Final = {
    "half_made": "half-made",
    "let_in": "let in",
    "other_5xx": "other 5xx",
    "slowest": "slowest s",
    "recovered": "recovered s",
}


def lines_of(rows: Sequence[Row]) -> Iterator[str]:
    names = [field.name for field in fields(Row)]
    table = [[_HEADS.get(name, name) for name in names], *(_texts(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(names))]
    for first, *others in table:
        numbers = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *numbers))


def _texts(row: Row) -> list[str]:
    return [f"{value:.1f}" if isinstance(value, float) else str(value) for value in astuple(row)]
