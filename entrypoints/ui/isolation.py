"""Around one mounted Gradio app: nobody sees, steers or breaks what another does in it.

Gradio believes whoever names a tab, an event or a file. Here each name is made, checked or refused before Gradio
hears it: tabs and uploads get the login's own name, events are answered to the login they belong to, files to the
account, and what Gradio could not read never reaches it.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, cast

import gradio as gr
from gradio.blocks import Block
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.model.caller import SignedIn
from entrypoints.access import SIGNED_IN
from entrypoints.ui import bodies, forms, handing
from entrypoints.ui.bodies import Body, Received, steps_in
from entrypoints.ui.caps import LAYERS
from entrypoints.ui.files import AppFiles
from entrypoints.ui.holding import Held, Holdings, must_fit
from entrypoints.ui.keeping import GradioMemory
from entrypoints.ui.logins import Account, Logins, Tab
from entrypoints.ui.named_files import (
    Named,
    hands_json_on,
    named_by,
    named_by_any_of,
    named_to_unknown,
)
from entrypoints.ui.server_functions import ServerFunctions
from entrypoints.ui.streams import SESSION_EXPIRED
from entrypoints.ui.tabs import login_of, query_within, within
from entrypoints.ui.threads import Threads, used_by
from entrypoints.ui.uploads import UploadFolder, counted_upload

_API: Final = "/gradio_api/"
_HASH: Final = "session_hash"


def _uncompressed(scope: Scope) -> Scope:
    """So that the answer can be read."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    return {**scope, "headers": headers}


class _Answer:
    """Waits until what it says has been noted."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self.status = 0
        self.body = b""

    async def keep(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
        self._messages.append(message)

    async def pass_on(self, send: Send) -> None:
        for message in self._messages:
            await send(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolated:
    inner: ASGIApp
    path: str
    """Of the mount."""
    memory: GradioMemory
    logins: Logins
    holdings: Holdings
    files: AppFiles
    uploads: UploadFolder
    server_functions: ServerFunctions
    threads: Threads
    new_name: Callable[[], str]
    """Makes names of tabs that nobody can guess."""
    upload_limit: int
    """Bytes of one upload."""
    inputs_limit: int
    """Bytes of inputs that one account may have in memory."""

    async def leave(self, signed_in: SignedIn, tab: str) -> None:
        """For whoever made the tab's name, and does not come back to it."""
        name = within(login_of(signed_in), tab, called=_HASH)
        account = self.logins.account_of(signed_in)
        await account.leave(Tab(self.memory, name, signed_in.session.id))

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Gradio's, for whoever judges them."""
        routes: Sequence[BaseRoute] = cast("Any", self.inner).routes
        return routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")[len(self.path) :]
        signed_in = scope.get("state", {}).get(SIGNED_IN)
        if signed_in is None or not path.startswith(_API):
            await self.inner(scope, receive, send)
            return
        request = _Request(self, signed_in, scope, receive, send)
        with used_by(signed_in.user.id):
            await request.answer(path[len(_API) :])


