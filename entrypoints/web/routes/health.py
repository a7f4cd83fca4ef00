"""Health checks: whether the process lives, and whether it can serve requests."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from entrypoints.web.dependencies import front


async def alive(request: Request) -> Response:  # noqa: ARG001 -- The signature of a route.
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Respond with 503 if the service cannot serve requests, or is about to stop. What is degraded leaves the status at 200."""
    here = front(request)
    found, jobs = await here.use_cases.check_readiness(), dict(here.jobs())
    if here.is_stopping():
        return JSONResponse({"status": "stopping", **found, "jobs": jobs}, status_code=503)
    states = {*found.values(), *jobs.values()}
    if states - {"ok", "degraded"}:
        status = "unavailable"
    else:
        status = "degraded" if "degraded" in states else "ok"
    body = {"status": status, **found, "jobs": jobs}
    return JSONResponse(body, status_code=503 if status == "unavailable" else 200)


router = APIRouter()
router.add_route("/healthz", alive, methods=["GET"], include_in_schema=False)
router.add_route("/readyz", ready, methods=["GET"], include_in_schema=False)
