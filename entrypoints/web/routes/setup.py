"""The first admin, made by whoever can read what the service printed at its start."""

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
    TokenRefused,
)
from entrypoints.web.errors import problem_of
from entrypoints.web.forms import FormUnreadable, must_be_ours, new_token, read_form
from entrypoints.web.front import device, front, note, note_sign_in

_FIELDS: Final[Mapping[type[DomainError], str]] = {
    EmailInvalid: "email",
    EmailTaken: "email",
    NameInvalid: "name",
    PasswordInvalid: "password",
}
"""Which field a refusal is about."""


async def offer_setup(request: Request) -> Response:
    token = request.query_params.get("token", "")
    try:
        await front(request).app.check_setup(token)
    except (SetupClosed, TokenRefused) as error:
        return await _closed(request, error)
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
        must_be_ours(request, form)
    except TokenRefused:
        note(request, outcome="form refused")
        sentence = "This form has expired. Please send it again."
        return _setup_page(request, form, sentence, status=403)
    try:
        opened = await here.app.set_up(
            form["token"],
            email=form.get("email", ""),
            name=form.get("name", ""),
            password=form.get("password", ""),
            device=device(request),
        )
    except (SetupClosed, TokenRefused) as error:
        return await _closed(request, error)
    except (EmailInvalid, EmailTaken, NameInvalid, PasswordInvalid, HashingBusy) as error:
        problem = problem_of(error)
        answer = _setup_page(
            request, form, error.sentence, field=_FIELDS.get(type(error), ""), status=problem.status
        )
        answer.headers.update(problem.headers)
        return answer
    note_sign_in(request, opened.session)
    return here.with_session(request, opened.session, opened.token, then=here.ui_address)


def _setup_page(
    request: Request,
    form: Mapping[str, str],
    sentence: str = "",
    *,
    field: str = "",
    status: int = 200,
) -> Response:
    """With what was typed, but for the password."""
    token = new_token(request)
    answer = front(request).page(
        "setup.html",
        status=status,
        sentence=sentence,
        field=field,
        token=form.get("token", ""),
        email=form.get("email", "")[:254],
        name=form.get("name", "")[:200],
        csrf_token=token.value,
    )
    return token.bind(answer)


async def _closed(request: Request, error: DomainError) -> Response:
    """An old link is of no use, whether or not somebody was faster."""
    note(request, outcome=problem_of(error).kind)
    lacks_admin = await front(request).lacks_admin()
    status = 403 if lacks_admin else 410
    return front(request).page("setup_closed.html", status=status, lacks_admin=lacks_admin)


router = APIRouter()
router.add_route("/setup", offer_setup, methods=["GET"], include_in_schema=False)
router.add_route("/setup", set_up, methods=["POST"], include_in_schema=False)
