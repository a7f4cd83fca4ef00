"""One request of a signed-in caller, as the isolation handlers see it.

Gradio does not check who owns the tab, event or file that a request names. We check or replace each name before Gradio
sees it: names of tabs and uploads get the session's suffix, events belong to one session, and files to one account.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import EventTimeUsedUp
from domain.model.caller import SignedIn
from entrypoints.access import RECOGNISE
from entrypoints.ui.calls.component_inputs import value_in
from entrypoints.ui.calls.events import go_on_as
from entrypoints.ui.delivery.streams import RESUMES
from entrypoints.ui.files.app_files import AppFiles
from entrypoints.ui.files.named_files import named_by, named_to_unknown
from entrypoints.ui.isolation.account import Account, Tab
from entrypoints.ui.isolation.accounts import Accounts
from entrypoints.ui.isolation.gradio_memory import GradioMemory
from entrypoints.ui.isolation.kept_inputs import Held, Holdings
from entrypoints.ui.isolation.pieces import StreamPieces
from entrypoints.ui.isolation.resumable_stream import Listener
from entrypoints.ui.isolation.server_functions import ServerFunctions
from entrypoints.ui.isolation.tab_names import within
from entrypoints.ui.isolation.uploads import UploadFolder
from entrypoints.ui.queueing.counting import CountedEvents
from entrypoints.ui.queueing.event_time import EventTimes
from entrypoints.ui.queueing.threads import Threads, used_by
from entrypoints.ui.wire import handed_bodies, json_bodies
from entrypoints.ui.wire.exchange import Exchange, HeldResponse
from entrypoints.ui.wire.json_bodies import Body, Received

API: Final = "/gradio_api/"
HASH: Final = "session_hash"
"""Gradio's field for the name of a tab."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The parts of one mounted app that its handlers use."""

    inner: ASGIApp
    """The Gradio app."""
    path: str
    """The mount's path, without a trailing slash."""
    memory: GradioMemory
    draining: asyncio.Event
    """Set when no event may begin any more."""
    accounts: Accounts
    holdings: Holdings
    files: AppFiles
    uploads: UploadFolder
    pieces: StreamPieces
    server_functions: ServerFunctions
    threads: Threads
    times: EventTimes
    counted: CountedEvents
    new_name: Callable[[], str]
    """Returns an unguessable name for a new tab."""
    upload_limit: int
    """Maximum bytes of one upload."""
    inputs_limit: int
    """Maximum bytes of inputs in memory per account."""

    def handler(
        self, respond: "Callable[[Request], Awaitable[None]]"
    ) -> Callable[[Exchange], Awaitable[None]]:
        """Turn a function that takes a Request into a handler."""

        async def handle(exchange: Exchange) -> None:
            request = Request(self, exchange)
            with used_by(request.signed_in.user.id):
                await respond(request)

        return handle

    async def leave(self, signed_in: SignedIn, tab: str) -> None:
        """Release a tab that this service has made, and that no client will use again."""
        owner = self.accounts.owner_of(signed_in.session.id)
        name = within(owner.hex, tab, called=HASH)
        await self.accounts.account_of(signed_in).leave(Tab(self.memory, name, owner))


STOPPING: Final = "The service is about to restart. Try this again in some seconds."


