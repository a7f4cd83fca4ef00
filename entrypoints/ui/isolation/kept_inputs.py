"""Count and limit the bytes that are kept in memory per account: inputs of events, unread outputs, drawings, and the
values that a link would save.

The limits apply per account, over all its tabs, sessions, access tokens and pages. A value counts as 64 bytes, as much
as a list takes per short value; its JSON text alone is about a tenth of that.
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
from pydantic import BaseModel, RootModel
from starlette.exceptions import HTTPException

from domain.model.user import UserId
from entrypoints.ui import limits
from entrypoints.ui.isolation.account import Keeper

_turn: Final = count()
_NODES: Final = (b",", b":", b"[", b"{")
_MB: Final = 1024 * 1024


def _plain(value: Any) -> Any:
    """Return what orjson writes for a value that it does not know. The text of a model would be its whole content."""
    if isinstance(value, RootModel):
        return value.root
    return dict(value) if isinstance(value, BaseModel) else str(value)


JSON_OF_A_VALUE: Final[dict[str, Any]] = {
    "option": orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATETIME,
    "default": _plain,
}
"""How Gradio writes the values of a link."""
Drawings = dict[str, Any]
"""The `blob_storage` of a component: drawings that no event has used yet."""


@dataclass(slots=True)
class Held:
    """The bytes that Gradio keeps for one account."""

    arriving: int = 0
    """Bytes of inputs of events that are about to join the queue, or that run within their request."""
    inputs: dict[str, tuple[Keeper, int]] = field(default_factory=dict)
    """For each waiting or running event its app, and the bytes of its inputs."""
    outputs: int = 0
    """Bytes of unread outputs."""
    messages: "weakref.WeakSet[TabMessages]" = field(default_factory=weakref.WeakSet)
    drawings: list[tuple[Drawings, str]] = field(default_factory=list)
    """The storage and the name of each drawing, the oldest first."""
    shown: "weakref.WeakSet[TabValues]" = field(default_factory=weakref.WeakSet)

    @contextmanager
    def room_for(self, size: int, *, limit: int) -> Iterator[None]:
        """Reserve memory for the inputs of one event until the block ends. Tabs that are made inside the block count
        for this account. Raises HTTPException."""
        taken = self._inputs()
        if taken + size > limit:
            raise HTTPException(
                429,
                f"The inputs of your waiting and running events take {taken // _MB} MB of {limit // _MB}. "
                "Wait until one of them has finished.",
            )
        self.arriving += size
        token = _held.set(self)
        try:
            yield
        finally:
            _held.reset(token)
            self.arriving -= size

    def keep(self, event_id: str, keeper: Keeper, size: int) -> None:
        """Count the inputs until the event has ended."""
        self.inputs[event_id] = keeper, size

    def is_empty(self) -> bool:
        return not (self._inputs() or self.outputs or self.messages or self.drawings or self.shown)

    def make_room_for_an_output(self) -> None:
        """Drop unread outputs until they fit the limit, beginning with the tab that has read nothing for longest."""
        while self.outputs > limits.UNREAD:
            unread = [each for each in self.messages if each.is_unread()]
            if not unread:
                return
            min(unread, key=TabMessages.waiting_since).drop()

    def draws(self, drawings: Drawings, name: str) -> None:
        """Count the drawing of this name, and remove the oldest drawings until all fit the limit."""
        there = [one for one in self.drawings if one[1] != name and one[1] in one[0]]
        self.drawings = [*there, (drawings, name)]
        sizes = [_bytes_of(kept[name]) for kept, name in self.drawings]
        while len(sizes) > 1 and sum(sizes) > limits.DRAWINGS:
            kept, oldest = self.drawings.pop(0)
            del sizes[0], kept[oldest]

    def make_room_for_shown(self) -> None:
        """Drop the values of tabs until they fit the limit, beginning with the longest unused tab."""
        for values in sorted(self.shown, key=TabValues.changed_at):
            if sum(each.size for each in self.shown) <= limits.SHOWN:
                return
            values.drop()

    def _inputs(self) -> int:
        for event_id in [i for i, (keeper, _) in self.inputs.items() if not keeper.is_under_way(i)]:
            del self.inputs[event_id]
        return self.arriving + sum(size for _, size in self.inputs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The Held of each account, for all apps together."""

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
    """The messages to a tab that its client has not read yet."""

    def __init__(self, held: Held, forget: Callable[[], None]) -> None:
        super().__init__()
        self._held = held
        self._forget = forget
        self._sizes: deque[int] = deque()
        self._since = 0
        self._is_looked_at = False
        held.messages.add(self)

    def _put(self, item: EventMessage) -> None:
        self._held.make_room_for_an_output()  # Before adding: a single output may have any size.
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
        """Drop all messages and forget the tab. A client that reads later gets "session expired" and reloads."""
        self._held.outputs -= sum(self._sizes)
        self._sizes.clear()
        self._queue.clear()  # type: ignore[attr-defined]
        self._forget()

    def _look_later(self) -> None:
        if not self._is_looked_at:
            self._is_looked_at = True
            loop = asyncio.get_running_loop()
            loop.call_later(limits.UNREAD_FOR, _look_at, weakref.ref(self), self._since)

    def look(self, since: int) -> None:
        """Drop the messages if none has been read since turn `since`; otherwise check again later."""
        self._is_looked_at = False
        if self._since == since and self.is_unread():
            self.drop()
        elif self._sizes:
            self._look_later()

    def __del__(self) -> None:
        self._held.outputs -= sum(self._sizes)


