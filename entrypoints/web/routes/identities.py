"""Signing in at an identity provider: the link that begins it, and the address to which the provider sends people back."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from application.use_cases.identities import Returned
from domain.errors import (
    DomainError,
    HashingBusy,
    IdentityRefused,
    IdentityTaken,
    LinkNeedsPassword,
    ProviderUnavailable,
    SignedTokenRefused,
    SignInRefused,
    SignInThrottled,
)
from domain.model.identity import PROXY
from domain.model.session import Session, SessionId
from entrypoints.web import attempts
from entrypoints.web.dependencies import (
    Front,
    device,
    device_token,
    front,
    note,
    note_sign_in,
    public_address,
    see_other,
    visitor,
)
from entrypoints.web.errors import problem_of
from entrypoints.web.forms import FormUnreadable, must_be_ours, new_form_token, read_form
from entrypoints.web.next_page import DONE, sign_in_before
from entrypoints.web.routes.auth import sign_in_page

_OF_SPACES: Final = "huggingface"
"""The name in the address of a Space's sign-in, to which apps may link. It leads to our sign-in, and to the page in
`_target_url` afterwards, unless there is a provider of this name."""

_CONFIRM_HERE: Final = "Another site has sent you here to confirm that it is you. Do so only where this service asks you for it."


async def start(request: Request) -> Response:
    """Redirect to the provider. This is a link and no form: our pages' policy stops a form that is redirected to
    another site."""
    here, query = front(request), request.query_params
    wanted = here.safe_next(query.get("next") or query.get("_target_url"))
    name = request.path_params["name"]
    if name == _OF_SPACES and here.settings.providers.find(name) is None:
        return see_other(sign_in_before(wanted))
    return await _begin(request, wanted or "")


def _is_foreign(request: Request) -> bool:
    """Return whether a page of another site has sent the browser here."""
    return request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}


async def sign_in_again(request: Request) -> Response:
    """Redirect a signed-in person to the provider, to sign in there again. This confirms the session. The window ends on
    the page in `next`, or is closed."""
    me, wanted = visitor(request), front(request).safe_next(request.query_params.get("next"))
    if me is None:
        return see_other(sign_in_before(wanted or DONE))
    if _is_foreign(request):
        # The person has asked for nothing, and some providers would ask them nothing either.
        error = IdentityRefused(_CONFIRM_HERE, reason="another site")
        return await refused(request, error, request.path_params["name"])
    return await _begin(request, wanted or DONE, confirms=me.session.id)


async def _begin(request: Request, wanted: str, *, confirms: SessionId | None = None) -> Response:
    here, name = front(request), request.path_params["name"]
    try:
        started = await here.use_cases.start_at_provider(
            name,
            redirect_uri=_callback(request),
            wanted=wanted,
            address=device(request).address,
            scopes=here.scopes_of(name),
            confirms=confirms,
            is_foreign=_is_foreign(request),
        )
    except (ProviderUnavailable, SignInThrottled) as error:
        return await refused(request, error, name, wanted)
    note(request, outcome="sent to provider", provider=name)
    response = see_other(started.address)
    for cookie in attempts.begin(
        here.cookies,
        _cookies_of(request),
        state=started.state,
        signed_token=started.signed_token,
    ):
        response.headers.append("set-cookie", cookie)
    return response


async def finish(request: Request) -> Response:
    """Finish the sign-in whose state the provider has sent back. Other sign-ins of the browser go on."""
    here, name, query = front(request), request.path_params["name"], request.query_params
    begun = attempts.cookie_of(here.cookies, query.get("state", ""))
    try:
        response = await _finish(request, here, name, begun.value_in(_cookies_of(request)))
    except SignInThrottled as error:
        # The person may come back with the same sign-in.
        return await refused(request, error, name)
    if begun.is_in(_cookies_of(request)):
        response.headers.append("set-cookie", begun.drop())
    return response


async def _finish(request: Request, here: Front, name: str, signed_token: str | None) -> Response:
    query = request.query_params
    try:
        returned = await here.use_cases.finish_at_provider(
            name,
            address=device(request).address,
            signed_token=signed_token,
            state=query.get("state", ""),
            code=query.get("code", ""),
            error=query.get("error", ""),
            issuer=query.get("iss"),
            redirect_uri=_callback(request),
            scopes=here.scopes_of(name),
        )
    except (IdentityRefused, ProviderUnavailable) as error:
        return await refused(request, error, name)
    if returned.confirms is not None:
        return await _confirmed(request, returned)
    try:
        opened = await here.use_cases.sign_in_by_identity(
            name,
            returned.profile,
            device(request),
            tokens=returned.tokens,
            replacing=visitor(request),
            is_foreign=returned.is_foreign,
        )
    except (IdentityRefused, IdentityTaken) as error:
        return await refused(request, error, name, returned.wanted)
    except LinkNeedsPassword:
        return password_needed(request, returned, name)
    return await signed_in_by(
        request,
        opened.session,
        opened.signed_token,
        name=name,
        wanted=returned.wanted,
        replaced=opened.replaced,
    )


async def link(request: Request) -> Response:
    """Link an admin's account with its password."""
    here, name = front(request), request.path_params["name"]
    try:
        returned = here.use_cases.keep_unproven.read(
            name, here.cookies.unproven.value_in(_cookies_of(request))
        )
    except IdentityRefused as error:
        return _without_unproven(request, await refused(request, error, name))
    try:
        form = await read_form(request)
        must_be_ours(request, form)
    except (FormUnreadable, SignedTokenRefused):
        note(request, outcome="form refused")
        sentence = "This form has expired. Please send it again."
        return _link_page(request, returned, name, sentence, status=403)
    try:
        opened = await here.use_cases.sign_in_by_identity(
            name,
            returned.profile,
            device(request),
            password=form.get("password", ""),
            device_token=device_token(request),
            replacing=visitor(request),
        )
    except (IdentityRefused, IdentityTaken) as error:
        return _without_unproven(request, await refused(request, error, name, returned.wanted))
    except (LinkNeedsPassword, SignInRefused, SignInThrottled, HashingBusy) as error:
        problem = problem_of(error)
        note(request, outcome=problem.kind)
        is_wrong = isinstance(error, SignInRefused)
        sentence = "This is not the password of the account." if is_wrong else error.sentence
        response = _link_page(request, returned, name, sentence, status=problem.status)
        response.headers.update(problem.headers)
        return response
    response = await signed_in_by(
        request,
        opened.session,
        opened.signed_token,
        name=name,
        wanted=returned.wanted,
        replaced=opened.replaced,
    )
    return _without_unproven(request, response)


