"""The values of a JSON text are counted before it is parsed."""

import json
from typing import Any, Final

import pytest
from starlette.exceptions import HTTPException

from entrypoints.ui.limits import DEEPEST, NODES
from entrypoints.ui.wire.json_scan import Scan

TEXTS: Final = (
    "{}",
    "[]",
    '""',
    "[[], {}, [[]]]",
    '{"a": [1, 2.5, -3e7, true, null], "b": {"c": "d"}}',
    '["[,]{:}", ",", "{", "]"]',
    r'["\"", "\\", "\\\"", "\\\\", "\\\\\"[", "a\\", ["\"]"]]',
    r'["\n\t\/\b", "\u0022[", "\ud83d\ude00", "\\u0022,"]',
    '["ü[", "日,本", "\U0001f600:"]',
    ' [ 1 , [ 2 ] , "x" ] \n',
)


def counted(value: Any) -> int:
    """Return the number of values and names, plus one for each empty list or object."""
    if isinstance(value, dict):
        return 1 + (sum(1 + counted(item) for item in value.values()) or 1)
    if isinstance(value, list):
        return 1 + (sum(map(counted, value)) or 1)
    return 1


def read(text: str | bytes, step: int = 10**6) -> Scan:
    raw = text.encode() if isinstance(text, str) else text
    scan = Scan()
    for start in range(0, len(raw), step):
        scan.read(raw[start : start + step])
    return scan


@pytest.mark.parametrize("text", TEXTS)
def test_values_and_names_are_counted_wherever_the_chunks_break(text: str) -> None:
    expected = counted(json.loads(text))

    for step in range(1, len(text.encode()) + 1):
        assert read(text, step).nodes == expected, step


@pytest.mark.asvs("15.2.2")
def test_only_more_values_than_the_limit_are_refused() -> None:
    for enough, too_many in (
        ("[" + "0," * (NODES - 2) + "0]", "[" + "0," * (NODES - 1) + "0]"),
        ("[" + "[]," * (NODES // 2 - 1) + "0]", "[" + "[]," * (NODES // 2) + "0]"),
        ('{"a":0' + ',"a":0' * (NODES // 2 - 2) + "}", '{"a":0' + ',"a":0' * (NODES // 2) + "}"),
    ):
        assert read(enough, 65536).nodes <= NODES
        with pytest.raises(HTTPException) as refused:
            read(too_many, 65536)
        assert refused.value.status_code == 413
        assert f"{NODES:,} values" in refused.value.detail


@pytest.mark.asvs("15.2.2")
@pytest.mark.parametrize("step", [1, 7, 65536])
def test_only_a_text_deeper_than_the_limit_is_refused(step: int) -> None:
    for begin, end, times in (
        ("[", "]", DEEPEST),
        ('{"a":', "}", DEEPEST),
        ('[{"[":', "}]", DEEPEST // 2),
    ):
        deep = begin * times + "0" + end * times
        read(f"{deep},{deep}", step)

        with pytest.raises(HTTPException) as refused:
            read(f"[{deep}]", step)
        assert refused.value.status_code == 400
        assert f"{DEEPEST} levels" in refused.value.detail


def test_nothing_inside_a_string_counts() -> None:
    text = json.dumps(["[,]{:}" * 200_000, '\\"[' * 100_000, "\\" * 100_001])

    assert read(text, 65536).nodes == 4


def test_an_excessive_text_is_refused_at_the_first_chunk_beyond_the_limit() -> None:
    scan, part = Scan(), b"[]," * 1000
    for _ in range(NODES // 2000 - 1):
        scan.read(part)

    with pytest.raises(HTTPException):
        scan.read(part)
