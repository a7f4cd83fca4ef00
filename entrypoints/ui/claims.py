"""Owners of files, cached from the store, and what one account may still add."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from application.use_cases import UseCases
from domain.model.caller import Caller, SignedIn
from domain.model.file import MARKED_EVERY, FileKey, FileSpace
from domain.model.user import UserId
from entrypoints.ui.caps import CLAIMS
from entrypoints.ui.made_inputs import MadeInputs

_TRUSTED: Final = MARKED_EVERY.total_seconds() / 2
"""Seconds that a claim counts without asking the store. What the store knows of its last use may be a day older, and it
ends a claim two days after that at the soonest: by then it has been asked, and marked as used."""


@dataclass(slots=True)
class Room:
    """Bytes that one request is about to add to the files of its account."""

    space: FileSpace
    """As it was when the request began."""
    user_id: UserId
    held: Counter[UserId]
    """Bytes of all requests in this process, per account. Those of other processes meet in the store, when the files
    are claimed."""
    own: int = 0

    def hold(self, size: int) -> None:
        """Reserve so many bytes in all. Raises FilesQuotaExceeded when they do not fit next to the account's other
        requests."""
        more = max(0, size) - self.own
        self.space.must_fit(self.held[self.user_id] + more)
        self.held[self.user_id] += more
        self.own += more


class Claims:
    """Owners of files; what this process has seen lately is not asked again."""

    def __init__(
        self,
        app: UseCases,
        *,
        now: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
    ) -> None:
        """`now`: seconds, from anywhere."""
        self._app = app
        self._now = now
        self._known: OrderedDict[tuple[UserId, FileKey], float] = OrderedDict()
        """When the store was last asked."""
        self._held: Counter[UserId] = Counter()
        self._busy: Counter[Caller] = Counter()
        self.made_inputs = MadeInputs()

    async def claim(self, signed_in: SignedIn, sizes: Mapping[FileKey, int]) -> None:
        """Sizes in bytes. Raises StoreUnavailable, since what nobody may fetch is better not given, and
        FilesQuotaExceeded."""
        unknown = self.unknown(signed_in, sizes)
        # What was theirs half a day ago most likely is, and its use is written once a day only.
        seen = {key for key in unknown if (signed_in.user.id, key) in self._known}
        new = unknown - (await self._app.use_files(signed_in.caller, seen) if seen else set())
        if new:
            await self._app.claim_files(signed_in.caller, {key: sizes[key] for key in new})
        self._note(signed_in.user.id, unknown)

    async def are_owned(self, signed_in: SignedIn, keys: Collection[FileKey]) -> bool:
        asked = self.unknown(signed_in, keys)
        if not asked:
            return True
        owned = await self._app.use_files(signed_in.caller, asked)
        self._note(signed_in.user.id, owned)
        return owned == asked

    def unknown(self, signed_in: SignedIn, keys: Collection[FileKey]) -> frozenset[FileKey]:
        """Return the keys that the store has to be asked about."""
        since = self._now() - _TRUSTED
        unknown = set()
        for key in keys:
            owned = (signed_in.user.id, key)
            if self._known.get(owned, since) > since:
                self._known.move_to_end(owned)
            else:
                unknown.add(key)
        return frozenset(unknown)

    async def discard(self, places: Collection[str]) -> None:
        """Remove files that nobody has a claim on."""
        if places:
            await self._app.discard_files(places)

    @asynccontextmanager
    async def room(self, signed_in: SignedIn) -> AsyncIterator[Room]:
        """Reserve bytes for one request until the block ends."""
        space = await self._app.find_file_space(signed_in.caller)
        room = Room(space, signed_in.user.id, self._held)
        try:
            yield room
        finally:
            self._held[room.user_id] -= room.own
            if not self._held[room.user_id]:
                del self._held[room.user_id]

    @contextmanager
    def busy(self, callers: Iterable[Caller]) -> Iterator[None]:
        """Mark the callers as having a running event, which may use what they have named for it."""
        callers = list(callers)
        self._busy.update(callers)
        try:
            yield
        finally:
            self._busy.subtract(callers)
            for caller in callers:
                if not self._busy[caller]:
                    del self._busy[caller]

    async def renew(self) -> None:
        """Mark as used what callers with a running event have used in this process: an event keeps its files however long
        it takes."""
        for caller in tuple(self._busy):
            theirs = [key for user_id, key in self._known if user_id == caller.user_id]
            if theirs and caller.user_id is not None:
                self._note(caller.user_id, await self._app.use_files(caller, theirs))

    def _note(self, user_id: UserId, keys: Iterable[FileKey]) -> None:
        now = self._now()
        for key in keys:
            self._known[user_id, key] = now
            self._known.move_to_end((user_id, key))
        while len(self._known) > CLAIMS:
            self._known.popitem(last=False)
