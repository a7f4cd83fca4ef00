"""The account that an admin has chosen in the Users tab."""

from uuid import UUID

from domain.errors import UserNotFound
from domain.model.user import User, UserId
from entrypoints.ui.calls.call import current_call


def chosen_id(text: str | None) -> UserId:
    """Raises UserNotFound."""
    if not text:
        raise UserNotFound("Choose an account first.")
    try:
        return UserId(UUID(text))
    except ValueError as error:
        raise UserNotFound from error


async def find_chosen(text: str | None) -> User:
    """Raises UserNotFound, NotAllowed."""
    call = current_call()
    return await call.use_cases.get_user(call.caller, chosen_id(text))
