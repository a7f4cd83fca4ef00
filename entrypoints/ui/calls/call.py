"""Make the current caller known at any depth of a callback, in a context variable set around each step of an event."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from structlog.contextvars import bound_contextvars

from application.use_cases import UseCases
from domain.model.caller import Caller, SignedIn
from domain.model.user import User
from entrypoints.base_path import AT_ROOT, BasePath
from entrypoints.ui.calls.kept_values import SessionData, State


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedApp:
    """An app as the HomePage shows it."""

    title: str
    address: str
    """A path with a trailing slash."""
    description: str
    """Plain text, or empty."""
    is_example: bool
    """True for our own example, which is only served without an author's app."""


Offers = Callable[[User], Sequence[OfferedApp]]


@dataclass(slots=True)
class Call:
    """One event: its caller, and the session data and account state that it changes."""

    use_cases: UseCases
    signed_in: SignedIn
    data: SessionData
    place: str
    """The app's address, without a trailing slash."""
    state: State | None = None
    """None until it is loaded, which happens before an event whose function takes a State."""
    goes_to: str | None = None
    """The address to which the browser is redirected after the step."""
    new_name: str | None = None
    """The account's name, if the bar has to show another one after the step."""
    offered: "Offers" = lambda _: ()
    """Returns the apps that an account may use."""
    base: BasePath = AT_ROOT
    origin: Mapping[str, str] = field(default_factory=dict)
    """Where the event comes from, for the log."""

    @property
    def caller(self) -> Caller:
        return self.signed_in.caller

    @contextmanager
    def current(self) -> Iterator[None]:
        """Let `current_call()` return this call inside the block."""
        token = _current.set(self)
        try:
            with bound_contextvars(**self.origin):
                yield
        finally:
            _current.reset(token)

    def loaded_state(self) -> State:
        """Raises RuntimeError if the State has not been loaded, because no parameter asks for it."""
        if self.state is None:
            raise RuntimeError(
                "State must be a parameter of the callback, `state: State = injected`, or of a function it names."
            )
        return self.state

    async def load_state(self) -> None:
        if self.state is None:
            entries = await self.use_cases.read_account_state(self.caller)
            self.state = State({key: entry.value for key, entry in entries.items()})

    async def keep(self) -> None:
        """Store the changes since the last call of this method. Raises StateInvalid, SessionEnded, UserNotFound."""
        if changes := self.data.changes():
            await self.use_cases.change_session_data(self.caller, changes)
            self.data.are_kept()
        if self.state is not None and (self.state.changes() or self.state.updates()):
            stored = await self.use_cases.change_account_state(
                self.caller, self.state.changes(), self.state.updates()
            )
            self.state.are_stored(stored)


_current: ContextVar[Call | None] = ContextVar("call", default=None)
_is_after_session: ContextVar[bool] = ContextVar("is_after_session", default=False)
_is_building: ContextVar[bool] = ContextVar("is_building", default=False)
_is_for_all: ContextVar[bool] = ContextVar("is_for_all", default=False)
_serving: Final[Counter[str]] = Counter()
"""How often an app is mounted at each address. In tests, one process may have several services, one after the other
or at once."""


def is_served() -> bool:
    """Return whether this process serves apps. False if an author's file runs alone."""
    return _serving.total() > 0 or _is_building.get()


def begin_serving(place: str) -> None:
    _serving[place] += 1


def end_serving(place: str) -> None:
    _serving[place] -= 1


@contextmanager
def being_built() -> Iterator[None]:
    """Mark the block as building apps, without a caller. Gradio then calls functions for the first values of
    components, which all users see."""
    token = _is_building.set(True)
    try:
        yield
    finally:
        _is_building.reset(token)


def nobody_calls() -> bool:
    """Return whether apps are being built and no callback is running."""
    return _is_building.get() and _current.get() is None


@contextmanager
def after_the_session() -> Iterator[None]:
    """Mark the block as an unload event of a session that has ended. Nobody calls it."""
    token = _is_after_session.set(True)
    try:
        yield
    finally:
        _is_after_session.reset(token)


@contextmanager
def run_for_all() -> Iterator[None]:
    """Mark the block as the function of cached examples. Nobody calls it."""
    token = _is_for_all.set(True)
    try:
        yield
    finally:
        _is_for_all.reset(token)


def call_or_none() -> Call | None:
    """Return the call of the running event, or None if nobody calls: at start-up, or in a batch."""
    return _current.get()


def current_call() -> Call:
    """Raises RuntimeError outside an event of a mounted app."""
    call = _current.get()
    if call is None and _is_for_all.get():
        raise RuntimeError(
            "Nobody is signed in here: the outputs of cached examples are stored once, for all users. Set "
            "cache_examples=False, or ask for the caller in another event."
        )
    if call is None and _is_after_session.get():
        raise RuntimeError(
            "Nobody is signed in here: the session ended before this unload event. To know who it was, take "
            "`request: gr.Request` as a parameter, and read request.username."
        )
    if call is None and _is_building.get():
        raise RuntimeError(
            "Nobody is signed in while the page is built: it is built once, for all users. Ask for the caller in a "
            "callback, such as demo.load(fn, None, component), or in a function that is the value of a component."
        )
    if call is None:
        raise RuntimeError(
            "Nobody is signed in here: this works inside a Gradio callback of an app that gradioapp serves "
            "(not at import, not in a thread of your own, not in a batch=True event). To know the caller in a thread, "
            "start it with contextvars.copy_context().run."
        )
    return call
