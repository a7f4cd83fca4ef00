"""Stop Gradio from writing type stubs of its own components at every start, although it ships with them: that takes a
quarter of the start-up time. This module must be imported before Gradio. No other module of ours has effects on import.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any, Final

_MODULE: Final = "gradio.component_meta"


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        write = module.create_or_modify_pyi

        def write_of_others(component: type, *rest: Any) -> None:
            """Write stubs only for authors' components, which have no shipped stubs."""
            if component.__module__.partition(".")[0] != "gradio":
                write(component, *rest)

        vars(module)["create_or_modify_pyi"] = write_of_others


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = PathFinder.find_spec(fullname, path, target) if fullname == _MODULE else None
        if found is not None and found.origin is not None:
            found.loader = _Loader(fullname, found.origin)
        return found


if _MODULE not in sys.modules:
    sys.meta_path.insert(0, _Finder())
