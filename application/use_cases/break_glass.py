"""Use cases of the one account that may use its password where passwords are switched off."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import NotAllowed
from domain.model.audit import Act
from domain.model.caller import Caller
from domain.model.user import User, UserId
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.admins import must_administer
from domain.services.audit import AuditService
from domain.services.users import UserService


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkBreakGlass:
    units_of_work: UnitsOfWork
    users: UserService
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId, *, is_marked: bool) -> User:
        """Let this account, and no other, sign in with its password where passwords are switched off, or no longer.
        Only the operator may do this. Raises NotAllowed, also unless the account is an active admin with a password,
        and UserNotFound."""
        async with (
            self.audit.act(Act.CHANGE_USER, by=caller, of=user_id, break_glass=is_marked),
            self.units_of_work.writing() as work,
        ):
            if caller.user_id is not None:
                raise NotAllowed
            if is_marked:
                user = await self.users.mark_break_glass(work.users, user_id)
            else:
                user = await self.users.unmark_break_glass(work.users, user_id)
            await work.commit()
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class FindBreakGlass:
    units_of_work: UnitsOfWork

    async def __call__(self, caller: Caller) -> Sequence[User]:
        """Return the accounts that can sign in with a password where passwords are switched off; admins only. Raises
        NotAllowed."""
        async with self.units_of_work.reading() as work:
            await must_administer(work.users, caller)
            return [user for user in await work.users.break_glass() if user.is_acting_admin]
