"""What each account has in Gradio's memory: tabs, events, streams and uploads, how many it may have, and their end.

Caps count what an account has over all its sign-ins and access tokens. Names of tabs, ids of events and the end belong to
one sign-in.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.exceptions import HTTPException

from domain.model.caller import SignedIn
from domain.model.session import SessionId
from domain.model.user import UserId
from entrypoints.ui import caps


class Keeper(Protocol):
    """A mounted app, as far as it keeps things for tabs."""

    def is_under_way(self, event_id: str) -> bool:
        """Whether it is queued or running."""

    async def forget(self, tab: str) -> None:
        """All that is kept for the tab; its queued events go, running ones speak to nobody any more."""


@dataclass(frozen=True, slots=True)
class Tab:
    keeper: Keeper
    name: str
    """As Gradio knows it, the sign-in included; empty for an event that has no tab."""
    session_id: SessionId
    """The sign-in, or access token, whose tab it is."""


@dataclass(slots=True)
class Upload:
    at: float
    files: int = 0
    size: int = 0


@dataclass(slots=True)
class Account:
    """What one account has in all apps, over all its sign-ins and access tokens."""

    tabs: OrderedDict[Tab, None] = field(default_factory=OrderedDict)
    """The longest unused first."""
    events: OrderedDict[str, Tab] = field(default_factory=OrderedDict)
    """Of each event the tab it speaks to, the latest last."""
    under_way: dict[str, Tab] = field(default_factory=dict)
    direct: Counter[Tab] = field(default_factory=Counter)
    """Events that run within their request, without the queue."""
    joining: Counter[Tab] = field(default_factory=Counter)
    """Events that are about to join the queue."""
    streams: Counter[Tab] = field(default_factory=Counter)
    uploads: deque[Upload] = field(default_factory=deque)

    def tab_of(self, event_id: str, keeper: Keeper, session_id: SessionId) -> Tab:
        """Raises HTTPException for an event of somebody else, another sign-in or another app, as for one that never
        was."""
        tab = self.events.get(event_id)
        if tab is None or tab.keeper is not keeper or tab.session_id != session_id:
            raise HTTPException(404)
        return tab

    def owns(self, event_id: str, tab: Tab) -> None:
        self.events[event_id] = self.under_way[event_id] = tab
        while len(self.events) > caps.EVENT_IDS:
            # One device that starts many must not make the others forget what they are waiting for.
            del self.events[next(i for i in self.events if i not in self.under_way)]

    def must_have_room_for_an_event(self) -> None:
        """Raises HTTPException."""
        self._count_events()
        if len(self.under_way) + self.direct.total() + self.joining.total() >= caps.EVENTS:
            raise HTTPException(
                429, f"{caps.EVENTS} of your events are waiting or running: let one of them finish."
            )

    @contextmanager
    def running(self, tab: Tab, *, is_direct: bool = False) -> Iterator[None]:
        """`is_direct`: past the queue. Raises HTTPException."""
        self.must_have_room_for_an_event()
        if is_direct and self.direct.total() >= caps.DIRECT:
            raise HTTPException(
                429, f"{caps.DIRECT} of your events run past the queue: let one of them finish."
            )
        with _counted(self.direct if is_direct else self.joining, tab):
            yield

    @contextmanager
    def streaming(self, tab: Tab) -> Iterator[None]:
        if self.streams.total() >= caps.STREAMS:
            raise HTTPException(
                429, f"You have {caps.STREAMS} open streams: close some tabs of this service."
            )
        with _counted(self.streams, tab):
            yield

    async def use(self, tab: Tab) -> None:
        """Raises HTTPException when there is one too many and all are in use."""
        if tab in self.tabs:
            self.tabs.move_to_end(tab)
            return
        await self.make_room(tab)

    async def make_room(self, tab: Tab | None = None) -> None:
        """For one more tab, which counts at once."""
        unused = self._longest_unused() if len(self.tabs) >= caps.TABS else None
        if tab is not None:
            self.tabs[tab] = None
        if unused is not None:
            del self.tabs[unused]
            await unused.keeper.forget(unused.name)

    async def leave(self, tab: Tab) -> None:
        """Nobody comes back to it. What still runs there speaks to nobody."""
        self.tabs.pop(tab, None)
        await tab.keeper.forget(tab.name)

    async def forget(self, session_id: SessionId) -> bool:
        """Forget all tabs of a sign-in; whether that is all. An event that is still running may come back to its tab once
        more."""
        for tab in [tab for tab in self.tabs if tab.session_id == session_id]:
            await tab.keeper.forget(tab.name)
        self._count_events()
        if any(tab.session_id == session_id for tab in self._busy_tabs()):
            return False
        for tab in [tab for tab in self.tabs if tab.session_id == session_id]:
            del self.tabs[tab]
        for event_id in [i for i, tab in self.events.items() if tab.session_id == session_id]:
            del self.events[event_id]
        return True

    def upload(self, now: float, *, limit: int) -> Upload:
        """Begins one; raises HTTPException when the last hour has had enough."""
        self._forget_uploads(now)
        upload = Upload(at=now)
        self.uploads.append(upload)
        self.must_have_room_for_uploads(limit=limit)
        return upload

    def must_have_room_for_uploads(self, *, limit: int) -> None:
        """Raises HTTPException; `limit` is the bytes of one upload."""
        files = sum(upload.files for upload in self.uploads)
        size = sum(upload.size for upload in self.uploads)
        if files > caps.FILES_PER_HOUR or size > caps.UPLOADS_PER_HOUR * limit:
            raise HTTPException(
                429,
                f"Within an hour {caps.FILES_PER_HOUR} files or {caps.UPLOADS_PER_HOUR * limit} bytes "
                "can be uploaded: try again later.",
            )

    def is_empty(self, now: float) -> bool:
        """Whether nothing is left to count."""
        self._forget_uploads(now)
        return not (self.tabs or self.uploads or self._busy_tabs())

    def _forget_uploads(self, now: float) -> None:
        while self.uploads and self.uploads[0].at <= now - caps.HOUR:
            self.uploads.popleft()

    def _busy_tabs(self) -> set[Tab]:
        return {*self.streams, *self.under_way.values(), *self.direct, *self.joining}

    def _longest_unused(self) -> Tab:
        self._count_events()
        busy = self._busy_tabs()
        for tab in self.tabs:
            if tab not in busy:
                return tab
        raise HTTPException(
            429, f"You have {caps.TABS} tabs of this service in use: close some of them."
        )

    def _count_events(self) -> None:
        over = [i for i, tab in self.under_way.items() if not tab.keeper.is_under_way(i)]
        for event_id in over:
            del self.under_way[event_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """The sign-ins and access tokens that have used a mounted app since this process started and have not ended."""

    now: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    """Seconds, from anywhere."""
    _accounts: dict[UserId, Account] = field(default_factory=dict)
    _users: dict[SessionId, UserId] = field(default_factory=dict)

    def account_of(self, signed_in: SignedIn) -> Account:
        """The same for all sign-ins and access tokens of one account."""
        self._users[signed_in.session.id] = user_id = signed_in.user.id
        account = self._accounts.get(user_id)
        if account is None:
            account = self._accounts[user_id] = Account()
        return account

    def accounts(self) -> Collection[Account]:
        return tuple(self._accounts.values())

    def sessions(self) -> Collection[SessionId]:
        return tuple(self._users)

    async def forget(self, ended: Collection[SessionId]) -> None:
        """Let go of what ended sign-ins have. What an account has uploaded within the hour outlives them."""
        for session_id in ended:
            user_id = self._users.get(session_id)
            if user_id is not None and await self._accounts[user_id].forget(session_id):
                self._users.pop(session_id, None)
        self._forget_accounts()

    def _forget_accounts(self) -> None:
        in_use, now = set(self._users.values()), self.now()
        for user_id in [one for one in self._accounts if one not in in_use]:
            if self._accounts[user_id].is_empty(now):
                del self._accounts[user_id]


@contextmanager
def _counted(counts: Counter[Any], one: object) -> Iterator[None]:
    counts[one] += 1
    try:
        yield
    finally:
        counts[one] -= 1
        if not counts[one]:
            del counts[one]
