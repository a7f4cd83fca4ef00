"""Who is calling, at any depth of a callback: one wrapper around each app's `process_api`.

It is the only hook that Gradio calls for every event and every step of a generator, queued or not; a context variable
set by a middleware is lost in the queue's own task.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from traceback import clear_frames, walk_tb
from typing import Any, Final

import gradio as gr
import structlog
from gradio.block_function import BlockFunction
from gradio.caching import CacheMissError, _probe_mode_active
from gradio.state_holder import SessionState
from starlette.requests import Request

from application.use_cases import UseCases
from domain.errors import (
    DiskFull,
    DomainError,
    FileGone,
    NotAllowed,
    SessionEnded,
    StoreUnavailable,
)
from domain.model.caller import Caller, SignedIn
from domain.model.session import SessionId
from entrypoints.access import RECOGNISE, REQUEST_ID
from entrypoints.ui.answers import EVENT_STATUS
from entrypoints.ui.batches import only, tell_alone, with_gaps
from entrypoints.ui.disk import is_full
from entrypoints.ui.errors import as_popup
from entrypoints.ui.values import SessionData, State

log = structlog.get_logger()

Check = Callable[[BlockFunction], None]

GOES_TO: Final = "gradioapp_goes_to"
"""Key in what an event answers: the address that `session.js` sends the browser to."""
_CALL: Final = "call"
"""Key in the scope's `state`: one event keeps one Call through all its steps."""


@dataclass(slots=True)
class Call:
    """One event: who asked for it, and what of the session's data it changed."""

    app: UseCases
    signed_in: SignedIn
    data: SessionData
    place: str
    """Of the app among the others: its address."""
    state: State | None = None
    """Loaded where a function of the event takes it."""
    goes_to: str | None = None
    """Where the browser is sent once the step is done."""

    @property
    def caller(self) -> Caller:
        return self.signed_in.caller

    @contextmanager
    def current(self) -> Iterator[None]:
        """Inside, `current_call()` answers this one."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def loaded_state(self) -> State:
        """Raises RuntimeError where nothing says beforehand that the State will be needed."""
        if self.state is None:
            raise RuntimeError(
                "State has to be a parameter of the callback, `state: State = injected`, or of a function it names."
            )
        return self.state

    async def load_state(self) -> None:
        if self.state is None:
            entries = await self.app.read_account_state(self.caller)
            self.state = State({key: entry.value for key, entry in entries.items()})

    async def keep(self) -> None:
        """What has changed since it was last kept. Raises StateInvalid, SessionEnded, UserNotFound."""
        if changes := self.data.changes():
            await self.app.change_session_data(self.caller, changes)
            self.data.are_kept()
        if self.state is not None and (self.state.changes() or self.state.updates()):
            stored = await self.app.change_account_state(
                self.caller, self.state.changes(), self.state.updates()
            )
            self.state.are_stored(stored)


_current: ContextVar[Call | None] = ContextVar("call", default=None)
_is_building: ContextVar[bool] = ContextVar("is_building", default=False)
_serving: Final[Counter[str]] = Counter()
"""Addresses of mounted apps. In tests several services may be in one process, one after the other or at once."""


def is_served() -> bool:
    """False in an author's file that runs alone."""
    return _serving.total() > 0 or _is_building.get()


def is_served_no_longer(place: str) -> None:
    _serving[place] -= 1


@contextmanager
def being_built() -> Iterator[None]:
    """Inside, apps are imported and built, and nobody is calling yet: Gradio asks the functions behind values for a
    first value, which everybody gets to see."""
    token = _is_building.set(True)
    try:
        yield
    finally:
        _is_building.reset(token)


def nobody_calls() -> bool:
    """While apps are being built; a callback has its caller also then."""
    return _is_building.get() and _current.get() is None


def current_call() -> Call:
    """Raises RuntimeError outside an event of a mounted app."""
    call = _current.get()
    if call is None:
        raise RuntimeError(
            "Nobody is signed in here: this works inside a Gradio callback of an app that gradioapp serves "
            "(not at import, not in a thread of your own, not in a batch=True event). A thread knows who is calling when "
            "it is started with contextvars.copy_context().run."
        )
    return call


