"""Use cases of the files that users send to apps and receive from them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from domain.errors import DomainError, FilesUnavailable, UserNotFound
from domain.model.caller import Caller
from domain.model.file import WITHOUT_FILE, FileClaim, FileKey, FileSpace, StoredFile, file_key
from domain.model.session import Session
from domain.model.state import Entries
from domain.model.user import UserId
from domain.ports.files import FileFolder, FileStorage
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork
from domain.services.files import FileService
from domain.services.sessions import SessionService

_CLAIMS_AT_ONCE: Final = 500
"""Largest number of claims to end in one unit of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFiles:
    units_of_work: UnitsOfWork
    files: FileService

    async def __call__(self, caller: Caller, sizes: Mapping[FileKey, int]) -> None:
        """Claim files that the caller sent or received, all or none; sizes are in bytes. Raises FilesQuotaExceeded,
        UserNotFound."""
        async with self.units_of_work.writing() as work:
            await self.files.claim(work.files, caller.account(), sizes)
            await work.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class UseFiles:
    units_of_work: UnitsOfWork
    files: FileService

    async def __call__(self, caller: Caller, keys: Collection[FileKey]) -> frozenset[FileKey]:
        """Return the keys that belong to the caller's account, whichever session claimed them. Their time of use is
        stored once a day."""
        user_id = caller.account()
        async with self.units_of_work.reading() as work:
            owned = await work.files.owned(user_id, keys)
        due = {claim.key for claim in owned if self.files.is_due(claim)}
        used = {claim.key for claim in owned} - due
        if due:
            async with self.units_of_work.writing() as work:
                await work.files.mark_used(user_id, due, self.files.clock.now())
                # Ask again: a claim may have ended meanwhile.
                used |= {claim.key for claim in await work.files.owned(user_id, due)}
                await work.commit()
        return frozenset(used)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindFileSpace:
    units_of_work: UnitsOfWork
    files: FileService

    async def __call__(self, caller: Caller) -> FileSpace:
        """Return how much of its quota the caller's account has used."""
        async with self.units_of_work.reading() as work:
            used = await work.files.total(caller.account())
        return FileSpace(used=used, policy=self.files.policy)


@dataclass(frozen=True, slots=True)
class ShareFiles:
    storage: FileStorage

    async def __call__(self, places: Collection[str]) -> None:
        """Make claimed files readable from every replica. Only afterwards may anybody be told that they are kept: a file
        that is shared before its claim may be removed. Raises FilesUnavailable, FileGone."""
        await self.storage.share(places)

    async def must_be_possible(self) -> None:
        """Raises FilesUnavailable before a user waits for an upload in vain."""
        if await self.storage.state() == "degraded":
            raise FilesUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareFolder:
    """Shares the files of a service that had no storage apart from its folder before."""

    units_of_work: UnitsOfWork
    folder: FileFolder
    storage: FileStorage

    async def __call__(self) -> int:
        """Share all files of the folder to which an account has a right; return how many. Files that are shared already
        are sent no second time. Raises FilesUnavailable."""
        shared = 0
        async for batch in self.folder.files():
            places = {file.key: file.place for file in batch if not file.is_aside}
            async with self.units_of_work.reading() as work:
                claimed = {claim.key for claim in await work.files.of(places)}
            await self.storage.share([places[key] for key in claimed])
            shared += len(claimed)
        return shared


