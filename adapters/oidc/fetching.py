"""Requests to identity providers, with bounds for time and size."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpx

CONNECT: Final = 3.0
"""Seconds for a connection."""
REQUEST: Final = 6.0
"""Seconds for one whole request."""
LARGEST: Final = 256 * 1024
"""Bytes of a response. Key sets and discovery documents have a few thousand."""


class Unusable(Exception):
    """The provider does not respond, or not with what was asked for. The text is for the log, without secrets."""


class Rejected(Unusable):
    """The provider works and refuses the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    content_type: str
    body: bytes

    def members(self) -> dict[str, Any]:
        """Return the JSON object of the response. Raises Unusable."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unusable("the response is not JSON") from error
        if not isinstance(found, dict):
            raise Unusable("the response is no JSON object")
        return found


def must_be_ok(answer: Answer, what: str) -> None:
    """Raises Unusable."""
    if answer.status != 200:
        raise Unusable(f"{what} answers {answer.status}")


async def get(url: str, *, limit: float, bearer: str = "") -> Answer:
    """`limit` is the time for the whole request, in seconds. Raises Unusable."""
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    return await _ask("GET", url, headers, limit=limit)


async def post(
    url: str,
    form: Mapping[str, str],
    *,
    limit: float,
    client: tuple[str, str] | None = None,
) -> Answer:
    """Post a form. `client` is sent as HTTP Basic. Raises Unusable."""
    auth = None if client is None else httpx.BasicAuth(*client)
    return await _ask("POST", url, {}, limit=limit, data=dict(form), auth=auth)


async def _ask(
    method: str, url: str, headers: Mapping[str, str], *, limit: float, **more: Any
) -> Answer:
    asked = {"accept": "application/json", "accept-encoding": "identity", **headers}
    timeout = httpx.Timeout(limit, connect=min(CONNECT, limit))
    try:
        async with (
            asyncio.timeout(limit),
            httpx.AsyncClient(
                verify=_trust(), timeout=timeout, follow_redirects=False, trust_env=False
            ) as client,
            client.stream(method, url, headers=asked, **more) as response,
        ):
            return Answer(
                status=response.status_code,
                content_type=response.headers.get("content-type", ""),
                body=await _body(response),
            )
    except (TimeoutError, httpx.TimeoutException) as error:
        raise Unusable(f"no response within {limit} seconds") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise Unusable(f"no response: {type(error).__name__}") from error


async def _body(response: httpx.Response) -> bytes:
    """Return the body as it was sent: a compressed one is not decoded, and so cannot become larger than it is."""
    body = b""
    async for part in response.aiter_raw():
        body += part
        if len(body) > LARGEST:
            raise Unusable(f"the response has more than {LARGEST} bytes")
    return body


@cache
def _trust() -> ssl.SSLContext:
    """Return the trusted authorities. Reading them takes as long as a request."""
    return httpx.create_ssl_context()
