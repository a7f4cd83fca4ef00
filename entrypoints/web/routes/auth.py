"""Signing in and out: the pages a person sees without a session."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import (
    DomainError,
    HashingBusy,
    SignInRefused,
    SignInThrottled,
    TokenRefused,
)
from entrypoints.web.errors import problem_of
from entrypoints.web.forms import FormUnreadable, must_be_ours, new_token, read_form
from entrypoints.web.front import (
    device,
    front,
    note,
    note_sign_in,
    see_other,
    signed_in,
    visitor,
)
from entrypoints.web.next_page import safe_next


async def start(request: Request) -> Response:
    return see_other("/login" if visitor(request) is None else front(request).ui_address)


async def offer_sign_in(request: Request) -> Response:
    wanted = safe_next(request.query_params.get("next"))
    if visitor(request) is not None:
        return see_other(wanted or front(request).ui_address)
    return await _sign_in_page(request, {"next": wanted or ""})


async def sign_in(request: Request) -> Response:
    try:
        form = await read_form(request)
    except FormUnreadable as error:
        return await _sign_in_page(request, {}, error.sentence, status=400)
    here = front(request)
    try:
        must_be_ours(request, form)
        opened = await here.app.log_in(
            form.get("username", ""),
            form.get("password", ""),
            device(request),
            replacing=visitor(request),
        )
    except TokenRefused as error:
        note(request, outcome="form refused")
        sentence = "This form has expired. Please sign in again."
        return await _sign_in_page(request, form, sentence, refused=error)
    except (SignInRefused, SignInThrottled, HashingBusy) as error:
        note(request, outcome=problem_of(error).kind)
        return await _sign_in_page(request, form, error.sentence, refused=error)
    note_sign_in(request, opened.session)
    then = safe_next(form.get("next")) or here.ui_address
    return here.with_session(request, opened.session, opened.token, then=then)


async def _sign_in_page(
    request: Request,
    form: Mapping[str, str],
    sentence: str = "",
    *,
    refused: DomainError | None = None,
    status: int = 200,
) -> Response:
    """With what was typed, but for the password."""
    here, token = front(request), new_token(request)
    problem = problem_of(refused) if refused else None
    answer = here.page(
        "login.html",
        status=problem.status if problem else status,
        sentence=sentence,
        username=form.get("username", "")[:254],
        next=safe_next(form.get("next")) or "",
        csrf_token=token.value,
        lacks_admin=await here.lacks_admin(),
    )
    answer.headers.update(problem.headers if problem else {})
    return token.bind(answer)


async def offer_sign_out(request: Request) -> Response:
    if visitor(request) is None:
        return see_other("/login")
    return _sign_out_page(request, safe_next(request.query_params.get("next")))


async def sign_out(request: Request) -> Response:
    if visitor(request) is None:
        return see_other("/login")
    me = signed_in(request)
    try:
        must_be_ours(request, await read_form(request))
    except (FormUnreadable, TokenRefused):
        note(request, outcome="form refused")
        sentence = "This page has expired. Please confirm once more."
        return _sign_out_page(request, None, sentence=sentence, status=403)
    here = front(request)
    await here.app.log_out(me.caller)
    note(request, outcome="signed out")
    answer = see_other("/login")
    answer.headers.append("set-cookie", here.cookies.session.drop())
    return answer


def _sign_out_page(
    request: Request, back: str | None, *, sentence: str = "", status: int = 200
) -> Response:
    here, token = front(request), new_token(request)
    answer = here.page(
        "logout.html",
        status=status,
        sentence=sentence,
        back=back or here.ui_address,
        user=signed_in(request).user,
        csrf_token=token.value,
    )
    return token.bind(answer)


router = APIRouter()
router.add_route("/", start, methods=["GET"], include_in_schema=False)
router.add_route("/login", offer_sign_in, methods=["GET"], include_in_schema=False)
router.add_route("/login", sign_in, methods=["POST"], include_in_schema=False)
router.add_route("/logout", offer_sign_out, methods=["GET"], include_in_schema=False)
router.add_route("/logout", sign_out, methods=["POST"], include_in_schema=False)
