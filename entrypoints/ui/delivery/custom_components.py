"""Serve the scripts and styles of components that are installed as packages, such as `gradio_pdf`."""

import inspect
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block
from starlette.exceptions import HTTPException
from starlette.responses import Response

from entrypoints.ui.calls.steps import Event, Output, Run, Step
from entrypoints.ui.wire.exchange import Exchange

REVALIDATED: Final = "private, no-cache"
"""Cache-Control: the address stays the same when the package is upgraded."""
_PARTS: Final = frozenset({"component", "example"})
_NAME: Final = re.compile(r"[\w-][\w.-]*", re.ASCII)
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".otf": "font/otf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
"""Media types by the endings of files. No other file is served."""


class CustomComponents(Step):
    """The components of one app that are not Gradio's own, by the ids that Gradio's front end requests."""

    def __init__(self, demo: gr.Blocks) -> None:
        self._folders: dict[str, Path] = {}
        for block in demo.blocks.values():
            self._add(type(block))

    async def run(self, event: Event, rest: Run) -> Output:
        """Add the components that gr.render has built."""
        output = await rest(event)
        if output.get("render_config") is not None and event.state is not None:
            for block in event.state.blocks_config.blocks.values():
                self._add(type(block))
        return output

    async def respond(self, exchange: Exchange) -> None:
        """Serve one file of a component's template folder. Raises HTTPException."""
        names = exchange.names
        if names["environment"] != "client":  # Gradio's server side rendering is off.
            raise HTTPException(404)
        file = self._file(names["id"], names["part"], names["file"])
        content = file.read_bytes()
        tag = f'"{sha256(content).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": REVALIDATED}
        sent = dict(exchange.scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
        response = (
            Response(status_code=304, headers=headers)
            if tag in sent
            else Response(content, headers=headers, media_type=_TYPES[file.suffix])
        )
        await response(exchange.scope, exchange.receive, exchange.send)

    def _add(self, kind: type[Block]) -> None:
        if kind.__module__.partition(".")[0] == "gradio":
            return
        number: str = kind.get_component_class_id()
        if number not in self._folders and (folder := _templates_of(kind)) is not None:
            self._folders[number] = folder

    def _file(self, number: str, part: str, name: str) -> Path:
        folder = self._folders.get(number)
        if folder is None or part not in _PARTS or _NAME.fullmatch(name) is None:
            raise HTTPException(404)
        file = (folder / part / name).resolve()
        is_inside = file.parent == folder / part
        if not is_inside or not file.is_file() or file.suffix not in _TYPES:
            raise HTTPException(404)
        return file


def _templates_of(kind: Any) -> Path | None:
    """Return the folder with the component's built files, or None if it has none: then Gradio draws it like the class
    from which it is derived."""
    try:
        module = Path(inspect.getfile(kind))
    except (OSError, TypeError):
        return None
    folder = (module.parent / kind.TEMPLATE_DIR).resolve()
    is_built = (folder / "component" / "index.js").is_file()
    return folder if is_built else None
