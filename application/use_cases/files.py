"""Files that users send to apps and are given by them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.errors import DomainError, NotAllowed, UserNotFound
from domain.model.caller import Caller
from domain.model.file import WITHOUT_FILE, FileClaim, FileKey, FileSpace, StoredFile, file_key
from domain.model.session import Session
from domain.model.state import Entries
from domain.model.user import UserId
from domain.ports.files import FileFolder
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork
from domain.services.files import FileService
from domain.services.sessions import SessionService

_AT_ONCE: Final = 500
"""Claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFiles:
    units_of_work: UnitsOfWork
    files: FileService

    async def __call__(self, caller: Caller, sizes: Mapping[FileKey, int]) -> None:
        """The caller sent them or was given them; sizes in bytes. All or none. Raises FilesQuotaExceeded, UserNotFound."""
        async with self.units_of_work.writing() as work:
            await self.files.claim(work.files, _account(caller), sizes)
            await work.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class UseFiles:
    units_of_work: UnitsOfWork
    files: FileService

    async def __call__(self, caller: Caller, keys: Collection[FileKey]) -> frozenset[FileKey]:
        """Return the keys that belong to the caller's account, whichever session claimed them. They count as used, which
        is written once a day."""
        user_id = _account(caller)
        async with self.units_of_work.reading() as work:
            owned = await work.files.owned(user_id, keys)
        due = {claim.key for claim in owned if self.files.is_due(claim)}
        used = {claim.key for claim in owned} - due
        if due:
            async with self.units_of_work.writing() as work:
                await work.files.mark_used(user_id, due, self.files.clock.now())
                # Asked again: a claim that ended meanwhile gives nothing.
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
            used = await work.files.total(_account(caller))
        return FileSpace(used=used, policy=self.files.policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardFiles:
    """Removes files from the disk if nobody has a claim on them.

    Whoever claims a file either does so before it is in its place, or looks afterwards whether it is still there. So a
    file is first set aside, then the store is asked: a claim that was made before is seen, and the file put back; one
    that is made later finds the place empty.
    """

    units_of_work: UnitsOfWork
    folder: FileFolder

    async def __call__(self, places: Collection[str]) -> int:
        """Remove files, and return how many are gone."""
        return await self.settle(await self.folder.set_aside(places))

    async def settle(self, aside: Sequence[str]) -> int:
        """Remove or put back what was set aside. If the process dies before, a later purge does it."""
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
class PurgeFiles:
    """Ends claims that nobody uses, and removes the files that nobody has a claim on (ASVS 14.2.7).

    The folder leads: it names the places, of which the store has only hashes, and shows what no row knows of.
    """

    units_of_work: UnitsOfWork
    files: FileService
    sessions: SessionService
    folder: FileFolder
    discard: DiscardFiles

    async def __call__(self, *, is_spared: Callable[[str], bool]) -> int:
        """Return how many files are gone. Spared places keep theirs, with or without claims."""
        removed = 0
        async for batch in self.folder.files():
            left = [file.place for file in batch if file.is_aside and self.files.is_left(file)]
            removed += await self.discard.settle(left)
            unclaimed = await self._unclaimed([file for file in batch if not file.is_aside])
            removed += await self.discard([place for place in unclaimed if not is_spared(place)])
        await self._end_claims_without_files()
        return removed

    async def _unclaimed(self, files: Sequence[StoredFile]) -> Sequence[str]:
        """End unused claims, and return the places of files that have lost their last one, or are orphans."""
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
            and (file.key in lost or self.files.is_left(file) or self.files.is_orphan(file))
        ]

    async def _measure(self, files: Sequence[StoredFile], claims: Sequence[FileClaim]) -> None:
        """Fill in the sizes of claims of an earlier release."""
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
            ended.update(await self._end_those_of(user_id, theirs, places, before))
        return frozenset(ended)

    async def _end_those_of(
        self,
        user_id: UserId,
        claims: Sequence[FileClaim],
        places: Mapping[FileKey, str],
        before: datetime,
    ) -> Iterable[FileClaim]:
        """End claims under the account's lock, which changes of its State and new claims take too. A claim that has to stay
        counts as used now."""
        async with self.units_of_work.writing() as work:
            try:
                await work.users.get_locked(user_id)
            except UserNotFound:
                return claims
            sessions = await self._live_sessions(work, user_id)
            kept = await _kept_values(work, user_id, sessions)
            needed = self.files.needed(claims, places, sessions=sessions, kept=kept)
            await work.files.mark_used(user_id, needed, self.files.clock.now())
            others = [claim.key for claim in claims if claim.key not in needed]
            gone = await work.files.remove_unused(user_id, others, before)
            await work.commit()
        return [claim for claim in claims if claim.key in gone]

    async def _live_sessions(self, work: UnitOfWork, user_id: UserId) -> Sequence[Session]:
        sessions = await work.sessions.of_user(user_id)
        live = await self.sessions.live_among(work.sessions, [session.id for session in sessions])
        return [session for session in sessions if session.id in live]

    async def _end_claims_without_files(self) -> None:
        before = self.files.unused_before()
        if before is None:
            return
        before -= WITHOUT_FILE
        while True:
            async with self.units_of_work.writing() as work:
                claims = await work.files.unused(before, limit=_AT_ONCE)
                for user_id, theirs in _by_account(claims):
                    await work.files.remove_unused(user_id, [c.key for c in theirs], before)
                await work.commit()
            if len(claims) < _AT_ONCE:
                return


async def _kept_values(
    work: UnitOfWork, user_id: UserId, sessions: Sequence[Session]
) -> Sequence[Entries]:
    """Return all that is kept for the account, its sessions and its access tokens."""
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


def _account(caller: Caller) -> UserId:
    if caller.user_id is None:
        raise NotAllowed
    return caller.user_id
