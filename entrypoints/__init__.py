"""The entry points of the service: HTTP, Gradio, and the command line.

PyPI has a module of the same name, which papermill and others need. Attributes that are not ours come from that module.
"""

from typing import TYPE_CHECKING, Any

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_installed(), name)


def _installed() -> Any:
    """Load the installed module `entrypoints`. Raises AttributeError if there is none."""
    import sys
    from importlib.metadata import PackageNotFoundError, distribution
    from importlib.util import module_from_spec, spec_from_file_location

    kept = "_entrypoints_of_pypi"
    if kept not in sys.modules:
        try:
            file = distribution("entrypoints").locate_file("entrypoints.py")
        except PackageNotFoundError:
            raise AttributeError("module 'entrypoints' is a part of gradioapp") from None
        spec = spec_from_file_location(kept, str(file))
        assert spec is not None and spec.loader is not None  # noqa: S101, PT018 -- It is a file.
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[kept] = module
    return sys.modules[kept]
