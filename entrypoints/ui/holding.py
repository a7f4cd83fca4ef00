"""How many bytes Gradio keeps in memory for each account: inputs of events, outputs that nobody has read, and drawings.

Counted per account, over all its tabs, sign-ins, access tokens and pages. A value counts as 64 bytes, which is what a list of
short ones takes; its text alone would say a tenth.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import orjson
from gradio.server_messages import EventMessage
from starlette.exceptions import HTTPException

from domain.model.user import UserId
from entrypoints.ui import caps
from entrypoints.ui.logins import Keeper

_turn: Final = count()
_NODES: Final = (b",", b":", b"[", b"{")
_MB: Final = 1024 * 1024
Drawings = dict[str, Any]
"""The `blob_storage` of a component: what is drawn, until an event takes it."""


@dataclass(slots=True)
class Held:
    """Of one account."""

    arriving: int = 0
    """Bytes of inputs that are about to join, or run within their request."""
    inputs: dict[str, tuple[Keeper, int]] = field(default_factory=dict)
    """Of each event that waits or runs."""
    outputs: int = 0
    messages: "weakref.WeakSet[TabMessages]" = field(default_factory=weakref.WeakSet)
    drawings: list[tuple[Drawings, str]] = field(default_factory=list)
    """Where they are kept, and under which names, the oldest first."""

    @contextmanager
    def room_for(self, size: int, *, limit: int) -> Iterator[None]:
        """The inputs of one event, until the block ends. What the event says inside counts as this account's.
        Raises HTTPException."""
        taken = self._inputs()
        if taken + size > limit:
            raise HTTPException(
                429,
                f"The inputs of your waiting and running events take {taken // _MB} MB of {limit // _MB}: "
                "let one of them finish.",
            )
        self.arriving += size
        token = _held.set(self)
        try:
            yield
        finally:
            _held.reset(token)
            self.arriving -= size

    def keep(self, event_id: str, keeper: Keeper, size: int) -> None:
        """Until the event is over."""
        self.inputs[event_id] = keeper, size

    def is_empty(self) -> bool:
        return not (self._inputs() or self.outputs or self.messages or self.drawings)

    def make_room_for_an_output(self) -> None:
        """Drop outputs, those of the tab that has read nothing for the longest first, as far as they are too many."""
        while self.outputs > caps.UNREAD:
            unread = [each for each in self.messages if each.is_unread()]
            if not unread:
                return
            min(unread, key=TabMessages.waiting_since).drop()

    def draws(self, drawings: Drawings, name: str) -> None:
        """Keep the drawing of this name; the oldest ones go, as far as they are too many."""
        there = [one for one in self.drawings if one[1] != name and one[1] in one[0]]
        self.drawings = [*there, (drawings, name)]
        sizes = [_bytes_of(kept[name]) for kept, name in self.drawings]
        while len(sizes) > 1 and sum(sizes) > caps.DRAWINGS:
            kept, oldest = self.drawings.pop(0)
            del sizes[0], kept[oldest]

    def _inputs(self) -> int:
        for event_id in [i for i, (keeper, _) in self.inputs.items() if not keeper.is_under_way(i)]:
            del self.inputs[event_id]
        return self.arriving + sum(size for _, size in self.inputs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Of all accounts, in all apps."""

    _accounts: dict[UserId, Held] = field(default_factory=dict)

    def of(self, user_id: UserId) -> Held:
        held = self._accounts.get(user_id)
        if held is None:
            for other in [one for one, its in self._accounts.items() if its.is_empty()]:
                del self._accounts[other]
            held = self._accounts[user_id] = Held()
        return held


_held: Final[ContextVar[Held | None]] = ContextVar("held", default=None)


class TabMessages(asyncio.Queue[EventMessage]):
    """What a tab is told, until it is read."""

    def __init__(self, held: Held, forget: Callable[[], None]) -> None:
        super().__init__()
        self._held = held
        self._forget = forget
        self._sizes: deque[int] = deque()
        self._since = 0
        self._is_looked_at = False
        held.messages.add(self)

    def _put(self, item: EventMessage) -> None:
        self._held.make_room_for_an_output()  # Before: one alone may have any size.
        if not self._sizes:
            self._since = next(_turn)
        size = _size_of(item)
        super()._put(item)
        self._sizes.append(size)
        self._held.outputs += size
        self._look_later()

    def _get(self) -> EventMessage:
        self._since = next(_turn)
        self._held.outputs -= self._sizes.popleft()
        return super()._get()

    def waiting_since(self) -> int:
        return self._since

    def is_unread(self) -> bool:
        return bool(self._sizes)

    def drop(self) -> None:
        """Whoever comes later is told that the tab is unknown, and loads it again."""
        self._held.outputs -= sum(self._sizes)
        self._sizes.clear()
        self._queue.clear()  # type: ignore[attr-defined]
        self._forget()

    def _look_later(self) -> None:
        if not self._is_looked_at:
            self._is_looked_at = True
            loop = asyncio.get_running_loop()
            loop.call_later(caps.UNREAD_FOR, _look_at, weakref.ref(self), self._since)

    def look(self, since: int) -> None:
        """Drop what is there if nothing has been read since then."""
        self._is_looked_at = False
        if self._since == since and self.is_unread():
            self.drop()
        elif self._sizes:
            self._look_later()

    def __del__(self) -> None:
        self._held.outputs -= sum(self._sizes)


def must_fit(drawings: Drawings, name: object, size: int) -> None:
    """Another layer of a drawing, of this size. Raises HTTPException."""
    drawing = drawings.get(name) if isinstance(name, str) else None
    if drawing is not None and _bytes_of(drawing) + size > caps.DRAWINGS:
        raise HTTPException(
            413, f"A drawing has at most {caps.DRAWINGS // _MB} MB: make it smaller."
        )


def messages_of_caller(forget: Callable[[], None]) -> TabMessages | None:
    """For a tab that is made by a request of somebody; `forget` removes it from Gradio's memory."""
    held = _held.get()
    return None if held is None else TabMessages(held, forget)


def _look_at(messages: "weakref.ref[TabMessages]", since: int) -> None:
    there = messages()
    if there is not None:
        there.look(since)


def _size_of(message: EventMessage) -> int:
    output = getattr(message, "output", None)
    try:
        text = orjson.dumps(output, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # Gradio will not be able to send it either.
        return 0
    return len(text) + caps.NODE * sum(map(text.count, _NODES))


def _bytes_of(drawing: Any) -> int:
    parts = [drawing.background, drawing.composite, *drawing.layers]
    return sum(len(part) for part in parts if part)
