"""Claim files for accounts, cache the owners of files, and reserve bytes of the account's file quota."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from application.use_cases import UseCases
from domain.model.caller import Caller, SignedIn
from domain.model.file import MARKED_EVERY, FileKey, FileSpace, file_key
from domain.model.user import UserId
from entrypoints.ui.files.caller_names import Memory
from entrypoints.ui.files.made_inputs import MadeInputs
from entrypoints.ui.limits import CLAIMS

_TRUSTED: Final = MARKED_EVERY.total_seconds() / 2
"""Seconds for which a cached claim is valid without asking the store. The store writes the last use of a file once a
day and ends a claim two days after the last use at the earliest, so a file in use is always marked in time."""


@dataclass(slots=True)
class Room:
    """Bytes of the account's file quota that one request has reserved."""

    space: FileSpace
    """The account's free space when the request began."""
    user_id: UserId
    held: Counter[UserId]
    """Bytes that all requests in this process have reserved, per account. Other processes are only taken into account
    in the store, when the files are claimed."""
    own: int = 0
    """Bytes that this request has reserved."""

    def hold(self, size: int) -> None:
        """Reserve `size` bytes in total for this request. Raises FilesQuotaExceeded if they do not fit, together with
        those of the account's other requests."""
        more = max(0, size) - self.own
        self.space.must_fit(self.held[self.user_id] + more)
        self.held[self.user_id] += more
        self.own += more


class Claims:
    """The owners of files, with a cache of recently used claims."""

    def __init__(
        self,
        use_cases: UseCases,
        *,
        now: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
    ) -> None:
        """`now` returns seconds of a monotonic clock."""
        self._use_cases = use_cases
        self.may_lack_files = use_cases.bring_files.may_be_needed
        """Whether files of this service may be on other replicas only."""
        self._now = now
        self._known: OrderedDict[tuple[UserId, FileKey], float] = OrderedDict()
        """When the store last confirmed each claim; the least recently used first."""
        self._held: Counter[UserId] = Counter()
        self._busy: Counter[Caller] = Counter()
        self.made_inputs = MadeInputs()
        self.caller_names = Memory()

    async def claim(self, signed_in: SignedIn, sizes: Mapping[FileKey, int]) -> None:
        """Make the caller an owner of the files. `sizes` are in bytes. Raises FilesQuotaExceeded, and StoreUnavailable,
        because a file without an owner could not be fetched anyway."""
        unknown = self.unknown(signed_in, sizes)
        # Claims with an outdated cache entry most likely still exist, and marking their use is cheap.
        seen = {key for key in unknown if (signed_in.user.id, key) in self._known}
        new = unknown - (await self._use_cases.use_files(signed_in.caller, seen) if seen else set())
        if new:
            await self._use_cases.claim_files(signed_in.caller, {key: sizes[key] for key in new})
        self._note(signed_in.user.id, unknown)

    async def share(self, signed_in: SignedIn, places: Collection[str]) -> None:
        """Make claimed files readable from every replica, before the client is told that they are kept. Raises
        FilesUnavailable, FileGone; then the claims count as unknown, so that the next claim shares the files."""
        try:
            await self._use_cases.share_files(places)
        except BaseException:
            self._forget(signed_in, places)
            raise

    async def must_be_shareable(self) -> None:
        """Raises FilesUnavailable before a client sends a file in vain."""
        await self._use_cases.share_files.must_be_possible()

    async def bring(self, places: Collection[str]) -> None:
        """Put the caller's files into the folder of this replica where it lacks them. Raises FilesUnavailable,
        DiskFull."""
        if places and self.may_lack_files:
            await self._use_cases.bring_files(places)

    async def are_owned(self, signed_in: SignedIn, keys: Collection[FileKey]) -> bool:
        """Return whether the caller owns all of these files, and mark them as used."""
        asked = self.unknown(signed_in, keys)
        if not asked:
            return True
        owned = await self._use_cases.use_files(signed_in.caller, asked)
        self._note(signed_in.user.id, owned)
        return owned == asked

    def unknown(self, signed_in: SignedIn, keys: Collection[FileKey]) -> frozenset[FileKey]:
        """Return the keys without a valid cached claim."""
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
        """Remove those of the files that have no owner."""
        if places:
            await self._use_cases.discard_files(places)

    async def release(self, signed_in: SignedIn, places: Collection[str]) -> None:
        """End the account's claims on the files at these places, and remove those that nobody else has claimed."""
        self._forget(signed_in, places)
        await self._use_cases.release_files(signed_in.caller, places)

    @asynccontextmanager
    async def room(self, signed_in: SignedIn) -> AsyncIterator[Room]:
        """Reserve bytes for one request until the block ends."""
        space = await self._use_cases.find_file_space(signed_in.caller)
        room = Room(space, signed_in.user.id, self._held)
        try:
            yield room
        finally:
            self._held[room.user_id] -= room.own
            if not self._held[room.user_id]:
                del self._held[room.user_id]

    @contextmanager
    def busy(self, callers: Iterable[Caller]) -> Iterator[None]:
        """Mark the callers, inside the block, as having a running event, which may use their files."""
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
        """Mark the cached files of callers with a running event as used, so that no file expires while an event
        runs."""
        for caller in tuple(self._busy):
            theirs = [key for user_id, key in self._known if user_id == caller.user_id]
            if theirs and caller.user_id is not None:
                self._note(caller.user_id, await self._use_cases.use_files(caller, theirs))

    def _forget(self, signed_in: SignedIn, places: Iterable[str]) -> None:
        for place in places:
            self._known.pop((signed_in.user.id, file_key(place)), None)

    def _note(self, user_id: UserId, keys: Iterable[FileKey]) -> None:
        now = self._now()
        for key in keys:
            self._known[user_id, key] = now
            self._known.move_to_end((user_id, key))
        while len(self._known) > CLAIMS:
            self._known.popitem(last=False)
