"""The setup page, which makes the first admin. Its link is printed when the service starts."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import (
    DomainError,
    EmailInvalid,
    EmailTaken,
    HashingBusy,
    NameInvalid,
    PasswordInvalid,
    SetupClosed,
    SignedTokenRefused,
)
from domain.model.user import LONGEST_EMAIL, LONGEST_NAME
from entrypoints.web.dependencies import device, device_token, front, note, note_sign_in
from entrypoints.web.errors import problem_of
from entrypoints.web.forms import FormUnreadable, must_be_ours, new_form_token, read_form

_FIELDS: Final[Mapping[type[DomainError], str]] = {
    EmailInvalid: "email",
    EmailTaken: "email",
    NameInvalid: "name",
    PasswordInvalid: "password",
}
"""The form field of each error."""


async def offer_setup(request: Request) -> Response:
    token = request.query_params.get("token", "")
    try:
        await front(request).use_cases.check_setup(token)
    except (SetupClosed, SignedTokenRefused) as error:
        return await _closed(request, error, has_token=bool(token))
    return _setup_page(request, {"token": token})


async def set_up(request: Request) -> Response:
    try:
        form = await read_form(request)
    except FormUnreadable as error:
        token = request.query_params.get("token", "")
        return _setup_page(request, {"token": token}, error.sentence, status=400)
    here = front(request)
    form.setdefault("token", request.query_params.get("token", ""))
    try:
        must_be_ours(request, form, is_anonymous=True)
    except SignedTokenRefused:
        note(request, outcome="form refused")
        sentence = "This form has expired. Please send it again."
        return _setup_page(request, form, sentence, status=403)
    try:
        opened = await here.use_cases.set_up(
            form["token"],
            email=form.get("email", ""),
            name=form.get("name", ""),
            password=form.get("password", ""),
            device=device(request),
            device_token=device_token(request),
        )
    except (SetupClosed, SignedTokenRefused) as error:
        return await _closed(request, error)
    except (EmailInvalid, EmailTaken, NameInvalid, PasswordInvalid, HashingBusy) as error:
        problem = problem_of(error)
        response = _setup_page(
            request, form, error.sentence, field=_FIELDS.get(type(error), ""), status=problem.status
        )
        response.headers.update(problem.headers)
        return response
    note_sign_in(request, opened.session)
    return await here.with_session(
        request,
        opened.session,
        opened.signed_token,
        then=here.ui_address,
        device_token=opened.device_token,
    )


def _setup_page(
    request: Request,
    form: Mapping[str, str],
    sentence: str = "",
    *,
    field: str = "",
    status: int = 200,
) -> Response:
    """Render the form with the typed values, except the password."""
    token = new_form_token(request, is_anonymous=True)
    response = front(request).page(
        "setup.html",
        status=status,
        sentence=sentence,
        field=field,
        token=form.get("token", ""),
        email=form.get("email", "")[:LONGEST_EMAIL],
        name=form.get("name", "")[:LONGEST_NAME],
        csrf_token=token.value,
    )
    return token.bind(response)


async def _closed(request: Request, error: DomainError, *, has_token: bool = True) -> Response:
    """Render the page for an address without its token, for an expired link, or for a setup that is already done."""
    note(request, outcome=problem_of(error).kind)
    lacks_admin = await front(request).lacks_admin()
    status = 403 if lacks_admin else 410
    return front(request).page(
        "setup_closed.html", status=status, lacks_admin=lacks_admin, has_token=has_token
    )


router = APIRouter()
router.add_route("/setup", offer_setup, methods=["GET"], include_in_schema=False)
router.add_route("/setup", set_up, methods=["POST"], include_in_schema=False)
