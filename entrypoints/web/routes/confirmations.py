"""The JSON API for confirming a session before an act that needs it. It cannot be called with an access token."""

from fastapi import APIRouter, Request

from application.use_cases.confirmations import Confirmation
from entrypoints.access import sign_in_again
from entrypoints.web.addresses import CONFIRMATION
from entrypoints.web.dependencies import Me, UseCasesDep, front, note
from entrypoints.web.schemas import (
    IN_PERSON,
    JSON_ONLY,
    ConfirmationView,
    ConfirmingPassword,
    ProviderView,
    problems,
)

router = APIRouter(prefix=CONFIRMATION, tags=["me"], dependencies=JSON_ONLY)


@router.get(
    "",
    summary="Whether my session is confirmed",
    responses=problems(403),
    openapi_extra=IN_PERSON,
)
async def read_confirmation(request: Request, me: Me, use_cases: UseCasesDep) -> ConfirmationView:
    """Return until when the session is confirmed, and how its user can confirm it. Not with an access token."""
    return _view(request, await use_cases.read_confirmation(me.caller))


@router.post(
    "",
    summary="Confirm my session with my password",
    responses=problems(403, 413, 415, 422, 429),
    openapi_extra=IN_PERSON,
)
async def confirm(
    request: Request, me: Me, use_cases: UseCasesDep, confirming: ConfirmingPassword
) -> ConfirmationView:
    """Confirm the session for 10 minutes. Wrong passwords are limited like those of a sign-in. Not with an access
    token."""
    await use_cases.confirm_by_password(me.caller, confirming.password)
    note(request, outcome="session confirmed")
    return _view(request, await use_cases.read_confirmation(me.caller))


def _view(request: Request, found: Confirmation) -> ConfirmationView:
    base = front(request).base
    return ConfirmationView(
        confirmed_until=found.until,
        takes_password=found.takes_password,
        providers=[
            ProviderView(
                name=one.name, label=one.label, address=base.outside(sign_in_again(one.name))
            )
            for one in found.providers
        ],
    )
