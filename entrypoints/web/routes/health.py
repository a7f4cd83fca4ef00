"""Whether the process lives, and whether it can do its work: for whoever restarts it or sends it traffic."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from entrypoints.web.front import use_cases


async def alive(request: Request) -> Response:  # noqa: ARG001 -- A route's signature.
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    found = await use_cases(request).check_readiness()
    is_ready = all(state == "ok" for state in found.values())
    status = "ok" if is_ready else "unavailable"
    return JSONResponse({"status": status, **found}, status_code=200 if is_ready else 503)


router = APIRouter()
router.add_route("/healthz", alive, methods=["GET"], include_in_schema=False)
router.add_route("/readyz", ready, methods=["GET"], include_in_schema=False)
