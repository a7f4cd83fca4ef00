"""The main module of a process that an author's code spawns. It runs the author's file as Python does there, or finds
the files under their names here, and lets no app be launched: it would have no sign-in.

Python runs it by its path. It imports nothing of ours, because that would take longer than the file itself.
"""

import json
import runpy
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from typing import Any, Final

import gradio
from gradio import routes

REFUSAL: Final = "An app that is launched in a process of its own is not served."


def _refuse(*_: Any, **__: Any) -> Any:
    raise SystemExit(REFUSAL)


def _create_app(demo: gradio.Blocks, app: routes.App | None = None, **_: Any) -> routes.App:
    """Answer an application without routes. Gradio makes one for each app that is built."""
    app = app or routes.App()
    app.configure_app(demo)
    return app


class _Files(PathFinder):
    """Finds the served files."""

    files: Mapping[str, str] = {}

    @classmethod
    def find_spec(cls, fullname: str, *_: Any) -> ModuleSpec | None:
        file = cls.files.get(fullname)
        return None if file is None else spec_from_file_location(fullname, file)


def _begin(main: str | None, files: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the names of the main module. `main` is the file that is the program, if there is one."""
    gradio.Blocks.launch = _refuse  # type: ignore[method-assign]
    gradio.Server.launch = _refuse  # type: ignore[method-assign]
    gradio.mount_gradio_app = routes.mount_gradio_app = _refuse
    routes.App.create_app = staticmethod(_create_app)  # type: ignore[assignment]
    _Files.files = files
    sys.meta_path.insert(0, _Files)
    return {} if main is None else runpy.run_path(main, run_name=__name__)


if __name__ == "__mp_main__":
    globals().update(_begin(**json.loads(sys.argv.pop(1))))
