"""Run events as their caller. A middleware cannot do it: the queue runs events in its own task, with another
context."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final

import gradio as gr
import structlog
from gradio.block_function import BlockFunction
from gradio.caching import CacheMissError, _probe_mode_active
from gradio.state_holder import SessionState
from starlette.requests import Request

from application.use_cases import UseCases
from domain.errors import (
    NotAllowed,
    SessionEnded,
)
from domain.model.caller import SignedIn
from entrypoints.access import RECOGNISE, SIGNED_IN, origin_of
from entrypoints.base_path import AT_ROOT, BasePath
from entrypoints.ui.calls.batches import (
    joined,
    must_have_all,
    only,
    samples_of,
    tell_alone,
    with_gaps,
)
from entrypoints.ui.calls.call import Call, Offers, after_the_session
from entrypoints.ui.calls.errors import as_popup
from entrypoints.ui.calls.failures import error_for_caller, is_before_function
from entrypoints.ui.calls.kept_values import SessionData
from entrypoints.ui.calls.running import RunningEvents
from entrypoints.ui.calls.steps import Convert, Event, Output, Run, Step, in_tab

log = structlog.get_logger()

Check = Callable[[BlockFunction], None]

GOES_TO: Final = "gradioapp_goes_to"
"""Key in an event's output: the address to which `session.js` redirects the browser."""
NEW_NAME: Final = "gradioapp_new_name"
"""Key in an event's output: the account's name, which `session.js` shows in the bar of each open tab."""
UNLOADS: Final = "unloads"
"""Key in the scope's `state`: True for a tab's heartbeat, after which Gradio runs the app's unload events."""
_CALL: Final = "call"
"""Key in the scope's `state`: all steps of an event share one Call."""


