"""Use cases that give roles to accounts and take them away."""

from dataclasses import dataclass

from domain.model.audit import Act
from domain.model.caller import Caller
from domain.model.user import User, UserId, checked_role
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.admins import must_administer
from domain.services.audit import AuditService
from domain.services.confirmations import ConfirmationService
from domain.services.users import UserService


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRole:
    units_of_work: UnitsOfWork
    users: UserService
    confirmations: ConfirmationService
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId, role: str) -> User:
        """Give an account a role; admins only, and a program may not do this. Raises ConfirmationNeeded, NotAllowed,
        UserNotFound, RoleInvalid."""
        async with (
            self.audit.act(Act.CHANGE_ROLES, by=caller, of=user_id) as entry,
            self.units_of_work.writing() as work,
        ):
            entry.details = {"granted": checked_role(role)}
            await must_administer(work.users, caller)
            await self.confirmations.must_be_confirmed(work.sessions, caller)
            user = await self.users.grant(work.users, user_id, role)
            await work.commit()
        self.cache.drop_user(user_id)
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeRole:
    units_of_work: UnitsOfWork
    users: UserService
    confirmations: ConfirmationService
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId, role: str) -> User:
        """Take a role from an account; admins only, and a program may not do this. Raises ConfirmationNeeded, NotAllowed,
        UserNotFound, RoleInvalid, LastAdmin, LastBreakGlass."""
        async with (
            self.audit.act(Act.CHANGE_ROLES, by=caller, of=user_id) as entry,
            self.units_of_work.writing() as work,
        ):
            entry.details = {"revoked": checked_role(role)}
            await must_administer(work.users, caller)
            await self.confirmations.must_be_confirmed(work.sessions, caller)
            user = await self.users.revoke(work.users, user_id, role)
            await work.commit()
        self.cache.drop_user(user_id)
        return user
