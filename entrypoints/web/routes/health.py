"""Whether the process lives, and whether it can do its work: for whoever restarts it or sends it traffic."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from entrypoints.web.front import front


async def alive(request: Request) -> Response:  # noqa: ARG001 -- A route's signature.
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """200 unless the service cannot do its work; a background job that is degraded takes nobody's traffic away."""
    here = front(request)
    found, jobs = await here.app.check_readiness(), dict(here.jobs())
    if any(state != "ok" for state in found.values()):
        status = "unavailable"
    else:
        status = "degraded" if "degraded" in jobs.values() else "ok"
    body = {"status": status, **found, "jobs": jobs}
    return JSONResponse(body, status_code=503 if status == "unavailable" else 200)


router = APIRouter()
router.add_route("/healthz", alive, methods=["GET"], include_in_schema=False)
router.add_route("/readyz", ready, methods=["GET"], include_in_schema=False)
