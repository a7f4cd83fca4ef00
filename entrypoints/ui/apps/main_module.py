"""Let an author's file be the module `__main__`, and let its names be found there when it no longer is."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, Final

from entrypoints.ui.apps.process_values import ProcessValue

_NAME: Final = "__main__"
_FIND: Final = "__getattr__"
_MAIN: Final = ProcessValue[ModuleType](
    get=lambda: sys.modules[_NAME], put=lambda module: sys.modules.update({_NAME: module})
)

_files: list[ModuleType] = []
"""The files that are served. There may be several, and one module `__main__`."""


@contextmanager
def as_main(module: ModuleType) -> Iterator[None]:
    """Make this the module `__main__` inside the block, for pickles and for processes that it starts. Afterwards it has
    its own name, and so have its classes and functions: several files may have a class of the same name."""
    name, spec = module.__name__, module.__spec__
    module.__name__, module.__spec__ = _NAME, None
    try:
        with _MAIN.replaced(module):
            yield
    finally:
        module.__name__, module.__spec__ = name, spec
        _rename(vars(module), name)


def begin_to_find(module: ModuleType) -> None:
    """Find names of this file in `__main__`, which has another program's names now. A pickle that was written under
    `python FILE.py` names them there."""
    _files.append(module)
    vars(_MAIN.original).setdefault(_FIND, _find)


def end_to_find(module: ModuleType) -> None:
    """May be called again."""
    if module in _files:
        _files.remove(module)
    if not _files and vars(_MAIN.original).get(_FIND) is _find:
        delattr(_MAIN.original, _FIND)


def program() -> str | None:
    """Return the path of the file that is the module `__main__`, or None if it is none of an author's."""
    main = sys.modules[_NAME]
    return str(main.__file__) if main in _files else None


def found() -> Mapping[str, str]:
    """Return the paths of the files by the names of their modules."""
    return {module.__name__: str(module.__file__) for module in _files}


def _find(name: str) -> Any:
    """Find a name in the file whose code asks for it, then in the others. Python calls this for a name that `__main__`
    does not have (PEP 562)."""
    if not name.startswith("__"):
        for module in (*_asking(), *_files):
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module '{_NAME}' has no attribute {name!r}")


def _asking() -> Iterator[ModuleType]:
    """Yield the files whose code is running in this thread, the latest call first."""
    frame = sys._getframe()  # noqa: SLF001 -- The documented way to the caller's frame.
    while frame.f_back is not None:
        frame = frame.f_back
        yield from (module for module in _files if vars(module) is frame.f_globals)


def _rename(names: dict[str, Any], module: str) -> None:
    for value in list(names.values()):
        is_named = isinstance(value, type | FunctionType) or hasattr(type(value), "cache_info")
        if is_named and value.__module__ == _NAME:
            value.__module__ = module
            if isinstance(value, type):
                _rename(dict(vars(value)), module)