def go_on_as(caller: Mapping[str, Any], *, state: dict[str, Any]) -> None:
    """Let a request that still runs, such as a heartbeat, go on as the caller of a later request. Both arguments are a
    scope's `state`."""
    state.update({key: caller[key] for key in (SIGNED_IN, RECOGNISE)})
    state.pop(_CALL, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Begins calls for events and for server functions of components."""

    use_cases: UseCases
    running: RunningEvents
    offered: Offers
    base: BasePath = AT_ROOT

    async def begin(self, http: Request, *, place: str, is_activity: bool) -> Call:
        """Look the session up again and return the request's Call. `place` is the app's address. Raises
        SessionEnded."""
        state = http.scope["state"]
        if RECOGNISE not in state:
            raise SessionEnded
        signed_in: SignedIn = await state[RECOGNISE](activity=is_activity)
        call: Call | None = state.get(_CALL)
        if call is None:
            entries = await self.use_cases.read_session_data(signed_in)
            data = SessionData({key: entry.value for key, entry in entries.items()})
            call = state[_CALL] = Call(
                use_cases=self.use_cases,
                signed_in=signed_in,
                data=data,
                place=place,
                offered=self.offered,
                base=self.base,
                origin=origin_of(http.scope, via="app"),
            )
            http.scope["session"] = data
        else:
            call.signed_in = signed_in
        return call


@dataclass(frozen=True, slots=True, kw_only=True)
class AsCaller(Step):
    """Runs every event of an app as its caller, and checks session and permission before each step."""

    calls: Calls
    demo: gr.Blocks
    place: str
    """The app's address."""
    needs_state: Callable[[BlockFunction], bool]
    check: Check
    """Called before each step, with the caller set. It may raise to refuse the step."""
    measured: Callable[[SignedIn], AbstractContextManager[None]]
    """Counts the time of an unload event for its account. The queue and the request count all other events."""

    async def run(self, event: Event, rest: Run) -> Output:
        is_batch = isinstance(event.request, list)
        # Gradio would take a token of Hugging Face from the request's body, where anything may stand.
        event = replace(event, more={**event.more, "oauth_token": None})
        http = _http_request(event.requests[0])
        if http is None:
            if is_batch:
                raise as_popup(SessionEnded(), request_id="-")
            return await rest(event)  # Gradio itself runs this event, at start-up.
        if http.scope["state"].get(UNLOADS):
            return await self._unload(event, http, rest)
        try:
            fn = _event_of(event.fn, self.demo, event.state)
            is_activity = not _is_tick(fn)
            if is_batch:
                return await self._batch(fn, event, rest)
            call = await self.calls.begin(http, place=self.place, is_activity=is_activity)
            return await self._run(call, fn, event, rest, is_activity=is_activity)
        except Exception as error:
            if _probe_mode_active.get():
                # Gradio only looks for a cached result. Without one, for any reason, it queues the event.
                raise CacheMissError from error
            shown = error_for_caller(error, event.fn, http)
            if shown is error:
                raise
            raise shown from error

    async def _run(
        self, call: Call, fn: BlockFunction, event: Event, rest: Run, *, is_activity: bool
    ) -> Output:
        if self.needs_state(event.fn):
            await call.load_state()

        async def run() -> Output:
            self.check(fn)
            return await rest(event)

        return await self._step(call, run, is_activity=is_activity)

    async def _unload(self, event: Event, http: Request, rest: Run) -> Output:
        """Run an unload event as its caller, or as nobody if the session has ended meanwhile. Log its failure: the tab
        is gone, and Gradio would skip the app's other unload events."""
        try:
            with self.measured(http.scope["state"][SIGNED_IN]):
                try:
                    call = await self.calls.begin(http, place=self.place, is_activity=False)
                except SessionEnded:
                    with after_the_session():
                        return await rest(event)
                return await self._run(call, event.fn, event, rest, is_activity=False)
        except Exception:
            log.exception("unload event failed", of=event.fn.name, page=self.place)
            return {"data": []}

    async def _batch(self, fn: BlockFunction, event: Event, rest: Run) -> Output:
        """Run the batch for the allowed callers. Each of the others gets an error, as from an event of their own."""
        if not fn.batch:
            raise gr.Error("This event takes no batches.")
        if fn.connection == "stream":  # Gradio would send all outputs to each caller.
            raise gr.Error("A stream takes no batches.")
        is_activity = not _is_tick(fn)
        calls = [await self._of_batch(fn, request) for request in event.requests]
        allowed = [call is not None for call in calls]
        if not any(allowed):
            # Each caller has an error of its own already.
            raise gr.Error("No caller of this batch may run the event.")
        event = replace(event, event_data=None)  # Gradio passes the first caller's.
        with ExitStack() as running:
            for call in filter(None, calls):
                running.enter_context(self._is_running(call, is_activity=is_activity))
            if all(allowed):
                return await self._together(event, rest)
            output = await self._together(only(event, allowed), rest)
        output["data"] = [with_gaps(values, allowed) for values in output["data"]]
        return output

    async def _together(self, event: Event, rest: Run) -> Output:
        """Run the samples as one batch. If one of them cannot be read, run each sample alone, so that only its caller
        gets an error."""
        token = _batch.set(_Batch(event.requests))
        try:
            return await _complete(event, rest)
        except Exception as error:
            if len(event.requests) == 1 or not is_before_function(error):
                raise
        finally:
            _batch.reset(token)
        outputs = [await self._alone(sample, rest) for sample in samples_of(event)]
        if not any(outputs):
            raise gr.Error("The app can read no input of this batch.")
        return joined(outputs)

    async def _alone(self, sample: Event, rest: Run) -> Output | None:
        """Run one sample of a batch. Return None after sending its caller an error."""
        token = _batch.set(_Batch(sample.requests))
        try:
            return await _complete(sample, rest)
        except Exception as error:
            self._tell(error, sample.fn, sample.requests[0])
            return None
        finally:
            _batch.reset(token)

    async def read(self, fn: BlockFunction, inputs: list[Any], rest: Convert) -> list[Any]:  # noqa: ARG002 -- As in Step.
        """Read a sample of a batch in its caller's own tab."""
        batch = _batch.get()
        if batch is None:
            return await rest(inputs)
        with in_tab(self._state_of(next(batch.unread))):
            return await rest(inputs)

    async def show(self, fn: BlockFunction, outputs: Any, rest: Convert) -> list[Any]:
        """Show a sample of a batch in its caller's own tab. If its outputs cannot be shown, only its caller gets an
        error."""
        batch = _batch.get()
        if batch is None:
            return await rest(outputs)
        request = next(batch.unshown)
        try:
            with in_tab(self._state_of(request)):
                return await rest(outputs)
        except Exception as error:
            if batch.size == 1:
                raise
            self._tell(error, fn, request)
            return [None] * len(fn.outputs)

    def _state_of(self, request: gr.Request) -> SessionState:
        state: SessionState = self.demo._queue.server_app.state_holder[request.session_hash]  # type: ignore[attr-defined]  # noqa: SLF001 -- Gradio has no public way.
        return state

    def _tell(self, error: Exception, fn: BlockFunction, request: Any) -> None:
        """Send this error to one caller of a batch, whose event it ends."""
        http = _http_request(request)
        if http is not None:
            tell_alone(self.demo, http, error_for_caller(error, fn, http))

    async def _of_batch(self, fn: BlockFunction, request: Any) -> Call | None:
        """Return the caller's Call. If the caller may not run the event, send an error and return None."""
        http = _http_request(request)
        if http is None:
            return None
        try:
            call = await self.calls.begin(http, place=self.place, is_activity=not _is_tick(fn))
            with call.current():
                self.check(fn)
        except Exception as error:
            self._tell(error, fn, request)
            return None
        return call

    async def _step(
        self, call: Call, run: Callable[[], Awaitable[dict[str, Any]]], *, is_activity: bool
    ) -> dict[str, Any]:
        with call.current(), self._is_running(call, is_activity=is_activity):
            output = await run()
        await call.keep()
        if call.goes_to is not None:
            output[GOES_TO], call.goes_to = self.calls.base.once(call.goes_to), None
        if call.new_name is not None:
            output[NEW_NAME], call.new_name = call.new_name, None
        return output

    def _is_running(self, call: Call, *, is_activity: bool) -> AbstractContextManager[None]:
        if is_activity and call.signed_in.token is None:  # A token never grows idle.
            return self.calls.running.one_of(call.signed_in.session.id)
        return nullcontext()


async def _complete(event: Event, rest: Run) -> Output:
    output = await rest(event)
    must_have_all(event, output)
    return output


class _Batch:
    """The samples of a batch, each with the request of its caller."""

    def __init__(self, requests: Sequence[gr.Request]) -> None:
        self.size = len(requests)
        self.unread, self.unshown = iter(requests), iter(requests)
        """The requests whose inputs Gradio has not converted yet, and those whose outputs it has not."""


_batch: Final[ContextVar[_Batch | None]] = ContextVar("batch", default=None)
"""None outside batches."""


def is_batch() -> bool:
    """Return whether the function that runs now was called for a batch."""
    return _batch.get() is not None


def _event_of(fn: BlockFunction, demo: gr.Blocks, tab: SessionState | None) -> BlockFunction:
    """Return the event whose rules apply: for a validator, the event that it validates; otherwise `fn`. Gradio makes a
    validator a function of its own, without a link to its event. Raises NotAllowed for a validator without an event."""
    if not fn.is_validator_function:
        return fn
    fns = demo.fns if tab is None else tab.blocks_config.fns
    for event in fns.values():
        if event.validator is fn.fn and event.inputs is fn.inputs:
            return event
    raise NotAllowed


def _http_request(request: Any) -> Request | None:
    inner = getattr(request, "request", None)
    return inner if isinstance(inner, Request) else None


def _is_tick(fn: BlockFunction) -> bool:
    """Return whether only a timer triggers the event. A tick is no activity: otherwise a forgotten tab would keep its
    session alive forever."""
    return bool(fn.targets) and all(event == "tick" for _, event in fn.targets)
