"""A disk that takes no more, said as what it is."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from domain.errors import DiskFull

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM})


def is_full(error: BaseException | None) -> bool:
    """Also where Gradio says that a component failed because of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


@contextmanager
def writing_files() -> Iterator[None]:
    """Around what writes to Gradio's folder and nowhere else. Raises DiskFull where the disk takes nothing."""
    try:
        yield
    except OSError as error:
        if is_full(error) or error.errno in _REFUSED:
            raise DiskFull from error
        raise
