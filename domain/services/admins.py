"""The check for the rights of an admin."""

from domain.errors import NotAllowed, UserNotFound
from domain.model.caller import Caller
from domain.model.user import ADMIN
from domain.ports.repositories import UserRepository


async def must_administer(users: UserRepository, caller: Caller) -> None:
    """Raises NotAllowed unless the caller is an active admin in the store now, not only when the session was last read
    (ASVS 8.3.2)."""
    caller.must_have(ADMIN)
    if caller.user_id is None:
        return
    try:
        user = await users.get(caller.user_id)
    except UserNotFound as error:
        raise NotAllowed from error
    if not user.is_acting_admin:
        raise NotAllowed
