"""Give an author's file the arguments and the first entry of Python's path that it would have under `python FILE.py`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from entrypoints.ui.apps.process_values import ProcessValue

_ARGUMENTS: Final = ProcessValue[list[str]](
    get=lambda: sys.argv, put=lambda arguments: setattr(sys, "argv", arguments)
)


@contextmanager
def run_alone(file: str) -> Iterator[None]:
    """Replace `sys.argv` inside the block by the file and what stands after `--` on the command line: an app with
    arguments of its own must not read the service's."""
    with _ARGUMENTS.replaced([file, *_after_dashes(_ARGUMENTS.original)]):
        yield


def _after_dashes(typed: list[str]) -> list[str]:
    return typed[typed.index("--") + 1 :] if "--" in typed else []


def typed_command() -> str:
    """Return the command that runs the apps: `check`, or `serve`, which is also the default."""
    return "check" if _ARGUMENTS.original[1:2] == ["check"] else "serve"


@contextmanager
def first_in_path(folder: Path) -> Iterator[None]:
    """Make the folder `sys.path[0]` inside the block."""
    entry = str(folder)
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        if entry in sys.path:  # The app may have changed the path.
            sys.path.remove(entry)