@dataclass(frozen=True, slots=True)
class RunningEvents:
    """Sessions with an event under way: they are not idle, however long it takes."""

    _counts: Counter[SessionId] = field(default_factory=Counter)

    @contextmanager
    def one_of(self, session_id: SessionId) -> Iterator[None]:
        self._counts[session_id] += 1
        try:
            yield
        finally:
            self._counts[session_id] -= 1
            if not self._counts[session_id]:
                del self._counts[session_id]

    def sessions(self) -> Collection[SessionId]:
        return tuple(self._counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Puts every event of an app into the name of who is signed in, and asks again before each step."""

    app: UseCases
    running: RunningEvents

    def wrap(
        self,
        demo: gr.Blocks,
        *,
        place: str,
        needs_state: Callable[[BlockFunction], bool],
        check: Check,
    ) -> None:
        """`place` is the app's address. `check` is asked in the caller's name before each step, and may refuse it."""
        process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api
        _serving[place] += 1

        async def process_api(
            block_fn: BlockFunction | int, *args: Any, request: Any = None, **kwargs: Any
        ) -> dict[str, Any]:
            fn = demo.fns[block_fn] if isinstance(block_fn, int) else block_fn
            is_batch = isinstance(request, list)
            http = _http_request(request[0] if is_batch else request)
            if http is None:
                if is_batch:
                    raise as_popup(SessionEnded(), request_id="-")
                # Gradio itself asks, at start-up.
                return await process(block_fn, *args, request=request, **kwargs)
            try:
                event = _event_of(fn, demo, kwargs.get("state"))
                is_activity = not _is_tick(event)
                if is_batch:
                    batch = partial(process, block_fn, *args, **kwargs)
                    return await self._batch(demo, event, batch, request, place=place, check=check)
                call = await self.begin(http, place=place, is_activity=is_activity)
                if needs_state(fn):
                    await call.load_state()

                async def run() -> dict[str, Any]:
                    check(event)
                    return await process(block_fn, *args, request=request, **kwargs)

                return await self._step(call, run, is_activity=is_activity)
            except Exception as error:
                if _probe_mode_active.get():
                    # Gradio asks whether a cached answer is there. If not, for whatever reason, the event waits its turn.
                    raise CacheMissError from error
                told = self._told(error, fn, http)
                if told is error:
                    raise
                raise told from error

        demo.process_api = process_api  # type: ignore[method-assign]

    def _told(self, error: Exception, fn: BlockFunction, http: Request) -> gr.Error:
        """What a failed step says: to the caller, and in the log."""
        if is_full(error):
            log.error("disk full", of=fn.name, exc_info=error)
            error = DiskFull()
        if isinstance(error, gr.Error):
            error.print_exception = False  # To standard error, past the log and its rules.
            _forget_inputs(error)
            log.info("event refused", of=fn.name, title=error.title)
            return error
        if _is_of_the_input(error):  # Its text is the input: not for the log.
            log.warning("event input unreadable", of=fn.name, fault=type(error).__name__)
            _forget_inputs(error)
            return gr.Error(_UNREADABLE, print_exception=False)
        http.scope["state"][EVENT_STATUS] = _status(error)
        request_id = str(http.scope["state"].get(REQUEST_ID, "-"))
        return as_popup(error, request_id=request_id)

    async def _batch(
        self,
        demo: gr.Blocks,
        fn: BlockFunction,
        run: "partial[Awaitable[dict[str, Any]]]",
        requests: list[Any],
        *,
        place: str,
        check: Check,
    ) -> dict[str, Any]:
        """One run for those callers who may; each of the others is told alone why not, as by an event of their own."""
        if not fn.batch:
            raise gr.Error("This event takes no batches.")
        if fn.connection == "stream":  # Gradio would send each of them the outputs of all.
            raise gr.Error("A stream takes no batches.")
        is_activity = not _is_tick(fn)
        calls = [
            await self._of_batch(demo, fn, request, place=place, check=check)
            for request in requests
        ]
        allowed = [call is not None for call in calls]
        if not any(allowed):
            raise gr.Error("Nobody of this batch may run it.")  # Everybody has been told.
        with ExitStack() as running:
            for call in filter(None, calls):
                running.enter_context(self._is_running(call, is_activity=is_activity))
            if all(allowed):
                return await run(request=requests)
            inputs = [only(values, allowed) for values in run.keywords["inputs"]]
            output = await run(inputs=inputs, request=only(requests, allowed))
        output["data"] = [with_gaps(values, allowed) for values in output["data"]]
        return output

    async def _of_batch(
        self, demo: gr.Blocks, fn: BlockFunction, request: Any, *, place: str, check: Check
    ) -> Call | None:
        """None for a caller who may not run it, and has been told."""
        http = _http_request(request)
        if http is None:
            return None
        try:
            call = await self.begin(http, place=place, is_activity=not _is_tick(fn))
            with call.current():
                check(fn)
        except Exception as error:
            tell_alone(demo, http, self._told(error, fn, http))
            return None
        return call

    async def _step(
        self, call: Call, run: Callable[[], Awaitable[dict[str, Any]]], *, is_activity: bool
    ) -> dict[str, Any]:
        with call.current(), self._is_running(call, is_activity=is_activity):
            output = await run()
        await call.keep()
        if call.goes_to is not None:
            output[GOES_TO], call.goes_to = call.goes_to, None
        return output

    def _is_running(self, call: Call, *, is_activity: bool) -> AbstractContextManager[None]:
        if is_activity and call.signed_in.token is None:  # A token never grows idle.
            return self.running.one_of(call.signed_in.session.id)
        return nullcontext()

    async def begin(self, http: Request, *, place: str, is_activity: bool) -> Call:
        """Raises SessionEnded: an ended session runs no further step."""
        state = http.scope["state"]
        if RECOGNISE not in state:
            raise SessionEnded
        signed_in: SignedIn = await state[RECOGNISE](activity=is_activity)
        call: Call | None = state.get(_CALL)
        if call is None:
            data = SessionData({key: entry.value for key, entry in signed_in.data.items()})
            call = state[_CALL] = Call(app=self.app, signed_in=signed_in, data=data, place=place)
            http.scope["session"] = data
        else:
            call.signed_in = signed_in
        return call


_UNREADABLE: Final = "The app cannot read what was sent to it."


def _forget_inputs(error: BaseException | None) -> None:
    """Remove the variables from the frames of a refused event: Gradio keeps the error until garbage is collected, and with
    it every image that was decoded before the refusal."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__context__


def _is_of_the_input(error: Exception) -> bool:
    """Whether a component could not read its value: the author's function was never reached."""
    steps = {frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__)}
    return "preprocess_data" in steps and "call_function" not in steps


def _status(error: Exception) -> int:
    if isinstance(error, StoreUnavailable | FileGone):
        return 503
    if isinstance(error, DiskFull):
        return 507
    return 400 if isinstance(error, DomainError) else 500


def _event_of(fn: BlockFunction, demo: gr.Blocks, tab: SessionState | None) -> BlockFunction:
    """A validator runs in front of an event and under its rules; Gradio makes it a function of its own, which knows
    nothing of the event. Raises NotAllowed for one that belongs to none."""
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
    """A timer's tick is no activity: a forgotten tab would keep its session for ever."""
    return bool(fn.targets) and all(event == "tick" for _, event in fn.targets)
