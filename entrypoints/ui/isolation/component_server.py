"""Handle calls of server functions, which a component's JavaScript makes from the browser."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from entrypoints.ui.files.named_files import (
    TOO_MANY,
    Named,
    hands_json_on,
    named_by,
    named_to_unknown,
)
from entrypoints.ui.files.words import TooManyFiles
from entrypoints.ui.files.workflows import must_be_for_visitors
from entrypoints.ui.isolation.account import Tab
from entrypoints.ui.isolation.kept_inputs import must_fit
from entrypoints.ui.isolation.request import HASH, Request
from entrypoints.ui.isolation.tab_names import within
from entrypoints.ui.limits import LAYERS
from entrypoints.ui.wire import json_bodies, multipart
from entrypoints.ui.wire.json_bodies import Body, steps_in, texts_in

_OF_THE_CALL: Final = frozenset({HASH, "component_id", "fn_name"})


async def respond(request: Request) -> None:
    if multipart.is_form(request.scope):
        form = await multipart.read(request.scope, request.receive)
        fields, raw, size = form.fields, b"", form.size
    else:
        read = await json_bodies.received(request.receive, request.account.large)
        form, fields, raw, size = None, read.body, read.raw, read.size
    tab = request.tab(fields.get(HASH))
    component, fn = _server_function(request, tab, fields)
    if form is not None or json_bodies.may_name_files(raw):
        await request.files.must_be_allowed(request.signed_in, _named_in(component, fields))
    await request.must_have_time_left()
    names = [name for file in form.files for name in file[:2]] if form else []
    await _note_names(request, component, fields, names)
    fields = {**fields, HASH: tab.name}
    if form is not None and isinstance(fields.get("id"), str):
        # An ImageEditor stores drawings of all callers together, under ids that the clients choose.
        fields["id"] = within(tab.name, fields["id"], called="id")
    drawings = None if form is None else getattr(component, "blob_storage", None)
    if drawings is not None:
        _must_be_a_layer(fields.get("index"))
        must_fit(drawings, fields.get("id"), size)
    with request.account.running(tab, is_direct=True), request.room_for(size):
        await request.account.use(tab)
        if form is not None:
            upload = request.account.upload(
                request.isolation.accounts.now(), limit=request.isolation.upload_limit
            )
            upload.size, upload.files = form.size, len(form.files)
        async with (
            request.isolation.uploads.claims.room(request.signed_in) as room,
            request.isolation.threads.room_for(request.signed_in.user.id, fn),
            request.isolation.server_functions.call(request.scope, component, fn),
        ):
            room.hold(0 if form is None else form.size)
            with request.measured():
                response = (
                    await request.response_to(fields)
                    if form is None
                    else await request.response_to_raw(*multipart.written(form, fields))
                )
        if drawings is not None and fields.get("id") in drawings:
            request.held.draws(drawings, fields["id"])
        is_list = isinstance(component, gr.FileExplorer) and fields["fn_name"] == "ls"
        if is_list and response.status == 200:
            shown = _explored(request, component, fields.get("data"), json.loads(response.body))
            await JSONResponse(shown)(request.scope, request.receive, request.send)
        else:
            await response.send_to(request.send)


def _server_function(request: Request, tab: Tab, fields: Body) -> tuple[Block, Callable[..., Any]]:
    number, name = fields.get("component_id"), fields.get("fn_name")
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 16:
        number = int(number)
    component = request.memory.components(tab.name).get(number) if type(number) is int else None
    fn = getattr(component, name, None) if isinstance(name, str) else None
    if component is None or fn is None or not getattr(fn, "_is_server_fn", False):
        raise HTTPException(404, "This app has no such function.")
    must_be_for_visitors(fn, is_event=False)
    if "data" not in fields and not multipart.is_form(request.scope):
        raise HTTPException(400, "The field data is missing. It holds the input of the function.")
    return component, fn


def _explored(request: Request, explorer: Any, steps: object, found: object) -> object:
    """Remove paths that are private to the service from a FileExplorer's list."""
    if not isinstance(found, list):
        return found
    folder = explorer.root_dir, *next(steps_in([steps]), [])
    return [item for item in found if not request.files.is_hidden(*folder, item["name"])]


def _named_in(component: Block, fields: Body) -> Named:
    """Collect the files that the input of a server function names."""
    sent = {name: value for name, value in fields.items() if name not in _OF_THE_CALL}
    if hands_json_on(component):
        return named_by([component], [sent.get("data")])
    return named_to_unknown(sent)


async def _note_names(
    request: Request, component: Block, fields: Body, names: Sequence[str]
) -> None:
    """Record the files and addresses in the input: the app may keep it, and return it from an event. A FileExplorer only
    lists folders. Raises HTTPException."""
    if isinstance(component, gr.FileExplorer):
        return
    sent = {name: value for name, value in fields.items() if name not in _OF_THE_CALL}
    try:
        texts = [*texts_in([sent], with_names=True), *names]
        await request.files.names_in(request.signed_in, texts)
    except TooManyFiles:
        raise HTTPException(400, TOO_MANY) from None


def _must_be_a_layer(index: object) -> None:
    """Raises HTTPException for a high layer number: Gradio allocates as many layers, which can be gigabytes."""
    if index not in {None, "", "null", *map(str, range(LAYERS))}:
        raise HTTPException(400, f"A drawing has at most {LAYERS} layers.")
