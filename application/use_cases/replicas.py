"""Use cases of replicas: each one shows that it runs, and every account has one that runs its events."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain.model.replica import Replica, ReplicaId
from domain.model.user import UserId
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.replicas import ReplicaService


@dataclass(frozen=True, slots=True, kw_only=True)
class Beaten:
    others: Sequence[Replica]
    """The other replicas that run."""
    is_new: bool
    """True if this replica was not in the store: at its first beat, or because the others took it for gone. It has no
    accounts then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    units_of_work: UnitsOfWork
    replicas: ReplicaService

    async def __call__(self, this: Replica) -> Beaten:
        """Show that this replica runs, and remove those that have gone, so that others can take their accounts. Call
        it once a second."""
        async with self.units_of_work.writing() as work:
            is_new = not await work.replicas.beat(this)
            if is_new:
                await work.replicas.add(this)
            others = [each for each in await work.replicas.all() if each.id != this.id]
            gone = self.replicas.gone(others)
            removed = {each.id for each in gone if await work.replicas.remove(each)}
            await work.commit()
        return Beaten(others=[each for each in others if each.id not in removed], is_new=is_new)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindHome:
    units_of_work: UnitsOfWork

    async def __call__(self, user_id: UserId, *, otherwise: ReplicaId) -> ReplicaId:
        """Return the replica that runs the account's events. If there is none, make it the replica `otherwise`. Raises
        UserNotFound, ReplicaGone."""
        async with self.units_of_work.writing() as work:
            home = await work.replicas.home_of(user_id, otherwise=otherwise)
            await work.commit()
        return home


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHomes:
    units_of_work: UnitsOfWork

    async def __call__(self, user_ids: Collection[UserId], *, of: ReplicaId) -> None:
        """Let other replicas take these accounts of the replica `of`."""
        async with self.units_of_work.writing() as work:
            await work.replicas.release(user_ids, of=of)
            await work.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveReplicas:
    units_of_work: UnitsOfWork

    async def __call__(self, replica_id: ReplicaId) -> None:
        """Take a replica that stops, and its accounts, off the list."""
        async with self.units_of_work.writing() as work:
            await work.replicas.leave(replica_id)
            await work.commit()
