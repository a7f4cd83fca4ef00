"""Handle events. Each one runs in a tab of its caller, and may only name files of its caller."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from entrypoints.ui.calls.events import UNLOADS
from entrypoints.ui.delivery.streams import IS_OVER, MAY_COME_BACK, RESULT_LOST, SESSION_EXPIRED
from entrypoints.ui.files.named_files import named_by_any_of
from entrypoints.ui.files.workflows import must_be_for_visitors
from entrypoints.ui.isolation.account import Tab
from entrypoints.ui.isolation.request import (
    HASH,
    Request,
    keep_drawings_apart,
    with_wrapped_inputs,
)
from entrypoints.ui.isolation.resumable_stream import Listener
from entrypoints.ui.isolation.tab_names import query_within
from entrypoints.ui.wire import handed_bodies, json_bodies
from entrypoints.ui.wire.json_bodies import Body, Received


async def join(request: Request) -> None:
    """Queue an event that is identified by its number, `fn_index`."""
    body, read = await request.read_event()
    await _queue(request, body, read, api_name=None)


async def call(request: Request) -> None:
    """Queue an event that is identified by its path. Such a request has no `fn_index`, and may have no tab."""
    body, read = await request.read_event()
    body.pop("fn_index", None)
    if body.get(HASH) is None:
        body[HASH] = request.isolation.new_name()
    await _queue(request, body, read, api_name=request.names["api_name"])


async def _queue(request: Request, body: Body, read: Received, *, api_name: str | None) -> None:
    tab = request.tab(body.get(HASH))
    fn = request.fn(tab.name, api_name, body)
    await request.must_own_files(read.raw, fn, body)
    await _must_begin(request, fn)
    with request.account.running(tab), request.room_for(read.size):
        await request.account.use(tab)
        request.account.begun_anew.discard(tab)
        response = await request.join_queue(fn, {**with_wrapped_inputs(body), HASH: tab.name})
        if response.status == 200:
            event_id = json.loads(response.body)["event_id"]
            request.account.owns(event_id, tab)
            request.held.keep(event_id, request.memory, read.size)
    await response.send_to(request.send)


async def call_by_names(request: Request) -> None:
    """Queue an event whose inputs are passed by name."""
    api_name = request.names["api_name"]
    read = await json_bodies.received(request.receive, request.account.large)
    body, raw = read.body, read.raw
    fn = request.by_name(request.memory.fns(None), api_name)
    _must_be_inputs_of(fn, body)
    keep_drawings_apart(request.suffix, fn, body.values())
    if json_bodies.may_name_files(raw):
        named = named_by_any_of(fn.inputs, body.values())
        await request.files.must_be_allowed(request.signed_in, named)
    await _must_begin(request, fn)
    with request.account.running(request.no_tab), request.room_for(read.size):
        await request.account.make_room()
        response = await request.join_queue(fn, handed_bodies.as_named_inputs(body))
        if response.status == 200:
            event_id = json.loads(response.body)["event_id"]
            # Gradio makes a tab for this event, named like the event.
            tab = Tab(request.memory, event_id, request.owner)
            request.account.owns(event_id, tab)
            request.held.keep(event_id, request.memory, read.size)
            await request.account.use(tab)
    await response.send_to(request.send)


def _must_be_inputs_of(fn: Any, body: Body) -> None:
    """Raises HTTPException for more values than the event has inputs. Gradio would look at each one's name."""
    if len(body) > len(fn.inputs) + 1:  # It may have an oauth_token, too.
        raise HTTPException(400, f"This event takes {len(fn.inputs)} inputs, not {len(body)}.")


async def run(request: Request) -> None:
    """Run an event within its request, without the queue."""
    api_name = request.names["api_name"]
    body, read = await request.read_event()
    tab = request.no_tab if body.get(HASH) is None else request.tab(body[HASH])
    fn = request.fn(tab.name or None, api_name, body)
    await request.must_own_files(read.raw, fn, body)
    await _must_begin(request, fn)
    with request.account.running(tab, is_direct=True), request.room_for(read.size):
        if tab.name:
            await request.account.use(tab)
            request.account.begun_anew.discard(tab)
            body[HASH] = tab.name
        async with request.isolation.threads.room_for(request.signed_in.user.id, fn.fn):
            with request.isolation.counted.direct(fn, request.scope) as direct, request.measured():
                send = direct.watched(request.send)
                await request.forward_with_body(with_wrapped_inputs(body), send)


async def _must_begin(request: Request, fn: Any) -> None:
    """Refuse an event before it begins. One without a function, which stops others, needs no time. Raises
    HTTPException, EventTimeUsedUp."""
    must_be_for_visitors(fn.fn, is_event=True)
    if fn.fn is not None:
        await request.must_have_time_left()
    elif not fn.cancels:
        raise HTTPException(400, "This event runs in the browser. It has no function to call.")
    request.must_take_events()


