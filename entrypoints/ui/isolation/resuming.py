"""Let a page resume a stream whose connection was cut, without losing a message.

When the connection of a stream ends, Gradio cancels the events of its tab. A proxy that cuts connections would cancel
every long event. A resumable stream runs in its own task instead, and outlives its connection for some seconds. It
numbers its messages and keeps the latest ones, because some of them may have been sent to a dead connection.
"""

from collections import deque
from collections.abc import Hashable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from entrypoints.ui import limits
from entrypoints.ui.isolation.resumable_stream import Listener, Response, ResumableStream

Key = tuple[Hashable, str]
"""The tab, which belongs to one session, and the path of the stream."""


@dataclass(slots=True)
class ResumableStreams:
    """The resumable streams of one account, at most one for each key."""

    size: int = 0
    """Bytes of all messages that are kept."""
    _streams: dict[Key, ResumableStream] = field(default_factory=dict)
    _order: deque[ResumableStream] = field(default_factory=deque)
    """The stream of each message that is kept, the oldest message first."""

    def find(self, key: Key, listener: Listener) -> ResumableStream | None:
        """Return the stream that the listener resumes, or that it takes over because its client has given up the
        former connection."""
        stream = self._streams.get(key)
        if stream is None or stream.name == listener.stream:
            return stream
        return None if stream.is_over or listener.after is not None else stream

    def begin(
        self,
        key: Key,
        listener: Listener,
        respond: Response,
        counted: AbstractContextManager[None],
        *,
        state: dict[str, Any],
    ) -> ResumableStream:
        """Begin a stream of the response. It is inside `counted` until it ends. `state` is the one of its scope. Raises
        what `counted` raises."""
        with ExitStack() as closing:
            closing.enter_context(counted)
            former = self._streams.get(key)
            if former is not None:
                former.leave()
            stream = ResumableStream(
                listener.stream, state, keep=self._keep, forget=partial(self._remove, key)
            )
            stream.begin(respond, closing.pop_all())
        self._streams[key] = stream
        return stream

    def leave(self, tab: Hashable) -> None:
        """End the streams of the tab as if its client had left."""
        for key, stream in list(self._streams.items()):
            if key[0] == tab:
                stream.leave()

    def keep(self, tab: Hashable) -> None:
        """Let the streams of an expired session wait until a new session has taken the tab over."""
        for key, stream in self._streams.items():
            if key[0] == tab:
                stream.wait_for_another(limits.KEPT_FOR)

    def are_kept(self, tab: Hashable) -> bool:
        """Return whether the tab has streams, and all of them wait for a new session."""
        theirs = [stream for key, stream in self._streams.items() if key[0] == tab]
        return bool(theirs) and all(stream.is_kept for stream in theirs)

    async def end(self, tab: Hashable) -> None:
        """End the streams of a tab whose client cannot come back, and wait until Gradio has ended them."""
        streams = [stream for key, stream in self._streams.items() if key[0] == tab]
        self.leave(tab)
        for stream in streams:
            await stream.ended()

    def _keep(self, stream: ResumableStream, size: int) -> None:
        self._order.append(stream)
        self.size += size
        while self.size - self._order[0].oldest >= limits.SENT_AGAIN:
            self.size -= self._order.popleft().drop_oldest()

    def _remove(self, key: Key, stream: ResumableStream) -> None:
        if self._streams.get(key) is stream:
            del self._streams[key]
        self._forget(stream)

    def _forget(self, stream: ResumableStream) -> None:
        """Release the memory of its messages."""
        self._order = deque(one for one in self._order if one is not stream)
        while stream.oldest:
            self.size -= stream.drop_oldest()
