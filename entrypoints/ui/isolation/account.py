"""Count one account's tabs, events, streams and uploads in Gradio's memory, and limit their number."""

from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.exceptions import HTTPException

from domain.model.session import SessionId
from entrypoints.ui import limits
from entrypoints.ui.isolation.resuming import ResumableStreams
from entrypoints.ui.wire.large_bodies import LargeBodies


class Keeper(Protocol):
    """The memory of one mounted app."""

    def is_under_way(self, event_id: str) -> bool:
        """Return whether the event is queued or running."""

    def has_unread_events(self, tab: str) -> bool:
        """Return whether an event of the tab has a result that was not read, or will have one."""

    async def forget(self, tab: str) -> None:
        """Release all memory of the tab and remove its queued events. The outputs of running events are dropped."""


@dataclass(frozen=True, slots=True)
class Tab:
    keeper: Keeper
    name: str
    """The name that Gradio knows, with the session's suffix. Empty for an event without a tab."""
    session_id: SessionId
    """The session or access token that owns the tab, or has made it: see Accounts.owner_of."""


@dataclass(slots=True)
class Upload:
    at: float
    files: int = 0
    size: int = 0
    places: set[str] = field(default_factory=set)
    """Where its files are in Gradio's folder, without those that a stream has used."""
    new: set[str] = field(default_factory=set)
    """Those of the places that had no file before. No event has used them yet, except as pieces of a stream."""


@dataclass(slots=True)
class Streamed:
    """The pieces of streams that an account has used within one minute."""

    at: float
    pieces: int = 0
    size: int = 0
    """Bytes."""