async def listen(request: Request) -> None:
    """Stream the results of one event."""
    event_id = request.names["event_id"]
    tab = request.tab_of(event_id)
    if not request.memory.has_messages(tab.name):
        raise HTTPException(404)
    with request.account.streaming(tab):
        await request.forward()


async def stream_to(request: Request) -> None:
    """Send more inputs to a running event."""
    event_id = request.names["event_id"]
    tab = request.tab_of(event_id)
    if not request.memory.is_streamed_to(event_id):
        raise HTTPException(404)
    body, read = await request.read_event()
    fn = request.memory.fn_of(event_id)
    keep_drawings_apart(tab.name, fn, body["data"])
    await request.must_own_files(read.raw, fn, body)
    with request.room_for(read.size):
        await _count_unread_pieces(request, event_id)
        request.held.keep(event_id, request.memory, read.size)
        await request.forward_with_body(
            {**with_wrapped_inputs(body), HASH: tab.name, "event_id": event_id}
        )


async def close_stream(request: Request) -> None:
    event_id = request.names["event_id"]
    request.tab_of(event_id)
    await _count_unread_pieces(request, event_id)
    await request.forward()


async def _count_unread_pieces(request: Request, event_id: str) -> None:
    """Count the pieces of a stream that its event will never read."""
    unread = request.memory.unread_inputs(event_id)
    if unread:
        pieces, _ = request.isolation.pieces.named_by(request.memory.fn_of(event_id), unread)
        await request.isolation.pieces.use(request.signed_in, request.account, pieces)


async def segment(request: Request) -> None:
    """Serve a segment of a streamed audio or video."""
    tab = request.tab(request.names["tab"]).name
    await request.forward_to_path(f"stream/{tab}/{request.names['rest']}")


async def cancel(request: Request) -> None:
    body = (await json_bodies.received(request.receive, request.account.large)).body
    event_id, fn_index = body.get("event_id"), body.get("fn_index")
    if not isinstance(event_id, str) or not json_bodies.is_number(fn_index):
        raise HTTPException(400, "Cancelling needs the event_id and the fn_index of the event.")
    tab = request.tab_of(event_id)
    await request.forward_with_body({HASH: tab.name, "event_id": event_id, "fn_index": fn_index})


async def reset(request: Request) -> None:
    event_id = (await json_bodies.received(request.receive, request.account.large)).body.get(
        "event_id"
    )
    if not isinstance(event_id, str):
        raise HTTPException(400, "The field event_id is missing.")
    await request.forward_with_body({"event_id": event_id})


async def listen_to_tab(request: Request) -> None:
    """Stream the results of all events of one tab."""
    name, query = query_within(request.suffix, request.scope["query_string"], called=HASH)
    tab = Tab(request.memory, name, request.owner)
    scope = request.with_query(query)
    listener = Listener.of(scope)
    if (
        listener is not None
        and listener.after is not None
        and not _can_resume(request, tab, scope, listener)
    ):
        lost = tab in request.account.tabs
        await request.send_stream(RESULT_LOST if lost else SESSION_EXPIRED)
        return
    if not request.memory.has_messages(name):
        # Gradio sends the same message, but then breaks the connection.
        await request.send_stream(SESSION_EXPIRED)
        return
    await request.forward_stream(scope, tab, listener)


def _can_resume(request: Request, tab: Tab, scope: Scope, listener: Listener) -> bool:
    """Return whether the stream still has all that the listener lacks. End it otherwise."""
    after = listener.after or 0
    stream = request.account.resumable.find((tab, scope["path"]), listener)
    if stream is None:  # The first connection may have been cut before the request arrived here.
        return after == 0 and request.memory.has_unread_events(tab.name)
    if not stream.has_all_after(after):
        stream.leave()
        return False
    return True


async def heartbeat(request: Request) -> None:
    tab = request.tab(request.names["tab"])
    # When the heartbeat ends, Gradio runs the app's unload events in this tab.
    request.goes_on()
    request.scope["state"][UNLOADS] = True
    scope = request.at_path(f"heartbeat/{tab.name}")
    listener = Listener.of(scope)
    if listener is not None and listener.after is not None and tab not in request.account.tabs:
        request.account.begun_anew.add(tab)
    await request.account.use(tab)
    await request.forward_stream(scope, tab, listener)
    if IS_OVER in request.scope["state"]:
        await request.account.resumable.end(tab)
    elif MAY_COME_BACK in request.scope["state"]:
        request.account.resumable.keep(tab)


async def close_tab(request: Request) -> None:
    """End the resumable streams of a tab that its browser has closed. Otherwise they would wait for it to come back."""
    request.account.resumable.leave(request.tab(request.names["tab"]))
    await Response(status_code=204)(request.scope, request.receive, request.send)


async def tell_kept(request: Request) -> None:
    """Tell a page whether this process still has the memory of its tab."""
    tab = request.tab(request.names["tab"])
    kept = tab in request.account.tabs and tab not in request.account.begun_anew
    await JSONResponse({"kept": kept})(request.scope, request.receive, request.send)
