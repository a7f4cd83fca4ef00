"""Say in one line why an author's file could not be loaded, and at which of its lines."""

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from sysconfig import get_path
from traceback import extract_tb
from types import ModuleType
from typing import Final

from entrypoints.ui.apps.arguments import typed_command
from entrypoints.ui.apps.distributions import DISTRIBUTIONS

OURS: Final = ("domain", "application", "adapters", "entrypoints", "migrations")
"""Names of our own packages. An author's module must not have one of them: Python would import the wrong one."""
WRONG_ARGUMENTS: Final = 2
"""The exit code of argparse and click."""
ROOT: Final = Path(__file__).resolve().parents[3]
_LIBRARIES: Final = (
    *(Path(get_path(name)) for name in ("stdlib", "platstdlib")),
    *(ROOT / name for name in (*OURS, "gradioapp")),
)
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
"""The names of the folders into which packages are installed, wherever they are."""


def fault_of(where: str, path: Path | None, error: BaseException) -> str:
    """Return one line with the error, and the deepest line of the author's files that led to it: of the app's file or of a
    helper module, not of a library."""
    if isinstance(error, SyntaxError):
        return f"{_place_of(error, path) or where}: SyntaxError: {error.msg}"
    if isinstance(error, ModuleNotFoundError) and path is None and _is_above(error.name, where):
        return (
            f"There is no module {where}, neither in this folder nor installed. "
            "Type: gradioapp serve --app FILE.py:NAME"
        )
    steps = [s for s in extract_tb(error.__traceback__) if not s.filename.startswith("<frozen ")]
    theirs = [s for s in steps if s.filename == str(path) or _is_an_authors(s.filename)]
    deepest = (theirs or steps)[-1:]
    place = f"{deepest[0].filename}, line {deepest[0].lineno}" if deepest else where
    if hidden := _hidden_by_ours(error):
        return f"{place}: {hidden} has the name of a package of gradioapp, which is imported instead. Rename it."
    said = f"{type(error).__name__}: {error}".strip().rstrip(":")
    if isinstance(error, ModuleNotFoundError):
        return f"{place}: {said}. {_how_to_add(error.name)}"
    if isinstance(error, SystemExit) and error.code == WRONG_ARGUMENTS:
        again = f"gradioapp {typed_command()} --app {where} -- ARGUMENTS"
        return f"{place}: {said}. Type its arguments behind --: {again}"
    return f"{place}: {said}"


def _is_an_authors(file: str) -> bool:
    """Return whether the file is neither ours, nor installed, nor of the standard library."""
    path = Path(file)
    is_of_a_library = any(path.is_relative_to(folder) for folder in _LIBRARIES)
    return path.is_absolute() and not is_of_a_library and _INSTALLED.isdisjoint(path.parts)


def _place_of(error: SyntaxError, path: Path | None) -> str | None:
    """Return the file and line. Python does not tell those of a NUL byte."""
    if error.filename is not None:
        return f"{error.filename}, line {error.lineno}"
    lines = [] if path is None else path.read_bytes().split(b"\n")
    bad = (number for number, line in enumerate(lines, 1) if 0 in line)
    return next((f"{path}, line {number}" for number in bad), None)


def _is_above(name: str | None, module: str) -> bool:
    """Return whether `name` is the module itself, or a package above it."""
    return name is not None and (module == name or module.startswith(f"{name}."))


def _how_to_add(module: str | None) -> str:
    """Return how to install what has the module. Names only packages that are known: a misspelt name may be a
    stranger's package."""
    package = DISTRIBUTIONS.get((module or "").partition(".")[0])
    if package is None:
        return "If the name is right, add the package that has this module: uv run --with PACKAGE …"
    return f"Add what the app needs with: uv run --with {package} …"


def _hidden_by_ours(error: BaseException) -> str | None:
    """Return the file of an author's or installed module that is hidden by our package of the same name, or None."""
    match error:
        case AttributeError(obj=ModuleType() as module):
            meant = module.__name__
        case ImportError(name=str(meant)):
            pass
        case _:
            return None
    name = meant.partition(".")[0]
    if name not in OURS:
        return None
    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
    found = PathFinder.find_spec(name, elsewhere)
    return found.origin if found is not None else None
