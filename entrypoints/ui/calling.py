"""Who is calling, at any depth of a callback: one wrapper around each app's `process_api`.

It is the only hook that Gradio calls for every event and every step of a generator, queued or not; a context variable
set by a middleware is lost in the queue's own task.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from traceback import walk_tb
from typing import Any, Final

import gradio as gr
import structlog
from gradio.block_function import BlockFunction
from starlette.requests import Request

from application.use_cases import UseCases
from domain.errors import DomainError, SessionEnded, StoreUnavailable
from domain.model.caller import Caller, SignedIn
from domain.model.session import SessionId
from domain.model.state import REMOVED, JsonValue, Removed, checked_key, encoded
from entrypoints.access import RECOGNISE, REQUEST_ID
from entrypoints.ui.answers import EVENT_STATUS
from entrypoints.ui.errors import as_popup

log = structlog.get_logger()

_CALL: Final = "call"
"""Key in the scope's `state`: one event keeps one Call through all its steps."""


class SessionData(dict[str, Any]):
    """The values of one sign-in. Setting what cannot be kept is refused at the line that sets it; what changed is kept
    when the callback returns, and nothing when it raises."""

    def __init__(self, kept: dict[str, JsonValue]) -> None:
        super().__init__(kept)
        self._kept = deepcopy(kept)

    def __setitem__(self, key: str, value: Any) -> None:
        encoded(checked_key(key), value)
        super().__setitem__(key, value)

    def update(self, *args: Any, **values: Any) -> None:
        for key, value in dict(*args, **values).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self, other: Any) -> "SessionData":  # type: ignore[override,misc]
        self.update(other)
        return self

    def changes(self) -> dict[str, JsonValue | Removed]:
        """Also finds what was changed inside a value."""
        changed: dict[str, JsonValue | Removed] = {
            key: value
            for key, value in self.items()
            if key not in self._kept or self._kept[key] != value
        }
        return changed | dict.fromkeys(self._kept.keys() - self.keys(), REMOVED)

    def are_kept(self) -> None:
        self._kept = deepcopy(dict(self))


@dataclass(slots=True)
class Call:
    """One event: who asked for it, and what of the session's data it changed."""

    app: UseCases
    signed_in: SignedIn
    data: SessionData

    @property
    def caller(self) -> Caller:
        return self.signed_in.caller

    async def keep(self) -> None:
        if changes := self.data.changes():
            await self.app.change_session_data(self.caller, changes)
            self.data.are_kept()


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def current_call() -> Call:
    """Raises RuntimeError outside an event of a mounted app."""
    call = _current.get()
    if call is None:
        raise RuntimeError(
            "Nobody is signed in here: this works inside a Gradio callback of an app that gradioapp serves "
            "(not at import, not in a thread of your own, not in a batch=True event)."
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

    def wrap(self, demo: gr.Blocks) -> None:
        process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api

        async def process_api(
            block_fn: BlockFunction | int, *args: Any, request: Any = None, **kwargs: Any
        ) -> dict[str, Any]:
            fn = demo.fns[block_fn] if isinstance(block_fn, int) else block_fn
            if isinstance(request, list):
                return await self._batch(fn, partial(process, block_fn, *args, **kwargs), request)
            http = _http_request(request)
            if http is None:  # Gradio itself asks, at start-up.
                return await process(block_fn, *args, request=request, **kwargs)
            try:
                return await self._step(
                    http,
                    lambda: process(block_fn, *args, request=request, **kwargs),
                    is_activity=not _is_tick(fn),
                )
            except gr.Error as error:
                error.print_exception = False  # To standard error, past the log and its rules.
                log.info("event refused", of=fn.name, title=error.title)
                raise
            except Exception as error:
                if _is_of_the_input(error):  # Its text is the input: not for the log.
                    log.warning("event input unreadable", of=fn.name, fault=type(error).__name__)
                    raise gr.Error(_UNREADABLE, print_exception=False) from error
                http.scope["state"][EVENT_STATUS] = _status(error)
                request_id = str(http.scope["state"].get(REQUEST_ID, "-"))
                raise as_popup(error, request_id=request_id) from error

        demo.process_api = process_api  # type: ignore[method-assign]

    async def _batch(
        self, fn: BlockFunction, run: "partial[Awaitable[dict[str, Any]]]", requests: list[Any]
    ) -> dict[str, Any]:
        """One run for several callers; of an ended session nothing is run, and its sample stays empty."""
        if not fn.batch:
            raise gr.Error("This event takes no batches.", print_exception=False)
        here = [await self._is_signed_in(request) for request in requests]
        if all(here):
            return await run(request=requests)
        if not any(here):
            raise as_popup(SessionEnded(), request_id="-")
        inputs = [list(compress(values, here)) for values in run.keywords["inputs"]]
        output = await run(inputs=inputs, request=list(compress(requests, here)))
        output["data"] = [_spread(values, here) for values in output["data"]]
        return output

    async def _is_signed_in(self, request: Any) -> bool:
        http = _http_request(request)
        try:
            if http is not None:
                await self._call(http, is_activity=True)
        except SessionEnded:
            return False
        return True

    async def _step(
        self, http: Request, run: Callable[[], Awaitable[dict[str, Any]]], *, is_activity: bool
    ) -> dict[str, Any]:
        call = await self._call(http, is_activity=is_activity)
        token = _current.set(call)
        try:
            if is_activity:
                with self.running.one_of(call.signed_in.session.id):
                    output = await run()
            else:
                output = await run()
        finally:
            _current.reset(token)
        await call.keep()
        return output

    async def _call(self, http: Request, *, is_activity: bool) -> Call:
        """Raises SessionEnded: an ended session runs no further step."""
        state = http.scope["state"]
        if RECOGNISE not in state:
            raise SessionEnded
        signed_in: SignedIn = await state[RECOGNISE](activity=is_activity)
        call: Call | None = state.get(_CALL)
        if call is None:
            data = SessionData({key: deepcopy(e.value) for key, e in signed_in.data.items()})
            call = state[_CALL] = Call(app=self.app, signed_in=signed_in, data=data)
            http.scope["session"] = data
        else:
            call.signed_in = signed_in
        return call


_UNREADABLE: Final = "The app cannot read what was sent to it."


def _is_of_the_input(error: Exception) -> bool:
    """Whether a component could not read its value: the author's function was never reached."""
    steps = {frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__)}
    return "preprocess_data" in steps and "call_function" not in steps


def _spread(values: Iterable[Any], here: Sequence[bool]) -> list[Any]:
    """One place for every caller, those who are gone included."""
    rest = iter(values)
    return [next(rest) if is_here else None for is_here in here]


def _status(error: Exception) -> int:
    if isinstance(error, StoreUnavailable):
        return 503
    return 400 if isinstance(error, DomainError) else 500


def _http_request(request: Any) -> Request | None:
    if isinstance(request, list):
        return None
    inner = getattr(request, "request", None)
    return inner if isinstance(inner, Request) else None


def _is_tick(fn: BlockFunction) -> bool:
    """A timer's tick is no activity: a forgotten tab would keep its session for ever."""
    return bool(fn.targets) and all(event == "tick" for _, event in fn.targets)
