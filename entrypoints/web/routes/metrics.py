"""Show the metrics to Prometheus. The gate has checked who asks."""

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from entrypoints.web.addresses import METRICS
from entrypoints.web.dependencies import front


async def metrics(request: Request) -> Response:
    # A service with many events has half a megabyte of text: write it beside the event loop.
    text = front(request).metrics.text
    body, content_type = await asyncio.to_thread(text, request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})


router = APIRouter()
router.add_route(METRICS, metrics, methods=["GET"], include_in_schema=False)
