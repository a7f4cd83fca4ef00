"""The files that all replicas share, in an object store. The folder of this replica holds its copies."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import structlog

from adapters.object_storage.bucket import Bucket
from adapters.object_storage.names import (
    Version,
    key_of,
    mark_on,
    new_name,
    versions_in,
)
from adapters.object_storage.transfers import measured, receive, send
from domain.errors import FilesUnavailable
from domain.model.file import UPLOADS, StoredFile
from domain.ports.files import FileStorage

_TRANSFERS: Final = 4
"""Files that this process sends or receives at the same time."""
_REQUESTS: Final = 16
"""Requests without content at the same time."""
PROBED: Final = ".probe"
"""The key of an object that need not exist."""
PROBE_EVERY: Final = 2.0
"""Seconds between two probes, whoever asks for the state."""
_PROBE: Final = 2.0
"""Timeout of a probe in seconds."""

log = structlog.get_logger()

_Marked = Sequence[tuple[Version, Sequence[str]]]
"""Versions that are set aside, and by which marks."""


class ObjectStorage(FileStorage):
    """A process that removes a file first lists its versions and marks them, then asks the database for claims, and
    removes exactly these versions. A process that shares a file has claimed it before, and counts only versions without
    a mark. So one of the two notices the other, without a lock."""

    def __init__(
        self,
        bucket: Bucket,
        folder: Path,
        *,
        new_mark: Callable[[], str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`new_mark` returns 32 hexadecimal digits that were never used before."""
        self._bucket = bucket
        self._folder = folder
        self._new_mark = new_mark
        self._now = now
        self._process = new_mark()
        self._transfers = asyncio.Semaphore(_TRANSFERS)
        self._requests = asyncio.Semaphore(_REQUESTS)
        self._bringing: dict[str, asyncio.Task[None]] = {}
        self._aside: dict[str, _Marked] = {}
        """What this process has set aside, by place."""
        self._left: dict[str, _Marked] = {}
        """What another process has set aside, as the last listing has shown it."""
        self._probing = asyncio.Lock()
        self._probed_at = float("-inf")
        self._is_available = True

    @property
    def is_apart(self) -> bool:
        return True

    # Content

    async def share(self, places: Collection[str]) -> None:
        with self._doubting():
            await self._each(places, self._share, self._transfers)

    async def bring(self, places: Collection[str]) -> None:
        missing = [place for place in places if not self._path_of(place).exists()]
        # One request may be cancelled while another one waits for the same file.
        with self._doubting():
            await asyncio.gather(*[asyncio.shield(self._brought(place)) for place in missing])

    async def _share(self, place: str) -> None:
        path = self._path_of(place)
        try:
            digest, size = await asyncio.to_thread(measured, path)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return
        versions = await self._versions(place)
        if any(v.is_whole and not v.marks and v.digest == digest for v in versions):
            return
        name = new_name(digest, size, self._new_mark())
        await send(self._bucket, f"{key_of(place)}/{name}", path, digest, size)

    def _brought(self, place: str) -> asyncio.Task[None]:
        """Return the task that brings the file, one for all that wait for it."""
        task = self._bringing.get(place)
        if task is None:
            task = self._bringing[place] = asyncio.create_task(self._bring(place))
            task.add_done_callback(partial(self._is_brought, place))
        return task

    def _is_brought(self, place: str, task: asyncio.Task[None]) -> None:
        del self._bringing[place]
        if not task.cancelled():
            task.exception()  # Otherwise asyncio complains if nobody waits for it any more.

    async def _bring(self, place: str) -> None:
        async with self._transfers:
            versions = [v for v in await self._versions(place) if v.is_whole]
            versions.sort(key=_age, reverse=True)
            for version in versions:
                key = f"{key_of(place)}/{version.name}"
                path, aside = self._path_of(place), self._folder / UPLOADS
                if await receive(self._bucket, key, version, path, aside):
                    return

    # Removal

    async def files(self) -> AsyncIterator[Sequence[StoredFile]]:
        async for batch in self._bucket.all():
            found = []
            for place, versions in versions_in(batch).items():
                whole = [v for v in versions if v.is_whole and not v.marks]
                if whole:
                    found.append(_stored(place, max(whole, key=_age)))
                marked = [v for v in versions if v.marks]
                if marked and place not in self._aside:
                    self._left[place] = [(v, list(v.marks)) for v in marked]
                    found.append(_stored_aside(place, marked))
            yield found

    async def set_aside(self, places: Collection[str]) -> Sequence[str]:
        free = [place for place in places if place not in self._aside]
        # Nobody else in this process may set them aside meanwhile, as their marks have the same names.
        self._aside |= dict.fromkeys(free, ())
        try:
            await self._each(free, self._set_aside, self._requests)
        except BaseException:
            for place in free:
                self._aside.pop(place, None)
            raise
        nothing = [place for place in free if not self._aside[place]]
        for place in nothing:
            del self._aside[place]
        return [place for place in free if place in self._aside]

    async def _set_aside(self, place: str) -> None:
        versions = await self._versions(place)
        for version in versions:
            await self._bucket.write(f"{key_of(place)}/{self._mark_on(version)}", b"")
        self._aside[place] = [(version, [self._mark_on(version)]) for version in versions]

    async def put_back(self, places: Collection[str]) -> None:
        for place in places:
            marks = [mark for _, marks in self._settled(place) for mark in marks]
            await self._remove(place, marks)

    async def remove_aside(self, places: Collection[str]) -> None:
        for place in places:
            settled = self._settled(place)
            await self._remove(place, [version.name for version, _ in settled])
            # If the process dies between these lines, a mark without its version is left, which a purge removes.
            await self._remove(place, [mark for _, marks in settled for mark in marks])

    def _settled(self, place: str) -> _Marked:
        return self._aside.pop(place, None) or self._left.pop(place, ())

    async def _remove(self, place: str, names: Sequence[str]) -> None:
        await self._bucket.remove([f"{key_of(place)}/{name}" for name in names])

    def _mark_on(self, version: Version) -> str:
        return mark_on(version.name, self._process)

    # State

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """Probe anew if a transfer has failed."""
        try:
            yield
        except FilesUnavailable:
            self._probed_at = float("-inf")
            raise

    async def state(self) -> Literal["off", "ok", "degraded"]:
        async with self._probing:
            if self._now() - self._probed_at >= PROBE_EVERY:
                await self._probe()
                self._probed_at = self._now()
        return "ok" if self._is_available else "degraded"

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(_PROBE):
                await self._bucket.has(PROBED)
        except (FilesUnavailable, TimeoutError) as error:
            self._note(error)
        else:
            self._note(None)

    def _note(self, error: Exception | None) -> None:
        """Log a change of the state once."""
        if error is not None and self._is_available:
            cause = str(error.__cause__ or error).partition("\n")[0]
            log.warning("the store of files is unavailable", cause=cause)
        elif error is None and not self._is_available:
            log.info("the store of files is available again")
        self._is_available = error is None

    # Parts

    def _path_of(self, place: str) -> Path:
        return self._folder / place

    async def _versions(self, place: str) -> Sequence[Version]:
        key = key_of(place)
        return versions_in(await self._bucket.below(key)).get(place, ())

    async def _each(
        self,
        places: Collection[str],
        do: Callable[[str], Awaitable[None]],
        at_once: asyncio.Semaphore,
    ) -> None:
        """Do something for each place, several at once. The first error cancels the others."""

        async def do_one(place: str) -> None:
            async with at_once:
                await do(place)

        try:
            async with asyncio.TaskGroup() as group:
                for place in places:
                    group.create_task(do_one(place))
        except BaseExceptionGroup as errors:
            first = _first_of(errors)
        else:
            return
        raise first


def _first_of(errors: BaseExceptionGroup[Any]) -> BaseException:
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


def _age(version: Version) -> float:
    return version.stored_at.timestamp() if version.stored_at is not None else 0.0


def _stored(place: str, version: Version) -> StoredFile:
    assert version.stored_at is not None  # noqa: S101 -- It is whole.
    return StoredFile(place=place, size=version.size, changed_at=version.stored_at)


def _stored_aside(place: str, marked: Sequence[Version]) -> StoredFile:
    newest = max(time for version in marked for time in version.marks.values())
    size = max(version.size for version in marked)
    return StoredFile(place=place, size=size, changed_at=newest, is_aside=True)
