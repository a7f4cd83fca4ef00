"""The pages for sign-in and sign-out."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import (
    DomainError,
    HashingBusy,
    PasswordSignInOff,
    SignedTokenRefused,
    SignInRefused,
    SignInThrottled,
)
from domain.model.session import Session
from domain.model.user import LONGEST_EMAIL
from entrypoints.web.dependencies import (
    device,
    device_token,
    front,
    is_in_frame,
    note,
    note_sign_in,
    proof,
    public_address,
    see_other,
    signed_in,
    visitor,
)
from entrypoints.web.errors import problem_of
from entrypoints.web.forms import (
    FormUnreadable,
    is_from_bar,
    must_be_ours,
    new_form_token,
    read_form,
)
from entrypoints.web.frames import SCRIPT, policy_in_frames
from entrypoints.web.next_page import sign_in_before

AGAIN: Final = "again"
"""The query parameter with which somebody who has signed out signs in again."""
_TELLS: Final = 'new BroadcastChannel("gradioapp").postMessage({ signedIn: true }); setTimeout(() => close(), 100);'
"""Tell the pages whose session has ended. The message has no secret: they ask the service who is signed in."""
_TELLS_ONLY: Final = (
    f"default-src 'none'; script-src 'sha256-{b64encode(sha256(_TELLS.encode()).digest()).decode()}'; style-src 'self'; "
    "img-src 'self' data:; form-action 'none'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)


async def start(request: Request) -> Response:
    me = visitor(request)
    return see_other("/login" if me is None else front(request).start_for(me.user))


async def offer_sign_in(request: Request) -> Response:
    wanted = front(request).safe_next(request.query_params.get("next"))
    me = visitor(request)
    if me is not None:
        return see_other(wanted or front(request).start_for(me.user))
    return await sign_in_page(request, {"next": wanted or ""})


async def finish_sign_in(request: Request) -> Response:
    """Serve the last page of a sign-in in a second window, which closes the window."""
    response = front(request).page("signed_in.html", user=signed_in(request).user, script=_TELLS)
    response.headers["content-security-policy"] = _TELLS_ONLY
    return response


async def sign_in(request: Request) -> Response:
    try:
        form = await read_form(request)
    except FormUnreadable as error:
        return await sign_in_page(request, {}, error.sentence, status=400)
    here = front(request)
    try:
        must_be_ours(request, form, is_anonymous=True)
        opened = await here.use_cases.log_in(
            form.get("username", ""),
            form.get("password", ""),
            device(request),
            replacing=visitor(request),
            device_token=device_token(request),
            is_remembered="remember" in form,
        )
    except SignedTokenRefused as error:
        note(request, outcome="form refused")
        sentence = "This form has expired. Please sign in again."
        return await sign_in_page(request, form, sentence, refused=error)
    except (SignInRefused, PasswordSignInOff, SignInThrottled, HashingBusy) as error:
        note(request, outcome=problem_of(error).kind)
        return await sign_in_page(request, form, error.sentence, refused=error)
    note_sign_in(request, opened.session)
    return await here.with_session(
        request,
        opened.session,
        opened.signed_token,
        then=here.safe_next(form.get("next")),
        device_token=opened.device_token,
        replaced=opened.replaced,
    )


async def sign_in_page(
    request: Request,
    form: Mapping[str, str],
    sentence: str = "",
    *,
    refused: DomainError | None = None,
    status: int = 200,
) -> Response:
    """Render the form with the typed values, except the password, and a link for each identity provider."""
    here, token = front(request), new_form_token(request, is_anonymous=True)
    problem = problem_of(refused) if refused else None
    response = here.page(
        "login.html",
        status=problem.status if problem else status,
        sentence=sentence,
        username=form.get("username", "")[:LONGEST_EMAIL],
        next=here.safe_next(form.get("next")) or "",
        csrf_token=token.value,
        providers=[(provider.name, provider.shown) for provider in here.settings.oidc],
        shows_form=here.settings.password_sign_in or _wants_password(request),
        remember_days=here.settings.remember_days,
        is_remembered="remember" in form,
        lacks_admin=await here.lacks_admin(),
        proxy=here.settings.proxy_identity_header and here.settings.proxy_identity_label,
        is_proxy_silent=proof(request) is None,
    )
    response.headers.update(problem.headers if problem else {})
    return token.bind(response)


def _wants_password(request: Request) -> bool:
    """Return whether to show the form where passwords are switched off: to the owner of a break-glass account."""
    is_sent = request.method == "POST" and request.url.path.endswith("/login")
    return is_sent or request.query_params.get("with") == "password"


async def offer_sign_out(request: Request) -> Response:
    if visitor(request) is None:
        return see_other("/login")
    return _sign_out_page(request, front(request).safe_next(request.query_params.get("next")))


async def sign_out(request: Request) -> Response:
    if visitor(request) is None:
        # Nobody goes on with the tabs of an expired session after its owner wanted to sign out.
        await front(request).expired_session(request, by=None)
        return _without_session(request, see_other(sign_in_before(_page_in_frame(request))))
    me = signed_in(request)
    try:
        form = await read_form(request)
        if not is_from_bar(request, form):
            must_be_ours(request, form)
    except (FormUnreadable, SignedTokenRefused):
        note(request, outcome="form refused")
        if page := _page_in_frame(request):  # Forms are never framed. The app's page has a new one.
            return see_other(page)
        sentence = "This page has expired. Please confirm once more."
        return _sign_out_page(request, None, sentence=sentence, status=403)
    here = front(request)
    await here.use_cases.log_out(me.caller)
    note(request, outcome="signed out")
    return _without_session(request, await _signed_out(request, me.session))


def _without_session(request: Request, response: Response) -> Response:
    response.headers.append("set-cookie", front(request).cookies.session.drop())
    return response


async def _signed_out(request: Request, session: Session) -> Response:
    """Redirect to sign-in, or render a page with a link to the provider's sign-out. A redirect there would be stopped by
    our pages' policy, in which `form-action` is 'self'."""
    here = front(request)
    back = f"{public_address(request)}/login"
    leaving = await here.use_cases.leave_provider(session, back=back)
    page = _page_in_frame(request)
    if leaving is None:
        return see_other(sign_in_before(page))
    label, address = leaving
    response = signed_out_page(request, label, address, wanted=page or "")
    if session.origin is not None and here.settings.providers.is_proxy(session.origin.issuer):
        response.headers.append("set-cookie", here.cookies.left.set("yes"))
    return response


