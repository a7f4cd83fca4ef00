"""Back-channel logout: a provider's server says that a person has signed out there."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.errors import IdentityRefused, ProviderUnavailable, SignInThrottled
from entrypoints.web.dependencies import device, front, note
from entrypoints.web.errors import problem_of
from entrypoints.web.forms import FormUnreadable, read_form


async def end_sessions(request: Request) -> Response:
    """End the sessions of a person who has signed out at the provider, as its signed logout token says. The provider's
    server calls this address (OpenID Connect Back-Channel Logout 1.0)."""
    try:
        form = await read_form(request)
        ended = await front(request).use_cases.end_by_provider(
            request.path_params["name"],
            form.get("logout_token", ""),
            address=device(request).address,
        )
    except FormUnreadable as error:
        return _bad_logout(error.sentence)
    except (IdentityRefused, ProviderUnavailable) as error:
        note(request, outcome=problem_of(error).kind, reason=error.reason)
        return _bad_logout(error.sentence)
    except SignInThrottled as error:
        note(request, outcome=problem_of(error).kind)
        problem = problem_of(error)
        return _bad_logout(error.sentence, problem.status, **problem.headers)
    note(request, outcome="sessions ended", sessions=ended)
    return Response(status_code=200, headers={"cache-control": "no-store"})


def _bad_logout(sentence: str, status: int = 400, **headers: str) -> Response:
    return JSONResponse(
        {"error": "invalid_request", "error_description": sentence},
        status_code=status,
        headers={"cache-control": "no-store", **headers},
    )


router = APIRouter()
router.add_route(
    "/login/{name}/backchannel", end_sessions, methods=["POST"], include_in_schema=False
)