async def _confirmed(request: Request, returned: Returned) -> Response:
    here, name, me = front(request), request.path_params["name"], visitor(request)
    wanted = here.safe_next(returned.wanted) or DONE
    if me is None:
        return see_other(sign_in_before(wanted))
    try:
        await here.use_cases.confirm_by_identity(me.caller, name, returned)
    except IdentityRefused as error:
        return await refused(request, error, name, wanted)
    note(request, outcome="session confirmed", provider=name)
    return see_other(wanted)


async def signed_in_by(
    request: Request,
    session: Session,
    signed_token: str,
    *,
    name: str,
    wanted: str,
    replaced: SessionId | None = None,
) -> Response:
    here = front(request)
    note_sign_in(request, session)
    note(request, provider=name)
    then = here.safe_next(wanted)
    return await here.with_session(request, session, signed_token, then=then, replaced=replaced)


def password_needed(request: Request, returned: Returned, name: str) -> Response:
    """Ask for the password of the account, and keep the sign-in in the browser meanwhile."""
    here = front(request)
    note(request, outcome="password needed", provider=name)
    response = _link_page(request, returned, name)
    kept = here.use_cases.keep_unproven.keep(name, returned)
    response.headers.append("set-cookie", here.cookies.unproven.set(kept))
    return response


async def refused(request: Request, error: DomainError, name: str, wanted: str = "") -> Response:
    """Render the sign-in page with the sentence, or for somebody who is signed in a page that says so. Nobody is let
    in."""
    note(
        request,
        outcome=problem_of(error).kind,
        provider=name,
        reason=getattr(error, "reason", ""),
    )
    me = visitor(request)
    if me is None:
        response = await sign_in_page(request, {"next": wanted}, error.sentence, refused=error)
    else:
        problem = problem_of(error)
        response = front(request).page(
            "not_confirmed.html", status=problem.status, sentence=error.sentence, user=me.user
        )
        response.headers.update(problem.headers)
    return response


def _without_unproven(request: Request, response: Response) -> Response:
    response.headers.append("set-cookie", front(request).cookies.unproven.drop())
    return response


def _link_page(
    request: Request, returned: Returned, name: str, sentence: str = "", *, status: int = 200
) -> Response:
    here, token = front(request), new_form_token(request)
    response = here.page(
        "link.html",
        status=status,
        sentence=sentence,
        name=name,
        has_other_way=name != PROXY,
        label=here.settings.providers.vouching(name).label,
        email=returned.profile.email,
        csrf_token=token.value,
    )
    return token.bind(response)


def _callback(request: Request) -> str:
    """Return the address to which the provider sends people back. It is the same on every replica."""
    return f"{public_address(request)}/login/{request.path_params['name']}/callback"


def _cookies_of(request: Request) -> str:
    return "; ".join(request.headers.getlist("cookie"))


router = APIRouter()
router.add_route("/login/{name}", start, methods=["GET"], include_in_schema=False)
router.add_route("/login/{name}/again", sign_in_again, methods=["GET"], include_in_schema=False)
router.add_route("/login/{name}/callback", finish, methods=["GET"], include_in_schema=False)
router.add_route("/login/{name}/link", link, methods=["POST"], include_in_schema=False)