class TabValues:
    """The latest values of a tab's components, as JSON texts: as objects they would take fifty times as much."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._texts: dict[int, bytes] = {}
        self._changed_at = 0
        self.size = 0
        self.is_dropped = False
        held.shown.add(self)

    def keep(self, component: int, value: Any) -> None:
        """Keep a value. One that is no JSON is not kept."""
        if self.is_dropped:
            return
        self.size -= len(self._texts.pop(component, b""))
        try:
            text = orjson.dumps(value, **JSON_OF_A_VALUE)
        except TypeError:
            return
        self._texts[component] = text
        self._changed_at = next(_turn)
        self.size += len(text)
        self._held.make_room_for_shown()

    def get(self, component: int) -> bytes | None:
        return self._texts.get(component)

    def changed_at(self) -> int:
        return self._changed_at

    def drop(self) -> None:
        """Drop all values. Later ones are not kept either, because a link would show them beside outdated ones."""
        self._texts.clear()
        self.size = 0
        self.is_dropped = True


def must_fit(drawings: Drawings, name: object, size: int) -> None:
    """Raises HTTPException if a drawing has no room for another layer of this size."""
    drawing = drawings.get(name) if isinstance(name, str) else None
    if drawing is not None and _bytes_of(drawing) + size > limits.DRAWINGS:
        raise HTTPException(
            413, f"A drawing has at most {limits.DRAWINGS // _MB} MB: make it smaller."
        )


def messages_of_caller(forget: Callable[[], None]) -> TabMessages | None:
    """Return a queue of messages that counts for the current caller, or None outside `room_for`. `forget` removes the
    tab from Gradio's memory."""
    held = _held.get()
    return None if held is None else TabMessages(held, forget)


def _look_at(messages: "weakref.ref[TabMessages]", since: int) -> None:
    there = messages()
    if there is not None:
        there.look(since)


def size_of_json(text: bytes) -> int:
    """Return approximately how many bytes of memory the values take."""
    return len(text) + limits.NODE * sum(map(text.count, _NODES))


def _size_of(message: EventMessage) -> int:
    output = getattr(message, "output", None)
    try:
        text = orjson.dumps(output, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # Gradio cannot send it either.
        return 0
    return size_of_json(text)


def _bytes_of(drawing: Any) -> int:
    parts = [drawing.background, drawing.composite, *drawing.layers]
    return sum(len(part) for part in parts if part)