@dataclass(frozen=True, slots=True)
class BringFiles:
    storage: FileStorage

    @property
    def may_be_needed(self) -> bool:
        return self.storage.is_apart

    async def __call__(self, places: Collection[str]) -> None:
        """Put files of the caller into this replica's folder where it lacks them. A file that nobody has shared stays
        missing. Raises FilesUnavailable, DiskFull."""
        await self.storage.bring(places)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardFiles:
    """Removes files from the disk if nobody has a claim on them.

    Another request may claim a file at the same time. So the file is first set aside, and then the store is asked for
    claims. If the store has a claim, the file is put back. A later claim does no harm: its request either puts the
    file in place after the claim, or checks after the claim that the file is still there.
    """

    units_of_work: UnitsOfWork
    folder: FileFolder

    async def __call__(self, places: Collection[str]) -> int:
        """Remove files without claims; return how many were removed."""
        return await self.settle(await self.folder.set_aside(places))

    def of(self, folder: FileFolder) -> "DiscardFiles":
        """Return the same for another folder or storage."""
        return replace(self, folder=folder)

    async def settle(self, aside: Sequence[str]) -> int:
        """Remove or put back files that were set aside. If the process dies first, a later purge does it."""
        try:
            async with self.units_of_work.reading() as work:
                claims = await work.files.of([file_key(place) for place in aside])
        except DomainError:
            await self.folder.put_back(aside)
            raise
        claimed = {claim.key for claim in claims}
        back = [place for place in aside if file_key(place) in claimed]
        gone = [place for place in aside if file_key(place) not in claimed]
        await self.folder.put_back(back)
        await self.folder.remove_aside(gone)
        return len(gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFiles:
    units_of_work: UnitsOfWork
    files: FileService
    sessions: SessionService
    discard: DiscardFiles
    storage: FileStorage

    async def __call__(self, caller: Caller, places: Collection[str]) -> None:
        """End the account's claims on files at these places, and remove the files that have lost their last claim. A
        file stays if a stored value of the account names it, or if it is claimed again meanwhile."""
        user_id = caller.account()
        before = self.files.clock.now() + timedelta.resolution
        by_key = {file_key(place): place for place in places}
        async with self.units_of_work.writing() as work:
            try:
                await work.users.get_locked(user_id)
            except UserNotFound:
                return
            sessions = await _live_sessions(work, self.sessions, user_id)
            kept = await _kept_values(work, user_id, sessions)
            named = self.files.named(by_key, kept)
            gone = await work.files.remove_unused(user_id, by_key.keys() - named, before)
            await work.commit()
        lost = [by_key[key] for key in gone]
        await self.discard(lost)
        if self.storage.is_apart and lost:
            await self.discard.of(self.storage)(lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeFiles:
    """Ends unused claims, and removes files without claims (ASVS 14.2.7).

    It goes through the files of the folder, not through the claims of the store: the store has only hashes of the
    places, and knows no files without claims.
    """

    units_of_work: UnitsOfWork
    files: FileService
    sessions: SessionService
    folder: FileFolder
    discard: DiscardFiles
    storage: FileStorage

    async def __call__(self, *, is_spared: Callable[[str], bool]) -> int:
        """Return how many files were removed from the folder and from the storage. A file stays, even without a claim, if
        `is_spared` returns True for its place."""
        removed = await self._purged(self.folder, is_spared)
        if self.storage.is_apart:
            removed += await self._purged(self.storage, is_spared)
        await self._end_claims_without_files()
        return removed

    async def _purged(self, folder: FileFolder, is_spared: Callable[[str], bool]) -> int:
        removed, discard = 0, self.discard.of(folder)
        async for batch in folder.files():
            leftovers = [
                file.place for file in batch if file.is_aside and self.files.is_leftover(file)
            ]
            removed += await discard.settle(leftovers)
            unclaimed = await self._unclaimed([file for file in batch if not file.is_aside])
            removed += await discard([place for place in unclaimed if not is_spared(place)])
        return removed

    async def _unclaimed(self, files: Sequence[StoredFile]) -> Sequence[str]:
        """End unused claims. Return the places of files that may be removed: files that have lost their last claim,
        leftovers (partial or empty files), and orphans (old files without a claim)."""
        places = {file.key: file.place for file in files}
        async with self.units_of_work.reading() as work:
            claims = await work.files.of(places)
        await self._measure(files, claims)
        ended = await self._end_unused(claims, places)
        claimed = {claim.key for claim in claims if claim not in ended}
        lost = {claim.key for claim in ended}
        return [
            file.place
            for file in files
            if file.key not in claimed
            and (file.key in lost or self.files.is_leftover(file) or self.files.is_orphan(file))
        ]

    async def _measure(self, files: Sequence[StoredFile], claims: Sequence[FileClaim]) -> None:
        """Fill in the sizes of claims from an earlier release."""
        unknown = {claim.key for claim in claims if claim.size is None}
        if unknown:
            async with self.units_of_work.writing() as work:
                await work.files.measure({f.key: f.size for f in files if f.key in unknown})
                await work.commit()

    async def _end_unused(
        self, claims: Iterable[FileClaim], places: Mapping[FileKey, str]
    ) -> frozenset[FileClaim]:
        before = self.files.unused_before()
        if before is None:
            return frozenset()
        ended: set[FileClaim] = set()
        for user_id, theirs in _by_account(c for c in claims if c.used_at < before):
            ended.update(await self._end_unused_of(user_id, theirs, places, before))
        return frozenset(ended)

    async def _end_unused_of(
        self,
        user_id: UserId,
        claims: Sequence[FileClaim],
        places: Mapping[FileKey, str],
        before: datetime,
    ) -> Iterable[FileClaim]:
        """End the account's claims, except those that must stay: mark them as used now. Return the ended claims. Hold
        the account's lock meanwhile, so that no state changes and no claim is added."""
        async with self.units_of_work.writing() as work:
            try:
                await work.users.get_locked(user_id)
            except UserNotFound:
                return claims  # They were removed with the account.
            sessions = await _live_sessions(work, self.sessions, user_id)
            kept = await _kept_values(work, user_id, sessions)
            needed = self.files.needed(claims, places, sessions=sessions, kept=kept)
            await work.files.mark_used(user_id, needed, self.files.clock.now())
            others = [claim.key for claim in claims if claim.key not in needed]
            gone = await work.files.remove_unused(user_id, others, before)
            await work.commit()
        return [claim for claim in claims if claim.key in gone]

    async def _end_claims_without_files(self) -> None:
        """End claims whose files are not in the folder, WITHOUT_FILE later than other unused claims. At that age, a
        claim whose file is in the folder has already been ended or marked as used."""
        before = self.files.unused_before()
        if before is None:
            return
        before -= WITHOUT_FILE
        while True:
            async with self.units_of_work.writing() as work:
                claims = await work.files.unused(before, limit=_CLAIMS_AT_ONCE)
                for user_id, theirs in _by_account(claims):
                    await work.files.remove_unused(user_id, [c.key for c in theirs], before)
                await work.commit()
            if len(claims) < _CLAIMS_AT_ONCE:
                return


async def _live_sessions(
    work: UnitOfWork, sessions: SessionService, user_id: UserId
) -> Sequence[Session]:
    theirs = await work.sessions.of_user(user_id)
    live = await sessions.live_among(work.sessions, [session.id for session in theirs])
    return [session for session in theirs if session.id in live]


async def _kept_values(
    work: UnitOfWork, user_id: UserId, sessions: Sequence[Session]
) -> Sequence[Entries]:
    """Return all stored values of the account, its sessions and its access tokens."""
    tokens = await work.access_tokens.of_user(user_id)
    return [
        await work.account_state.read(user_id),
        *[await work.session_data.read(session.id) for session in sessions],
        *[await work.token_data.read(token.id) for token in tokens],
    ]


def _by_account(claims: Iterable[FileClaim]) -> Iterable[tuple[UserId, Sequence[FileClaim]]]:
    found: defaultdict[UserId, list[FileClaim]] = defaultdict(list)
    for claim in claims:
        found[claim.user_id].append(claim)
    return found.items()
