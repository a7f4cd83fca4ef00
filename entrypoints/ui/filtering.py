"""Filter the headers that reach a mounted Gradio app, and those that leave it.

Gradio and its authors' code never see credentials, and Gradio answers some requests for files with the request's own
headers. So what leaves is an allow-list of names, and what a request for a file brings is one too.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.ui.guard import GradioAddresses, is_file
from entrypoints.ui.media_types import FilePolicies, is_document, safe_type

CREDENTIALS: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})

LEAVING: Final = frozenset(
    {
        *(b"accept-ranges", b"allow", b"content-disposition", b"content-encoding"),
        *(b"content-length", b"content-range", b"content-type", b"etag", b"last-modified", b"vary"),
    }
)
"""All that Gradio's open routes send and a client needs. What our own layers add, such as policies, caching rules and
redirects, they add behind this filter."""

OF_A_FILE: Final = frozenset({b"accept-encoding", b"host", b"if-range", b"range"})
"""All that a request for a file brings to Gradio."""
_ONE_RANGE: Final = re.compile(rb"bytes=(\d+-\d*|-\d+)")
"""RFC 9110 lets a server ignore others. Several at once would be sent under a type that nobody has judged."""

_TYPE: Final = b"content-type"

Headers = list[tuple[bytes, bytes]]


def without_credentials(scope: Scope) -> Scope:
    """The request as a mounted app may see it: who is asking is in the scope's state."""
    headers = [pair for pair in scope["headers"] if pair[0] not in CREDENTIALS]
    return {**scope, "headers": headers}


class FilteredHeaders:
    """Around Gradio's own application of one mount."""

    def __init__(
        self, gradio: Any, *, path: str, addresses: GradioAddresses, policies: FilePolicies
    ) -> None:
        """`path`: of the mount."""
        self._gradio: ASGIApp = gradio
        self.routes: Sequence[BaseRoute] = gradio.routes
        self._prefix = len(path)
        self._addresses = addresses
        self._policies = policies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._gradio(scope, receive, send)
            return
        path = scope["path"][self._prefix :]
        is_a_file = is_file(path)
        if is_a_file:
            scope = {**scope, "headers": [pair for pair in scope["headers"] if _is_of_a_file(pair)]}
        has_code = self._addresses.has_code(path)

        async def leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message["headers"] if pair[0].lower() in LEAVING]
                if not has_code:
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