@dataclass(slots=True)
class Account:
    """One account's tabs, events, streams and uploads, in all apps and over all its sessions and access tokens."""

    tabs: OrderedDict[Tab, None] = field(default_factory=OrderedDict)
    """The least recently used first."""
    begun_anew: set[Tab] = field(default_factory=set)
    """Tabs whose memory was gone when their page connected again. They are like new until an event runs in them."""
    events: OrderedDict[str, Tab] = field(default_factory=OrderedDict)
    """The tab of each event, by event id; the latest event last."""
    under_way: dict[str, Tab] = field(default_factory=dict)
    """The tab of each queued or running event, by event id."""
    direct: Counter[Tab] = field(default_factory=Counter)
    """Events that run within their request, without the queue."""
    joining: Counter[Tab] = field(default_factory=Counter)
    """Events that are about to join the queue."""
    streams: Counter[Tab] = field(default_factory=Counter)
    """Open streams."""
    resumable: ResumableStreams = field(default_factory=ResumableStreams)
    uploads: deque[Upload] = field(default_factory=deque)
    streamed: deque[Streamed] = field(default_factory=deque)
    """Of the last hour, the oldest minute first."""
    large: LargeBodies = field(default_factory=LargeBodies)
    pieces: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Where the latest used pieces of streams are in Gradio's folder, the oldest first."""

    def tab_of(self, event_id: str, keeper: Keeper, session_id: SessionId) -> Tab:
        """Return the tab of an event. Raises HTTPException (404) if the event does not exist, or belongs to another
        account, session or app."""
        tab = self.events.get(event_id)
        if tab is None or tab.keeper is not keeper or tab.session_id != session_id:
            raise HTTPException(404)
        return tab

    def owns(self, event_id: str, tab: Tab) -> None:
        self.events[event_id] = self.under_way[event_id] = tab
        while len(self.events) > limits.EVENT_IDS:
            # Keep waiting and running events: one device must not push out events that another device waits for.
            del self.events[next(i for i in self.events if i not in self.under_way)]

    def must_have_room_for_an_event(self) -> None:
        """Raises HTTPException."""
        self._count_events()
        if len(self.under_way) + self.direct.total() + self.joining.total() >= limits.EVENTS:
            raise HTTPException(
                429,
                f"{limits.EVENTS} of your events are waiting or running. Wait until one of them has finished.",
            )

    @contextmanager
    def running(self, tab: Tab, *, is_direct: bool = False) -> Iterator[None]:
        """Count an event until the block ends. `is_direct` means without the queue. Raises HTTPException."""
        self.must_have_room_for_an_event()
        if is_direct and self.direct.total() >= limits.DIRECT:
            raise HTTPException(
                429,
                f"{limits.DIRECT} of your events run without the queue. Wait until one of them has finished.",
            )
        with _counted(self.direct if is_direct else self.joining, tab):
            yield

    @contextmanager
    def streaming(self, tab: Tab) -> Iterator[None]:
        """Count a stream until the block ends. Raises HTTPException."""
        if self.streams.total() >= limits.STREAMS:
            raise HTTPException(
                429, f"You have {limits.STREAMS} open streams. Close some tabs of this service."
            )
        with _counted(self.streams, tab):
            yield

    async def use(self, tab: Tab) -> None:
        """Mark the tab as just used, or add it. Raises HTTPException if there are too many and all are in use."""
        if tab in self.tabs:
            self.tabs.move_to_end(tab)
            return
        await self.make_room(tab)

    async def make_room(self, tab: Tab | None = None) -> None:
        """Evict the least recently used tab if there are too many, and add `tab`. Raises HTTPException if all tabs are
        in use."""
        unused = self._longest_unused() if len(self.tabs) >= limits.TABS else None
        if tab is not None:
            self.tabs[tab] = None
        if unused is not None:
            del self.tabs[unused]
            self.begun_anew.discard(unused)
            self.resumable.leave(unused)
            await unused.keeper.forget(unused.name)

    async def leave(self, tab: Tab) -> None:
        """Release a tab that no client will use again. The outputs of its running events are dropped."""
        self.tabs.pop(tab, None)
        self.begun_anew.discard(tab)
        await tab.keeper.forget(tab.name)

    async def forget(self, session_id: SessionId) -> bool:
        """Release all tabs of an ended session. Return False if some are still busy, because a running event may use
        its tab again; call this again later."""
        for tab in [tab for tab in self.tabs if tab.session_id == session_id]:
            self.resumable.leave(tab)
            await tab.keeper.forget(tab.name)
        self._count_events()
        if any(tab.session_id == session_id for tab in self._busy_tabs()):
            return False
        for tab in [tab for tab in self.tabs if tab.session_id == session_id]:
            del self.tabs[tab]
            self.begun_anew.discard(tab)
        for event_id in [i for i, tab in self.events.items() if tab.session_id == session_id]:
            del self.events[event_id]
        return True

    def upload(self, now: float, *, limit: int) -> Upload:
        """Begin an upload. `limit` is the maximum bytes of one upload. Raises HTTPException if the last hour's quota is
        used up."""
        self._forget_uploads(now)
        upload = Upload(at=now)
        self.uploads.append(upload)
        self.must_have_room_for_uploads(limit=limit)
        return upload

    def must_have_room_for_uploads(self, *, limit: int) -> None:
        """Raises HTTPException. `limit` is the maximum bytes of one upload."""
        files = sum(upload.files for upload in self.uploads)
        size = sum(upload.size for upload in self.uploads)
        size += sum(minute.size for minute in self.streamed)
        if files > limits.FILES_PER_HOUR or size > limits.UPLOADS_PER_HOUR * limit:
            raise HTTPException(
                429,
                f"You can upload {limits.FILES_PER_HOUR} files or {limits.UPLOADS_PER_HOUR * limit} bytes "
                "within an hour. Try again later.",
            )

    def has_files_to_follow(self) -> bool:
        """Return whether uploads or pieces of streams are known, so that the files of an event matter."""
        return bool(self.uploads or self.pieces)

    def use_piece(self, place: str, now: float) -> None:
        """Count an upload that a running stream has used as bytes, not as a file. A file that is no upload of the last
        hour stays as it is."""
        upload = next((each for each in reversed(self.uploads) if place in each.places), None)
        if upload is None:
            return
        is_new = place in upload.new
        upload.places.discard(place)
        upload.new.discard(place)
        if is_new or place in self.pieces:
            self.pieces[place] = None
            self.pieces.move_to_end(place)
        minute = self._minute(now)
        if minute.pieces < limits.PIECES_PER_MINUTE:
            minute.pieces += 1
            upload.files -= 1
            if not upload.files:
                minute.size += upload.size
                self.uploads.remove(upload)

    def keep_files(self, places: Collection[str]) -> None:
        """Treat these files as ordinary ones from now on, because an event has used or shown them other than as pieces
        of a stream."""
        for place in places:
            self.pieces.pop(place, None)
        for upload in self.uploads if places else ():
            upload.new.difference_update(places)

    def surplus_pieces(self) -> Sequence[str]:
        """Take out the oldest pieces if there are too many, and return their places."""
        if len(self.pieces) <= limits.PIECES:
            return ()
        # A new upload may have the same content, for example silence, and thus the same place.
        again = set[str]().union(*(upload.places for upload in self.uploads))
        surplus = [place for place in self.pieces if place not in again]
        surplus = surplus[: len(self.pieces) - limits.PIECES * 3 // 4]
        for place in surplus:
            del self.pieces[place]
        return surplus

    def has_events(self) -> bool:
        """Return whether events wait or run."""
        self._count_events()
        return bool(self._tabs_with_events())

    def has_results(self) -> bool:
        """Return whether events have results that were not read, or will have some."""
        return any(tab.keeper.has_unread_events(tab.name) for tab in self.tabs)

    def is_in_use(self) -> bool:
        """Return whether events wait or run, or streams are open."""
        self._count_events()
        return bool(self._busy_tabs())

    def is_empty(self, now: float) -> bool:
        """Return whether nothing is left to count."""
        self._forget_uploads(now)
        return not (self.tabs or self.uploads or self.streamed or self._busy_tabs())

    def _minute(self, now: float) -> Streamed:
        if not self.streamed or self.streamed[-1].at <= now - limits.MINUTE:
            self.streamed.append(Streamed(at=now))
        return self.streamed[-1]

    def _forget_uploads(self, now: float) -> None:
        counted: tuple[deque[Upload] | deque[Streamed], ...] = self.uploads, self.streamed
        for each in counted:
            while each and each[0].at <= now - limits.HOUR:
                each.popleft()

    def _busy_tabs(self) -> set[Tab]:
        return {*self.streams, *self._tabs_with_events()}

    def _tabs_with_events(self) -> set[Tab]:
        return {*self.under_way.values(), *self.direct, *self.joining}

    def _longest_unused(self) -> Tab:
        self._count_events()
        busy, with_events = self._busy_tabs(), self._tabs_with_events()
        for tab in self.tabs:
            if tab not in busy or (tab not in with_events and self.resumable.are_kept(tab)):
                return tab
        raise HTTPException(
            429, f"You have {limits.TABS} tabs of this service in use. Close some of them."
        )

    def _count_events(self) -> None:
        over = [i for i, tab in self.under_way.items() if not tab.keeper.is_under_way(i)]
        for event_id in over:
            del self.under_way[event_id]


@contextmanager
def _counted(counts: Counter[Any], one: object) -> Iterator[None]:
    counts[one] += 1
    try:
        yield
    finally:
        counts[one] -= 1
        if not counts[one]:
            del counts[one]
