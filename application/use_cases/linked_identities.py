"""Use cases of the links between accounts and people at identity providers."""

from dataclasses import dataclass

from domain.model.audit import Act
from domain.model.caller import Caller
from domain.model.user import UserId
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.admins import must_administer
from domain.services.audit import AuditService
from domain.services.confirmations import ConfirmationService


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkIdentities:
    units_of_work: UnitsOfWork
    confirmations: ConfirmationService
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId) -> int:
        """Remove the links of an account to all providers, and the tokens that these gave, and return how many links there
        were; admins only. Its sessions stay. Raises ConfirmationNeeded, NotAllowed, also for a program, UserNotFound."""
        async with (
            self.audit.act(Act.CHANGE_USER, by=caller, of=user_id, identities="unlinked"),
            self.units_of_work.writing() as work,
        ):
            await must_administer(work.users, caller)
            await self.confirmations.must_be_confirmed(work.sessions, caller)
            await work.users.get_locked(user_id)
            removed = await work.identities.remove_of_user(user_id)
            await work.provider_tokens.remove_of_user(user_id)
            await work.commit()
        return removed