class _Request:
    """One request of somebody signed in."""

    def __init__(
        self, app: Isolated, signed_in: SignedIn, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._app = app
        self._memory = app.memory
        self._files = app.files
        self._signed_in = signed_in
        self._name = login_of(signed_in)
        self._account: Account = app.logins.account_of(signed_in)
        self._scope = scope
        self._receive = receive
        self._send = send

    async def answer(self, path: str) -> None:
        if path.startswith("file="):
            await self._file(path.removeprefix("file="))
            return
        if path.startswith("file/"):
            await self._file(path.removeprefix("file/"))
            return
        is_post = self._scope["method"] == "POST"
        match path.rstrip("/").split("/"):
            case ["queue", "join"]:
                await self._join(None)
            case ["queue", "data"]:
                await self._queue_data()
            case ["run" | "api", api_name]:
                await self._run(api_name)
            case ["call", api_name] if is_post:
                await self._join(api_name)
            case ["call", "v2", api_name] if is_post:
                await self._call_by_names(api_name)
            case ["call", _, event_id] | ["call", "v2", _, event_id]:
                await self._listen(event_id)
            case ["cancel"]:
                await self._cancel()
            case ["reset"]:
                await self._reset()
            case ["component_server"]:
                await self._component_server()
            case ["stream", event_id] if is_post:
                await self._stream_to(event_id)
            case ["stream", event_id, "close"] if is_post:
                self._tab_of(event_id)
                await self._go_on()
            case ["stream", tab, run, component, file]:
                tab = self._tab(tab).name
                await self._go_on_at(f"stream/{tab}/{run}/{component}/{file}")
            case ["heartbeat", tab]:
                await self._heartbeat(tab)
            case ["upload"]:
                await self._upload()
            case ["upload_progress"]:
                await self._upload_progress()
            case _:
                await self._go_on()

    # Events

    async def _join(self, api_name: str | None) -> None:
        body, read = await self._read_event()
        if api_name is not None:  # The short form, which knows no index and may leave out the tab.
            body.pop("fn_index", None)
            if body.get(_HASH) is None:
                body[_HASH] = self._app.new_name()
        tab = self._tab(body.get(_HASH))
        fn = self._fn(tab.name, api_name, body)
        await self._must_be_theirs(read.raw, fn, body)
        with self._account.running(tab), self._room_for(read.size):
            await self._account.use(tab)
            answer = await self._joined(fn, {**_handed(body), _HASH: tab.name})
            if answer.status == 200:
                event_id = json.loads(answer.body)["event_id"]
                self._account.owns(event_id, tab)
                self._held.keep(event_id, self._memory, read.size)
        await answer.pass_on(self._send)

    async def _call_by_names(self, api_name: str) -> None:
        read = await bodies.received(self._receive)
        body, raw = read.body, read.raw
        fn = self._by_name(self._memory.fns(None), api_name)
        _keep_drawings_apart(self._name, fn, body.values())
        if bodies.may_name_files(raw):
            named = named_by_any_of(fn.inputs, body.values())
            await self._files.must_be_allowed(self._signed_in, named)
        with self._account.running(self._no_tab), self._room_for(read.size):
            await self._account.make_room()
            answer = await self._joined(fn, handing.as_named_inputs(body))
            if answer.status == 200:
                event_id = json.loads(answer.body)["event_id"]
                # Gradio takes the event for a tab of its own.
                tab = Tab(self._memory, event_id, self._signed_in.session.id)
                self._account.owns(event_id, tab)
                self._held.keep(event_id, self._memory, read.size)
                await self._account.use(tab)
        await answer.pass_on(self._send)

    async def _run(self, api_name: str) -> None:
        body, read = await self._read_event()
        tab = self._no_tab if body.get(_HASH) is None else self._tab(body[_HASH])
        fn = self._fn(tab.name or None, api_name, body)
        await self._must_be_theirs(read.raw, fn, body)
        with self._account.running(tab, is_direct=True), self._room_for(read.size):
            if tab.name:
                await self._account.use(tab)
                body[_HASH] = tab.name
            async with self._app.threads.room_for(self._signed_in.user.id, fn.fn):
                await self._go_on_with(_handed(body))

    async def _listen(self, event_id: str) -> None:
        tab = self._tab_of(event_id)
        if not self._memory.has_messages(tab.name):
            raise HTTPException(404)
        with self._account.streaming(tab):
            await self._go_on()

    async def _stream_to(self, event_id: str) -> None:
        tab = self._tab_of(event_id)
        if not self._memory.is_streamed_to(event_id):
            raise HTTPException(404)
        body, read = await self._read_event()
        fn = self._memory.fn_of(event_id)
        _keep_drawings_apart(tab.name, fn, body["data"])
        await self._must_be_theirs(read.raw, fn, body)
        with self._room_for(read.size):
            self._held.keep(event_id, self._memory, read.size)
            await self._go_on_with({**_handed(body), _HASH: tab.name, "event_id": event_id})

    async def _cancel(self) -> None:
        body = (await bodies.received(self._receive)).body
        event_id, fn_index = body.get("event_id"), body.get("fn_index")
        if not isinstance(event_id, str) or not bodies.is_number(fn_index):
            raise HTTPException(400, "To cancel takes the event_id and the fn_index of the event.")
        tab = self._tab_of(event_id)
        await self._go_on_with({_HASH: tab.name, "event_id": event_id, "fn_index": fn_index})

    async def _reset(self) -> None:
        event_id = (await bodies.received(self._receive)).body.get("event_id")
        if not isinstance(event_id, str):
            raise HTTPException(400, "event_id is missing.")
        await self._go_on_with({"event_id": event_id})

    async def _component_server(self) -> None:
        if forms.is_form(self._scope):
            form = await forms.read(self._scope, self._receive)
            fields, raw, size = form.fields, b"", form.size
        else:
            read = await bodies.received(self._receive)
            form, fields, raw, size = None, read.body, read.raw, read.size
        tab = self._tab(fields.get(_HASH))
        component, fn = self._server_function(tab, fields)
        if form is not None or bodies.may_name_files(raw):
            await self._files.must_be_allowed(self._signed_in, _named_in(component, fields))
        fields = {**fields, _HASH: tab.name}
        if form is not None and isinstance(fields.get("id"), str):
            # An ImageEditor keeps what is sent to it under the sender's name, for everybody.
            fields["id"] = within(tab.name, fields["id"], called="id")
        drawings = None if form is None else getattr(component, "blob_storage", None)
        if drawings is not None:
            _must_be_a_layer(fields.get("index"))
            must_fit(drawings, fields.get("id"), size)
        with self._account.running(tab, is_direct=True), self._room_for(size):
            await self._account.use(tab)
            if form is not None:
                upload = self._account.upload(self._app.logins.now(), limit=self._app.upload_limit)
                upload.size, upload.files = form.size, len(form.files)
            async with (
                self._app.uploads.claims.room(self._signed_in) as room,
                self._app.threads.room_for(self._signed_in.user.id, fn),
                self._app.server_functions.call(self._scope, component, fn),
            ):
                room.hold(0 if form is None else form.size)
                answer = (
                    await self._asked_with(fields)
                    if form is None
                    else await self._asked(*forms.written(form, fields))
                )
            if drawings is not None and fields.get("id") in drawings:
                self._held.draws(drawings, fields["id"])
            is_list = isinstance(component, gr.FileExplorer) and fields["fn_name"] == "ls"
            if is_list and answer.status == 200:
                shown = self._explored(component, fields.get("data"), json.loads(answer.body))
                await JSONResponse(shown)(self._scope, self._receive, self._send)
            else:
                await answer.pass_on(self._send)

    def _explored(self, explorer: Any, steps: object, found: object) -> object:
        """Without what is apart from all apps."""
        if not isinstance(found, list):
            return found
        folder = explorer.root_dir, *next(steps_in([steps]), [])
        return [item for item in found if not self._files.is_apart(*folder, item["name"])]

    # Tabs

    async def _queue_data(self) -> None:
        name, query = query_within(self._name, self._scope["query_string"], called=_HASH)
        tab = Tab(self._memory, name, self._signed_in.session.id)
        if not self._memory.has_messages(name):
            await self._say(SESSION_EXPIRED)  # Gradio says so too, and then breaks the connection.
            return
        with self._account.streaming(tab):
            await self._app.inner({**self._scope, "query_string": query}, self._receive, self._send)

    async def _heartbeat(self, name: str) -> None:
        tab = self._tab(name)
        with self._account.streaming(tab):
            await self._account.use(tab)  # Its end runs the app's unload events in this tab.
            await self._go_on_at(f"heartbeat/{tab.name}")

    # Files

    async def _file(self, path: str) -> None:
        if not await self._files.may_be_fetched(self._signed_in, path):
            raise HTTPException(404)
        await self._go_on()

    async def _upload(self) -> None:
        upload_id = None
        if self._scope["query_string"]:
            upload_id, _ = query_within(self._name, self._scope["query_string"], called="upload_id")
        limit = self._app.upload_limit
        upload = self._account.upload(self._app.logins.now(), limit=limit)
        async with self._app.uploads.claims.room(self._signed_in) as room:
            form = counted_upload(
                self._scope, self._receive, upload, self._account, room, limit=limit
            )
            paths = await self._app.uploads.take(self._signed_in, self._scope, form, upload_id)
        await JSONResponse(paths)(self._scope, self._receive, self._send)

    async def _upload_progress(self) -> None:
        name, query = query_within(self._name, self._scope["query_string"], called="upload_id")
        with self._account.streaming(Tab(self._memory, name, self._signed_in.session.id)):
            await self._app.inner({**self._scope, "query_string": query}, self._receive, self._send)

    # What they have in common

    def _tab(self, name: object) -> Tab:
        name = within(self._name, name, called=_HASH)
        return Tab(self._memory, name, self._signed_in.session.id)

    @property
    def _no_tab(self) -> Tab:
        return Tab(self._memory, "", self._signed_in.session.id)

    def _tab_of(self, event_id: str) -> Tab:
        """Raises HTTPException."""
        return self._account.tab_of(event_id, self._memory, self._signed_in.session.id)

    @property
    def _held(self) -> Held:
        return self._app.holdings.of(self._signed_in.user.id)

    def _room_for(self, size: int) -> AbstractContextManager[None]:
        """Of an event's inputs in memory. Raises HTTPException."""
        return self._held.room_for(size, limit=self._app.inputs_limit)

    async def _read_event(self) -> tuple[Body, Received]:
        read = await bodies.received(self._receive)
        body = bodies.fields(read.body, bodies.EVENT)
        if "data" not in body:
            raise HTTPException(400, "data is missing: the list of the event's inputs.")
        return body, read

    async def _must_be_theirs(self, raw: bytes, fn: Any, body: Body) -> None:
        """Refuse files of others before the event is queued, and with a status. Raises HTTPException."""
        if bodies.may_name_files(raw):
            named = named_by(_inputs_of(fn, body["data"]), body["data"])
            named.add(named_to_unknown(body.get("event_data")))
            await self._files.must_be_allowed(self._signed_in, named)

    def _fn(self, tab: str | None, api_name: str | None, body: Body) -> Any:
        """Return the event, which exists for this tab and takes this data. Raises HTTPException."""
        fns = self._memory.fns(tab)
        index = body.get("fn_index")
        if index is not None:
            fn = fns.get(index)
        elif api_name is not None:
            fn = self._by_name(fns, api_name)
        else:
            raise HTTPException(400, "fn_index is missing: the number of the event.")
        if fn is None:
            raise HTTPException(404, "This app has no such event.")
        expected = {len(fn.inputs)}
        if index is None:
            expected.add(sum(not block.skip_api for block in fn.inputs))
        sent = len(body["data"])
        if sent not in expected and not fn.cancels:
            raise HTTPException(400, f"This event takes {len(fn.inputs)} inputs, not {sent}.")
        _keep_drawings_apart(tab or self._name, fn, body["data"])
        return fn

    def _by_name(self, fns: dict[int, Any], api_name: str) -> Any:
        for fn in fns.values():
            if fn.api_name == api_name:
                return fn
        raise HTTPException(404, "This app has no such event.")

    def _server_function(self, tab: Tab, fields: Body) -> tuple[Block, Callable[..., Any]]:
        number, name = fields.get("component_id"), fields.get("fn_name")
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 16:
            number = int(number)
        component = self._memory.components(tab.name).get(number) if type(number) is int else None
        fn = getattr(component, name, None) if isinstance(name, str) else None
        if component is None or fn is None or not getattr(fn, "_is_server_fn", False):
            raise HTTPException(404, "This app has no such function.")
        if "data" not in fields and not forms.is_form(self._scope):
            raise HTTPException(400, "data is missing: the input of the function.")
        return component, fn

    async def _say(self, event: bytes) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": event})

    async def _go_on(self) -> None:
        await self._app.inner(self._scope, self._receive, self._send)

    async def _go_on_at(self, path: str) -> None:
        whole = f"{self._app.path}{_API}{path}"
        scope = {**self._scope, "path": whole, "raw_path": whole.encode("ascii", "ignore")}
        await self._app.inner(scope, self._receive, self._send)

    async def _go_on_with(self, body: Body) -> None:
        scope, receive = handing.handed_on(self._scope, body)
        await self._app.inner(scope, bodies.followed_by(receive, self._receive), self._send)

    async def _joined(self, fn: Any, body: Body) -> _Answer:
        """The answer of the queue. Raises HTTPException when it has no place left."""
        account = self._signed_in.user.id
        with self._memory.place_for(account):
            # A validator runs before its event waits.
            async with self._app.threads.room_for(account, fn.validator):
                return await self._asked_with(body)

    async def _asked_with(self, body: Body) -> _Answer:
        return await self._answered(*handing.handed_on(self._scope, body))

    async def _asked(self, body: bytes, content_type: bytes) -> _Answer:
        return await self._answered(*bodies.replaced(self._scope, body, content_type))

    async def _answered(self, scope: Scope, receive: Receive) -> _Answer:
        """The whole answer, not yet passed on."""
        answer = _Answer()
        receive = bodies.followed_by(receive, self._receive)
        await self._app.inner(_uncompressed(scope), receive, answer.keep)
        return answer


def _handed(event: Body) -> Body:
    return {**event, "data": handing.as_inputs(event["data"])}


def _inputs_of(fn: Any, data: Sequence[Any]) -> list[Any]:
    """Return the components that the values are for: programs may leave out those that are not in the API."""
    return [block for block in fn.inputs if len(data) >= len(fn.inputs) or not block.skip_api]


def _named_in(component: Block, fields: Body) -> Named:
    """Collect what is named to a component's function, whose author decides what it reads."""
    data = fields.get("data")
    return named_by([component], [data]) if hands_json_on(component) else named_to_unknown(data)


def _keep_drawings_apart(tab: str, fn: Any, values: Iterable[Any]) -> None:
    """An ImageEditor keeps what is drawn for everybody together, under the name that each drawing's sender chose."""
    if any(hasattr(block, "blob_storage") for block in fn.inputs):
        for value in values:
            if isinstance(value, dict) and value.get("id") is not None:
                value["id"] = within(tab, value["id"], called="id")


def _must_be_a_layer(index: object) -> None:
    """Gradio makes room for as many layers as the number says, gigabytes of it. Raises HTTPException."""
    if index not in {None, "", "null", *map(str, range(LAYERS))}:
        raise HTTPException(400, f"A drawing has at most {LAYERS} layers.")