def signed_out_page(request: Request, label: str, address: str, *, wanted: str = "") -> Response:
    """Render a link to the sign-out of a provider or proxy, if `address` is not empty, and one to `wanted`."""
    again = urlencode({AGAIN: "yes", **({"next": wanted} if wanted else {})})
    here, is_framed = front(request), bool(_page_in_frame(request))
    response = here.page(
        "signed_out.html",
        label=label,
        address=address,
        again=again,
        is_in_frame=is_framed,
        back=wanted,
        script=SCRIPT,
    )
    if is_framed:
        response.headers["content-security-policy"] = policy_in_frames(here.framers)
    return response


def _page_in_frame(request: Request) -> str | None:
    """Return the page in a frame on which somebody signs out: `session.js` adds it to the address. None outside a
    frame."""
    if not is_in_frame(request) or not front(request).framers:
        return None
    return front(request).safe_next(request.query_params.get("next"))


def _sign_out_page(
    request: Request, back: str | None, *, sentence: str = "", status: int = 200
) -> Response:
    here, token = front(request), new_form_token(request)
    response = here.page(
        "logout.html",
        status=status,
        sentence=sentence,
        back=back or here.ui_address,
        user=signed_in(request).user,
        csrf_token=token.value,
    )
    return token.bind(response)


router = APIRouter()
router.add_route("/", start, methods=["GET"], include_in_schema=False)
router.add_route("/login", sign_in, methods=["POST"], include_in_schema=False)
router.add_route("/login/done", finish_sign_in, methods=["GET"], include_in_schema=False)
router.add_route("/logout", offer_sign_out, methods=["GET"], include_in_schema=False)
router.add_route("/logout", sign_out, methods=["POST"], include_in_schema=False)
