"""Tune the memory of a serving process: garbage collection, and the return of freed blocks to the system."""

import ctypes
import gc
import sys
from contextlib import suppress
from typing import Final

GARBAGE_AFTER: Final = 20_000
"""New container objects until the next garbage collection. With Python's default of 700, half the time of parsing a
large body goes into collections over its own new objects."""

LARGE: Final = 1024 * 1024
"""Bytes from which a block of memory is mapped separately, and unmapped when it is freed."""
_M_MMAP_THRESHOLD: Final = -3
"""The option's number in glibc's malloc.h."""


def tune_memory() -> None:
    """Call this once, after the application is built."""
    # Code and routes stay in memory. Without freezing them, each garbage collection visits all of them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])
    _unmap_large_blocks()


def _unmap_large_blocks() -> None:
    """Fix glibc's threshold for mapped blocks. By default glibc raises the threshold to the largest block freed so
    far, up to 32 MB; after one large picture, the blocks of the next ones go to the heap, and the heap never shrinks.
    Other C libraries have no such threshold."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, LARGE)
