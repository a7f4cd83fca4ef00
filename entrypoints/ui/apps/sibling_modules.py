"""Let each app import the modules in its own folder, even if two apps have modules of the same name."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def apart_from(folders: Collection[Path], *, keep: Collection[str]) -> Iterator[None]:
    """Hide these folders, and the modules imported from them, inside the block, except the names in `keep`. Afterwards,
    restore them; a name that was also imported inside the block then means the earlier module again."""
    path = list(sys.path)
    beside = {
        name
        for name, module in sys.modules.items()
        if "." not in name and name not in keep and _folders_of(module) & set(folders)
    }
    hidden = {name: m for name, m in sys.modules.items() if name.partition(".")[0] in beside}
    sys.path[:] = [entry for entry in path if Path(entry) not in folders]
    for name in hidden:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(hidden)
        sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]


def _folders_of(module: object) -> set[Path]:
    """Return the folders that contain this top-level module or package."""
    if (inside := getattr(module, "__path__", None)) is not None:
        return {Path(folder).parent for folder in inside}
    file = getattr(module, "__file__", None)
    return {Path(file).parent} if isinstance(file, str) else set()
