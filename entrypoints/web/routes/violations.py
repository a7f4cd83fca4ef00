"""Receive browsers' reports of CSP violations (ASVS 3.4.7)."""

from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from entrypoints.access import CSP_REPORTS
from entrypoints.web.dependencies import front, signed_in
from entrypoints.web.violations import Unreadable, reported

TYPES: Final = frozenset({"application/csp-report", "application/reports+json"})


async def report(request: Request) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise HTTPException(415)
    user_id = str(signed_in(request).user.id)
    try:
        for violation in reported(await request.body(), host=request.url.netloc):
            front(request).violations.tell(violation, user_id=user_id)
    except Unreadable as error:
        raise HTTPException(400, "The body is not a CSP report.") from error
    return Response(status_code=204)


router = APIRouter()
router.add_route(CSP_REPORTS, report, methods=["POST"], include_in_schema=False)
