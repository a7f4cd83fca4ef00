"""Turn errors into problem documents (RFC 9457) or error pages. `entrypoints/ui/calls/errors.py` does so for Gradio."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from math import ceil
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from domain import errors
from entrypoints.access import REQUEST_ID
from entrypoints.web.addresses import CONFIRMATION
from entrypoints.web.dependencies import front, is_in_frame
from entrypoints.web.pages import Pages
from entrypoints.web.problems import PROBLEM_JSON, Problem, RefusedLate, wants_page

TABLE: Final[dict[type[errors.DomainError], tuple[int, str, str]]] = {
    errors.SignInRefused: (401, "sign-in-refused", "Not signed in"),
    errors.SignInThrottled: (429, "sign-in-throttled", "Too many attempts"),
    errors.PasswordSignInOff: (403, "password-sign-in-off", "Passwords are switched off"),
    errors.ProviderNotFound: (404, "provider-not-found", "No such way to sign in"),
    errors.IdentityRefused: (401, "identity-refused", "Not signed in"),
    # Not 5xx: the service itself works, and people may sign in another way.
    errors.ProviderUnavailable: (424, "provider-unavailable", "Identity provider unavailable"),
    errors.ProviderTokenMissing: (424, "provider-token-missing", "No token of the provider"),
    errors.LinkNeedsPassword: (401, "link-needs-password", "Confirm with your password"),
    errors.IdentityTaken: (409, "identity-taken", "Already linked"),
    errors.SessionEnded: (401, "session-ended", "Not signed in"),
    errors.SessionExpired: (401, "session-expired", "Not signed in"),
    errors.SessionReplaced: (401, "session-replaced", "Not signed in"),
    errors.SessionNotFound: (404, "session-not-found", "No such session"),
    errors.KnownDeviceNotFound: (404, "device-not-found", "No such device"),
    errors.AccessTokenEnded: (401, "access-token-ended", "Access token not accepted"),
    errors.AccessTokenNotFound: (404, "access-token-not-found", "No such access token"),
    errors.AccessTokenInvalid: (422, "access-token-invalid", "Not an access token"),
    errors.TooManyAccessTokens: (409, "too-many-access-tokens", "Too many access tokens"),
    errors.SignedTokenRefused: (403, "token-refused", "Expired"),
    errors.SetupClosed: (410, "setup-closed", "Already set up"),
    errors.NotAllowed: (403, "not-allowed", "Not allowed"),
    errors.UserNotFound: (404, "user-not-found", "No such user"),
    errors.EmailTaken: (409, "email-taken", "E-mail address taken"),
    errors.EmailInvalid: (422, "email-invalid", "Not an e-mail address"),
    errors.NameInvalid: (422, "name-invalid", "Not a name"),
    errors.RoleInvalid: (422, "role-invalid", "Not a role"),
    errors.PasswordInvalid: (422, "password-invalid", "Password not acceptable"),
    errors.WrongPassword: (403, "wrong-password", "Wrong password"),
    errors.ConfirmationNeeded: (403, "confirmation-needed", "Confirm that it is you"),
    errors.LastAdmin: (409, "last-admin", "Last admin"),
    errors.LastBreakGlass: (409, "last-break-glass", "Break-glass account"),
    errors.StateInvalid: (422, "state-invalid", "Cannot be saved"),
    errors.FilesQuotaExceeded: (413, "files-quota-exceeded", "Too many files"),
    errors.DiskFull: (507, "disk-full", "Disk full"),
    errors.FileGone: (503, "file-gone", "File removed"),
    errors.FilesUnavailable: (503, "files-unavailable", "Files unavailable"),
    errors.EventTimeUsedUp: (429, "event-time-used-up", "Time used up"),
    errors.HashingBusy: (503, "busy", "Busy"),
    errors.StoreUnavailable: (503, "store-unavailable", "Database unavailable"),
    errors.ReplicaGone: (503, "replica-gone", "Part of the service stopped"),
}
"""Status, end of the type URI, and title of each error. The error's sentence becomes the detail."""

COME_BACK: Final = 5
"""Default Retry-After in seconds."""

_COME_BACK_SOON: Final = (
    errors.FileGone,
    errors.FilesUnavailable,
    errors.HashingBusy,
    errors.ReplicaGone,
    errors.StoreUnavailable,
)

_PLAIN_WORDS: Final = {
    404: "There is nothing at this address.",
    405: "This address does not support that method.",
}


def problem_of(error: errors.DomainError) -> Problem:
    status, kind, title = TABLE[type(error)]
    return Problem(
        status=status, kind=kind, title=title, detail=error.sentence, headers=_headers(error)
    )


def _headers(error: errors.DomainError) -> dict[str, str]:
    """Return Retry-After, or what was wrong with an access token (RFC 6750)."""
    if isinstance(error, errors.AccessTokenEnded):
        return {"www-authenticate": 'Bearer error="invalid_token"'}
    if isinstance(error, errors.SignInThrottled | errors.EventTimeUsedUp):
        return {"retry-after": str(max(1, ceil(error.retry_after.total_seconds())))}
    if isinstance(error, _COME_BACK_SOON):
        return {"retry-after": str(COME_BACK)}
    return {}


def handle_errors(api: FastAPI, pages: Pages) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.DomainError)  # noqa: S101 -- Registered for this type.
        problem = problem_of(error)
        if isinstance(error, errors.ConfirmationNeeded):
            address = front(request).base.outside(CONFIRMATION)
            problem = replace(problem, members={"confirm": address})
        return as_response(request, pages, problem)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- Registered for this type.
        return as_response(request, pages, plain_problem(error))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- Registered for this type.
        return as_response(request, pages, _invalid(error.errors()))

    api.add_exception_handler(errors.DomainError, refused)
    api.add_exception_handler(HTTPException, http)
    api.add_exception_handler(RequestValidationError, invalid)


def plain_problem(error: HTTPException) -> Problem:
    """Return the problem for an error that a framework raises, or passes on."""
    if isinstance(error, RefusedLate):
        return error.problem
    status = HTTPStatus(error.status_code)
    said = error.detail if error.detail != status.phrase else ""
    return Problem(
        status=status.value,
        kind=status.phrase.lower().replace(" ", "-"),
        title=status.phrase.capitalize(),
        detail=_PLAIN_WORDS.get(status, said),
        headers=error.headers or {},
    )


def as_response(request: Request, pages: Pages, problem: Problem) -> Response:
    request_id = request.scope.get("state", {}).get(REQUEST_ID, "")
    headers = dict(problem.headers)
    accept = request.headers.get("accept", "")
    if wants_page(accept, request.headers.get("sec-fetch-mode", "")):
        page = pages.of_problem(problem, request_id, is_in_frame=is_in_frame(request))
        return HTMLResponse(page, status_code=problem.status, headers=headers)
    document = problem.document(request_id)
    return Response(document, problem.status, headers, media_type=PROBLEM_JSON)


def _invalid(faults: Sequence[Any]) -> Problem:
    """List the invalid fields and the broken rules, never the values."""
    told = [
        {"field": ".".join(str(part) for part in fault["loc"])[:100], "message": fault["msg"]}
        for fault in faults[:20]
    ]
    return Problem(
        status=422,
        kind="invalid",
        title="Not valid",
        detail="Some fields are missing or not valid.",
        members={"errors": told},
    )
