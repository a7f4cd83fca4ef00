"""Files of accounts: how many bytes, for how long, and which may be removed."""

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
        """Under the account's lock, so that two claims cannot both find the same room. A file that is the account's
        already needs none. Raises FilesQuotaExceeded, UserNotFound (ASVS 5.2.4)."""
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
        """Whether a use of the claim has to be written."""
        return claim.used_at <= self.clock.now() - MARKED_EVERY

    def needed(
        self,
        claims: Iterable[FileClaim],
        places: Mapping[FileKey, str],
        *,
        sessions: Sequence[Session],
        kept: Iterable[Entries],
    ) -> Collection[FileKey]:
        """Those of one account's unused claims that have to stay: a sign-in that began before the last use goes on, so
        that an open tab may show the file, or one of the kept values names it (ASVS 14.2.7)."""
        values = [entry.value for entries in kept for entry in entries.values()]
        text = json.dumps(values, ensure_ascii=False)
        began = min((session.created_at for session in sessions), default=None)
        return {
            claim.key
            for claim in claims
            if (began is not None and began <= claim.used_at)
            or (claim.key in places and is_named_in(places[claim.key], text))
        }

    def is_left(self, file: StoredFile) -> bool:
        """Whether somebody has left it who does not come back: a part of an upload or a file that was to be removed, by a
        process that died, or an empty file, which Gradio makes for each input."""
        is_part = file.is_aside or file.place.startswith(f"{UPLOADS}/") or not file.size
        return is_part and file.changed_at < self.clock.now() - LEFT

    def is_orphan(self, file: StoredFile) -> bool:
        """Whether it may be removed if nobody has a claim on it. Apps make files for themselves on the way, so it has to
        be as old as a claim that ends."""
        before = self.unused_before()
        return before is not None and not file.is_aside and file.changed_at < before
