"""The memory allocator of a serving process."""

import subprocess
import sys
from typing import Final

import pytest

MAPPED: Final = """
import ctypes

from entrypoints.cli.memory import tune_memory


class Usage(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]


libc = ctypes.CDLL("libc.so.6")
libc.mallinfo2.restype = Usage
TUNED
large = bytearray(30_000_000)
del large  # By default glibc keeps blocks of this size on its heap from here on.
before = libc.mallinfo2().hblkhd
pictures = [bytearray(10_000_000) for _ in range(3)]
print(libc.mallinfo2().hblkhd - before)
"""
"""Print how many of 30,000,000 bytes are mapped separately, and so return to the system when they are freed."""


@pytest.mark.skipif(sys.platform != "linux", reason="Other C libraries have no such threshold.")
@pytest.mark.parametrize(("tuned", "expected"), [("tune_memory()", True), ("", False)])
def test_large_blocks_are_mapped_separately_even_after_a_larger_one_was_freed(
    tuned: str, *, expected: bool
) -> None:
    code = MAPPED.replace("TUNED", tuned)

    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert (int(printed) >= 30_000_000) is expected
