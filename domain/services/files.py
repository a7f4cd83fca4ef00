"""Rules for the files of accounts: their quota, their lifetime, and which may be removed."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.model.file import (
    LEFT,
    MARKED_EVERY,
    UPLOADS,
    FileClaim,
    FileKey,
    FilePolicy,
    StoredFile,
    is_named_in,
)
from domain.model.session import Session
from domain.model.state import Entries
from domain.model.user import UserId
from domain.ports.repositories import FileRepository
from domain.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class FileService:
    policy: FilePolicy
    clock: Clock

    async def claim(
        self, files: FileRepository, user_id: UserId, sizes: Mapping[FileKey, int]
    ) -> None:
        """Claim files under the account's lock, so that two claims cannot both use the same free bytes. A file that the
        account has already claimed takes no more bytes. Raises FilesQuotaExceeded, UserNotFound (ASVS 5.2.4)."""
        used = await files.total(user_id, locked=True)
        more = sum(sizes.values())
        if used + more > self.policy.quota:
            owned = {claim.key for claim in await files.owned(user_id, sizes)}
            more = sum(size for key, size in sizes.items() if key not in owned)
            if more:
                self.policy.must_fit(used, more)
        await files.add(user_id, sizes, self.clock.now())

    def unused_before(self) -> datetime | None:
        return self.policy.unused_before(self.clock.now())

    def is_due(self, claim: FileClaim) -> bool:
        """Return whether the claim's time of use must be written again."""
        return claim.used_at <= self.clock.now() - MARKED_EVERY

    def needed(
        self,
        claims: Iterable[FileClaim],
        places: Mapping[FileKey, str],
        *,
        sessions: Sequence[Session],
        kept: Iterable[Entries],
    ) -> Collection[FileKey]:
        """Return the keys of one account's unused claims that must stay. A claim stays if the account has a live
        session older than the last use, because an open tab may show the file, or if a stored value names the file
        (ASVS 14.2.7)."""
        named = self.named(places, kept)
        began = min((session.created_at for session in sessions), default=None)
        return {
            claim.key
            for claim in claims
            if (began is not None and began <= claim.used_at) or claim.key in named
        }

    def named(self, places: Mapping[FileKey, str], kept: Iterable[Entries]) -> frozenset[FileKey]:
        """Return the keys of the files that a stored value names."""
        values = [entry.value for entries in kept for entry in entries.values()]
        text = json.dumps(values, ensure_ascii=False)
        return frozenset(key for key, place in places.items() if is_named_in(place, text))

    def is_leftover(self, file: StoredFile) -> bool:
        """Return whether the file is a leftover: a partial upload or a file set aside by a process that died, or an
        empty file, which Gradio makes for each input."""
        is_part = file.is_aside or file.place.startswith(f"{UPLOADS}/") or not file.size
        return is_part and file.changed_at < self.clock.now() - LEFT

    def is_orphan(self, file: StoredFile) -> bool:
        """Return whether a file without claims may be removed. Apps also make files for themselves, so the file must be
        as old as an unused claim."""
        before = self.unused_before()
        return before is not None and not file.is_aside and file.changed_at < before
