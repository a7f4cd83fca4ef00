"""Find the service's own packages before installed modules of the same names, such as PyPI's `entrypoints`."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

OURS: Final = ("domain", "application", "adapters", "entrypoints", "migrations")
SHARED: Final = "entrypoints"
"""This package also stands for the installed module of the same name: see `entrypoints/__init__.py`."""
ROOT: Final = Path(__file__).resolve().parents[1]


class _OursFirst(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 -- The signature of MetaPathFinder.
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(ROOT)], target) if fullname in OURS else None


def find_ours_first() -> None:
    """Make Python import our packages before others. Raises ImportError if the script's folder has a module with one
    of our names, or the script has imported one."""
    if any(isinstance(finder, _OursFirst) for finder in sys.meta_path):
        return
    for name in OURS:
        file = _imported(name) or _beside_the_script(name)
        if file is not None and name != SHARED:
            raise ImportError(
                f"{file} has the name of a package of gradioapp, which would be imported instead. Rename it."
            )
    sys.meta_path.insert(0, _OursFirst())
    if _imported(SHARED):
        # Modules that have already imported PyPI's module keep their reference to it.
        del sys.modules[SHARED]


def _imported(name: str) -> str | None:
    return _not_ours(getattr(sys.modules.get(name), "__file__", None))


def _beside_the_script(name: str) -> str | None:
    found = PathFinder.find_spec(name, sys.path[:1])
    return _not_ours(found.origin if found else None)


def _not_ours(file: str | None) -> str | None:
    return None if file is None or Path(file).resolve().is_relative_to(ROOT) else file