class Request:
    def __init__(self, isolation: Isolation, exchange: Exchange) -> None:
        self.isolation = isolation
        self.memory = isolation.memory
        self.files = isolation.files
        self.exchange = exchange
        self.scope, self.receive, self.send = exchange.scope, exchange.receive, exchange.send
        self.names: Mapping[str, str] = exchange.names
        self.signed_in = exchange.signed_in
        self.account: Account = isolation.accounts.account_of(self.signed_in)
        self.owner = isolation.accounts.owner_of(self.signed_in.session.id)
        """The caller's session, or the former one whose tabs it has taken over."""
        self.suffix = self.owner.hex
        """The suffix of the names of the caller's tabs."""

    def must_take_events(self) -> None:
        """Raises HTTPException if the service is about to stop."""
        if self.isolation.draining.is_set():
            raise HTTPException(503, STOPPING, {"retry-after": "5"})

    async def must_have_time_left(self) -> None:
        """Raises EventTimeUsedUp if the account has used up its time of the last hour."""
        try:
            await self.isolation.times.must_be_left(self.signed_in.user)
        except EventTimeUsedUp:
            self.isolation.counted.refuse()
            raise

    def measured(self) -> AbstractContextManager[None]:
        """Count the time that the block takes for the account."""
        return self.isolation.times.running({self.signed_in.user.id: 1})

    async def must_still_be_live(self) -> None:
        """Check the session once more before an event begins: the body may have arrived long after the headers. Raises
        SessionEnded."""
        await self.scope["state"][RECOGNISE](activity=False)

    def goes_on(self) -> None:
        """Let what begins now outlive the session, if the next session of its browser takes its tab over. Its results go
        to streams, which only the next session can read."""
        state = self.scope["state"]
        state[RECOGNISE] = self.isolation.accounts.going_on(state[RECOGNISE], self.owner)

    def tab(self, name: object) -> Tab:
        name = within(self.suffix, name, called=HASH)
        return Tab(self.memory, name, self.owner)

    @property
    def no_tab(self) -> Tab:
        """Return a Tab without a name, for an event that the client sends without a tab."""
        return Tab(self.memory, "", self.owner)

    def tab_of(self, event_id: str) -> Tab:
        """Return the tab of a caller's event. Raises HTTPException."""
        return self.account.tab_of(event_id, self.memory, self.owner)

    @property
    def held(self) -> Held:
        return self.isolation.holdings.of(self.signed_in.user.id)

    def room_for(self, size: int) -> AbstractContextManager[None]:
        """Reserve memory for an event's inputs until the block ends. Raises HTTPException."""
        return self.held.room_for(size, limit=self.isolation.inputs_limit)

    async def read_event(self) -> tuple[Body, Received]:
        """Read the body of an event. Raises HTTPException."""
        read = await json_bodies.received(self.receive, self.account.large)
        body = json_bodies.fields(read.body, json_bodies.EVENT)
        if "data" not in body:
            raise HTTPException(
                400, "The field data is missing. It is the list of the event's inputs."
            )
        return body, read

    async def must_own_files(self, raw: bytes, fn: Any, body: Body) -> None:
        """Refuse other accounts' files before the event is queued, so that the response has an error status.
        Raises HTTPException."""
        if json_bodies.may_name_files(raw):
            named = named_by(inputs_of(fn, body["data"]), body["data"])
            named.add(named_to_unknown(body.get("event_data")))
            await self.files.must_be_allowed(self.signed_in, named)

    def fn(self, tab: str | None, api_name: str | None, body: Body) -> Any:
        """Return the event that the body asks for. Also add the tab's name to the ids of drawings in the body. Raises
        HTTPException if the event does not exist in this tab, or takes another number of inputs."""
        fns = self.memory.fns(tab)
        index = body.get("fn_index")
        if index is not None:
            fn = fns.get(index)
        elif api_name is not None:
            fn = self.by_name(fns, api_name)
        else:
            raise HTTPException(
                400, "The field fn_index is missing. It is the number of the event."
            )
        if fn is None:
            raise HTTPException(404, "This app has no such event.")
        expected = {len(fn.inputs)}
        if index is None:
            expected.add(sum(not block.skip_api for block in fn.inputs))
        sent = len(body["data"])
        if sent not in expected and not fn.cancels:
            raise HTTPException(400, f"This event takes {len(fn.inputs)} inputs, not {sent}.")
        keep_drawings_apart(tab or self.suffix, fn, body["data"])
        return fn

    def by_name(self, fns: dict[int, Any], api_name: str) -> Any:
        for fn in fns.values():
            if fn.api_name == api_name:
                return fn
        raise HTTPException(404, "This app has no such event.")

    async def send_stream(self, event: bytes) -> None:
        """Respond with a stream of this one server-sent event."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.send({"type": "http.response.body", "body": event})

    async def forward(self) -> None:
        """Let Gradio respond to the request."""
        await self.exchange.passed_to(self.isolation.inner)

    async def forward_with_query(self, query: bytes) -> None:
        """Let Gradio respond to the request with another query string."""
        await self.isolation.inner(self.with_query(query), self.receive, self.send)

    async def forward_to_path(self, path: str) -> None:
        """Let Gradio respond to the request at another path below its API."""
        await self.isolation.inner(self.at_path(path), self.receive, self.send)

    def with_query(self, query: bytes) -> Scope:
        return {**self.scope, "query_string": query}

    def at_path(self, path: str) -> Scope:
        """Return the scope at another path below Gradio's API."""
        whole = f"{self.isolation.path}{API}{path}"
        return {**self.scope, "path": whole, "raw_path": whole.encode("ascii", "ignore")}

    async def forward_stream(self, scope: Scope, tab: Tab, listener: Listener | None) -> None:
        """Let Gradio respond with the stream of this scope, one for each path and tab. It is resumable if there is a
        `listener`. Raises HTTPException if the caller has too many streams."""
        counted, streams = self.account.streaming(tab), self.account.resumable
        if listener is None:
            with counted:
                await self.isolation.inner(scope, self.receive, self.send)
            return
        key = (tab, scope["path"])
        self.scope["state"][RESUMES] = True
        stream = streams.find(key, listener)
        if stream is None:
            listener = replace(listener, after=None)
            respond = partial(self.isolation.inner, scope)
            stream = streams.begin(key, listener, respond, counted, state=scope["state"])
        else:
            go_on_as(scope["state"], state=stream.state)
        await stream.send_to(self.exchange, listener)

    async def forward_with_body(self, body: Body, send: Send | None = None) -> None:
        """Let Gradio respond to the request with another JSON body. Its response goes to `send`, if it is given."""
        scope, receive = handed_bodies.with_parsed_body(self.scope, body)
        received = json_bodies.followed_by(receive, self.receive)
        await self.isolation.inner(scope, received, send or self.send)

    async def join_queue(self, fn: Any, body: Body) -> HeldResponse:
        """Queue the event, and return Gradio's response. Raises HTTPException if the queue is full, SessionEnded."""
        account = self.signed_in.user.id
        await self.must_still_be_live()
        self.goes_on()
        with self.memory.place_for(account):
            # A validator runs before its event is queued.
            # The response may also be a cached result.
            async with self.isolation.threads.room_for(account, fn.validator):
                with self.measured():
                    return await self.response_to(body)

    async def response_to(self, body: Body) -> HeldResponse:
        """Return Gradio's response to the request with another JSON body."""
        return await self._response_of(*handed_bodies.with_parsed_body(self.scope, body))

    async def response_to_raw(self, body: bytes, content_type: bytes) -> HeldResponse:
        """Return Gradio's response to the request with another body."""
        return await self._response_of(*json_bodies.replaced(self.scope, body, content_type))

    async def _response_of(self, scope: Scope, receive: Receive) -> HeldResponse:
        """Return Gradio's whole response, without sending it."""
        held = HeldResponse()
        exchange = Exchange(
            scope=scope,
            receive=json_bodies.followed_by(receive, self.receive),
            send=held.hold,
        )
        await exchange.uncompressed().passed_to(self.isolation.inner)
        return held


def with_wrapped_inputs(event: Body) -> Body:
    """Wrap the inputs of an event, so that Gradio does not copy them."""
    return {**event, "data": handed_bodies.as_inputs(event["data"])}


def inputs_of(fn: Any, data: Sequence[Any]) -> list[Any]:
    """Return the components that the values are for. Programs may omit components that are not in the API."""
    return [block for block in fn.inputs if len(data) >= len(fn.inputs) or not block.skip_api]


def keep_drawings_apart(tab: str, fn: Any, values: Iterable[Any]) -> None:
    """Add the tab's name to the ids of drawings, in place. An ImageEditor stores the drawings of all callers together,
    under ids that the clients choose."""
    if any(hasattr(block, "blob_storage") for block in fn.inputs):
        for sent in values:
            # A function may take its input by its type: then the value is sent with properties.
            for value in (sent, value_in(sent)):
                if isinstance(value, dict) and value.get("id") is not None:
                    value["id"] = within(tab, value["id"], called="id")
