"""Files that users send to apps and are given by them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.errors import NotAllowed
from domain.model.caller import Caller
from domain.model.file import FileKey
from domain.model.user import UserId
from domain.ports.system import Clock
from domain.ports.unit_of_work import UnitsOfWork

KEPT: Final = timedelta(days=365)
"""Since a file was last claimed; the file itself is the app's, and stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFiles:
    units_of_work: UnitsOfWork
    clock: Clock

    async def __call__(self, caller: Caller, keys: Collection[FileKey]) -> None:
        """The caller sent them or was given them. Raises UserNotFound."""
        async with self.units_of_work.writing() as work:
            await work.files.add(_account(caller), keys, self.clock.now())
            await work.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedFiles:
    units_of_work: UnitsOfWork

    async def __call__(self, caller: Caller, keys: Collection[FileKey]) -> frozenset[FileKey]:
        """Those of the keys that belong to the caller's account, whichever sign-in claimed them."""
        async with self.units_of_work.reading() as work:
            return await work.files.owned(_account(caller), keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetOldFiles:
    units_of_work: UnitsOfWork
    clock: Clock

    async def __call__(self) -> int:
        """What nobody claimed for KEPT belongs to nobody; answers how many."""
        async with self.units_of_work.writing() as work:
            forgotten = await work.files.remove_older(self.clock.now() - KEPT)
            await work.commit()
        return forgotten


def _account(caller: Caller) -> UserId:
    if caller.user_id is None:
        raise NotAllowed
    return caller.user_id
