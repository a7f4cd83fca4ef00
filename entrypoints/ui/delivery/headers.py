"""Filter the request headers that reach a mounted Gradio app, and the response headers that it sends.

Gradio and authors' code never see credentials. Gradio responds to some requests for files with the request's own
headers, so there are allow-lists: for response headers, and for the headers of requests for files.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.access import FOUND
from entrypoints.base_path import AT_ROOT, BasePath
from entrypoints.ui.addresses import Found
from entrypoints.ui.delivery.media_types import FilePolicies, is_document, safe_type

CREDENTIALS: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})

LEAVING: Final = frozenset(
    {
        *(b"accept-ranges", b"allow", b"content-disposition", b"content-encoding"),
        *(b"content-length", b"content-range", b"content-type", b"etag", b"last-modified", b"vary"),
    }
)
"""All response headers that clients need from Gradio. Our own layers add theirs, such as CSP, Cache-Control and
Location, after this filter."""

OF_A_FILE: Final = frozenset({b"accept-encoding", b"host", b"if-range", b"range"})
"""All headers of a request for a file that reach Gradio."""
_ONE_RANGE: Final = re.compile(rb"bytes=(\d+-\d*|-\d+)")
"""A Range header with a single range; RFC 9110 lets a server ignore others. A response with several ranges would have a
content type that we have not checked."""

_TYPE: Final = b"content-type"

Headers = list[tuple[bytes, bytes]]


def without_credentials(scope: Scope) -> Scope:
    """Remove the credentials from a request. The caller is in the scope's state."""
    headers = [pair for pair in scope["headers"] if pair[0] not in CREDENTIALS]
    return {**scope, "headers": headers}


class FilteredHeaders:
    """Wraps the Gradio application of one mount."""

    def __init__(self, gradio: Any, *, policies: FilePolicies, base: BasePath = AT_ROOT) -> None:
        self._gradio: ASGIApp = gradio
        self._base = base
        self.routes: Sequence[BaseRoute] = gradio.routes
        self._policies = policies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._gradio(scope, receive, send)
            return
        found: Found = scope["state"][FOUND]
        if self._base.path:
            scope = self._base.outer(scope)
        serves = found.address.kind.serves
        is_a_file = serves == "file"
        if is_a_file:
            scope = {**scope, "headers": [pair for pair in scope["headers"] if _is_of_a_file(pair)]}

        async def leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message["headers"] if pair[0].lower() in LEAVING]
                if serves != "code":
                    headers = self._judged(headers, is_a_file=is_a_file)
                message = {**message, "headers": headers}
            await send(message)

        await self._gradio(scope, receive, leave)

    def _judged(self, headers: Headers, *, is_a_file: bool) -> Headers:
        kept = [pair for pair in headers if pair[0].lower() != _TYPE]
        found = next((value for name, value in headers if name.lower() == _TYPE), None)
        if found is None:
            return kept
        kept.append((_TYPE, safe_type(found)))
        if is_a_file or is_document(found):
            kept.append((b"content-security-policy", self._policies.of(found)))
        return kept


def _is_of_a_file(pair: tuple[bytes, bytes]) -> bool:
    name, value = pair
    return name in OF_A_FILE and (name != b"range" or _ONE_RANGE.fullmatch(value) is not None)
