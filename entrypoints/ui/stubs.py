"""Gradio without writing its type stubs. At every start it makes those of its own components anew, which it is shipped
with: a quarter of the time until the service is there. Has to be imported before Gradio; nothing else of ours does
something when it is imported."""

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
            """An author's component has no other stub than the one that is written when it is imported."""
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
