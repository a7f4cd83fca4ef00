"""Sign-in of people whom the proxy in front has signed in: the sign-in page opens a session for them by itself."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from application.use_cases.identities import Returned
from domain.errors import IdentityRefused, IdentityTaken, LinkNeedsPassword, ProviderUnavailable
from domain.model.identity import PROXY, Profile
from entrypoints.web.dependencies import cookies_of, device, front, proof, visitor
from entrypoints.web.routes.auth import AGAIN, offer_sign_in, signed_out_page
from entrypoints.web.routes.identities import password_needed, refused, signed_in_by


async def offer(request: Request) -> Response:
    found = proof(request)
    if found is None or visitor(request) is not None or request.method != "GET":
        return await offer_sign_in(request)
    here = front(request)
    wanted = here.safe_next(request.query_params.get("next")) or ""
    has_left = here.cookies.left.is_in(cookies_of(request))
    if isinstance(found, Profile) and has_left and AGAIN not in request.query_params:
        return signed_out_page(
            request,
            here.settings.proxy_identity_label,
            here.settings.proxy_identity_sign_out_url,
            wanted=wanted,
        )
    try:
        profile = await here.use_cases.finish_at_proxy(found)
        opened = await here.use_cases.sign_in_by_identity(PROXY, profile, device(request))
    except (IdentityRefused, IdentityTaken, ProviderUnavailable) as error:
        return await refused(request, error, PROXY, wanted)
    except LinkNeedsPassword:
        return password_needed(request, Returned(profile=profile, wanted=wanted), PROXY)
    return await signed_in_by(
        request, opened.session, opened.signed_token, name=PROXY, wanted=wanted
    )


router = APIRouter()
router.add_route("/login", offer, methods=["GET"], include_in_schema=False)
