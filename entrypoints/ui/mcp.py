"""The Model Context Protocol at each page: one message a request, nothing kept between two of them.

The SDK's server is not used: it keeps what one caller may see for the next, writes a request that it cannot read into the
log, and importing it costs every start of Gradio. The tests speak with the SDK's client, and hold what is said here to
its models.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import gradio as gr
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.model.caller import SignedIn
from entrypoints.access import NOTES, SIGNED_IN
from entrypoints.ui import bodies
from entrypoints.ui.caps import LONGEST_URI
from entrypoints.ui.inside import Inside
from entrypoints.ui.isolation import Isolated
from entrypoints.ui.offers import ArgumentsInvalid, Kind, Offer, names_in, offers_of
from entrypoints.ui.roles import may_use
from entrypoints.ui.tools import CallRefused, ToolCall

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Of the protocol, the latest last."""

INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
REFUSED: Final = -32000
RESOURCE_NOT_FOUND: Final = -32002

Params = Mapping[str, Any]
Result = dict[str, Any]


class _Failed(Exception):
    """A call of the protocol, as opposed to a tool's."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


class McpServer:
    """Of one page, for callers that the gate has recognised."""

    def __init__(self, page: ASGIApp, isolated: Isolated, demo: gr.Blocks, *, title: str) -> None:
        self._page = page
        self._isolated = isolated
        self._title = title
        self._offers = offers_of(demo)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises HTTPException for what is no message, and DomainError, and faults as they come."""
        response = await self._answered(scope, receive)
        await response(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] != "POST":  # There are no streams, and no sessions to end.
            raise HTTPException(405, headers={"allow": "POST"})
        headers = dict(scope["headers"])
        if not headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            raise HTTPException(415, "A message of the protocol is JSON.")
        version = headers.get(b"mcp-protocol-version", VERSIONS[-1].encode()).decode("latin-1")
        if version not in VERSIONS:
            raise HTTPException(400, f"The protocol's versions here are {', '.join(VERSIONS)}.")
        message = (await bodies.received(receive)).body
        number, method, params = message.get("id"), message.get("method"), message.get("params", {})
        if message.get("jsonrpc") != "2.0" or not _is_known(method, number, params):
            error = {"code": INVALID_REQUEST, "message": "This is no request of JSON-RPC 2.0."}
            return _said({"id": None, "error": error}, status=400)
        if "id" not in message or method is None:  # Something that needs no answer, or is one.
            return Response(status_code=202)
        request = _Request(self._offers, self._title, self._isolated, self._inside(scope, receive))
        try:
            return _said({"id": number, "result": await request.answer(method, params)})
        except _Failed as failed:
            return _said({"id": number, "error": {"code": failed.code, "message": str(failed)}})

    def _inside(self, scope: Scope, receive: Receive) -> Inside:
        return Inside(page=self._page, path=self._isolated.path, scope=scope, receive=receive)


class _Request:
    """One message of somebody signed in: what is not for them is not there."""

    def __init__(
        self, offers: Iterable[Offer], title: str, isolated: Isolated, inside: Inside
    ) -> None:
        signed_in: SignedIn = inside.scope["state"][SIGNED_IN]
        self._offers = [offer for offer in offers if may_use(offer.fn, signed_in.user.roles)]
        self._title = title
        self._isolated = isolated
        self._inside = inside

    async def answer(self, method: str, params: Params) -> Result:
        """Raises _Failed, DomainError."""
        answers: dict[str, Callable[[Params], Awaitable[Result]]] = {
            "initialize": self._initialize,
            "ping": self._ping,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "resources/list": self._list_resources,
            "resources/templates/list": self._list_templates,
            "resources/read": self._read_resource,
            "prompts/list": self._list_prompts,
            "prompts/get": self._get_prompt,
        }
        if method not in answers:
            raise _Failed(METHOD_NOT_FOUND, "There is no such method here.")
        return await answers[method](params)

    async def _initialize(self, params: Params) -> Result:
        wanted = params.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
            "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
            "serverInfo": {"name": self._title, "version": "1"},
        }

    async def _ping(self, params: Params) -> Result:  # noqa: ARG002 -- The signature of its siblings.
        return {}

    # Tools

    async def _list_tools(self, params: Params) -> Result:  # noqa: ARG002 -- The signature of its siblings.
        return {"tools": [_tool(offer) for offer in self._of("tool")]}

    async def _call_tool(self, params: Params) -> Result:
        call = self._call(self._named("tool", params))
        try:
            content = await call.content(await call.outputs(_arguments(params)))
        except (CallRefused, ArgumentsInvalid) as refused:
            return {"content": [{"type": "text", "text": str(refused)}], "isError": True}
        structured = call.offer.said("structured_output", otherwise=False)
        return {
            "content": content,
            "isError": False,
            **({"structuredContent": {"result": content}} if structured else {}),
            **_meta(call.offer),
        }

    # Resources

    async def _list_resources(self, params: Params) -> Result:  # noqa: ARG002 -- The signature of its siblings.
        fixed = [o for o in self._of("resource") if not names_in(o.said("uri_template"))]
        return {"resources": [{"uri": o.said("uri_template"), **_resource(o)} for o in fixed]}

    async def _list_templates(self, params: Params) -> Result:  # noqa: ARG002 -- The signature of its siblings.
        open_ones = [o for o in self._of("resource") if names_in(o.said("uri_template"))]
        listed = [{"uriTemplate": o.said("uri_template"), **_resource(o)} for o in open_ones]
        return {"resourceTemplates": listed}

    async def _read_resource(self, params: Params) -> Result:
        uri = params.get("uri")
        if isinstance(uri, str):
            if len(uri) > LONGEST_URI:
                raise _Failed(
                    INVALID_PARAMS,
                    f"The address of a resource has at most {LONGEST_URI} characters.",
                )
            for offer in self._of("resource"):
                arguments = offer.found_in(uri)
                if arguments is not None:
                    value, kind = await self._first(offer, arguments), offer.said("mime_type")
                    key = "text" if kind.startswith("text/") else "blob"
                    return {"contents": [{"uri": uri, "mimeType": kind, key: str(value)}]}
        raise _Failed(RESOURCE_NOT_FOUND, "There is no such resource.")

    # Prompts

    async def _list_prompts(self, params: Params) -> Result:  # noqa: ARG002 -- The signature of its siblings.
        return {"prompts": [_prompt(offer) for offer in self._of("prompt")]}

    async def _get_prompt(self, params: Params) -> Result:
        value = await self._first(self._named("prompt", params), _arguments(params))
        content = {"type": "text", "text": str(value)}
        return {"messages": [{"role": "user", "content": content}]}

    # What they have in common

    def _of(self, kind: Kind) -> Iterable[Offer]:
        return (offer for offer in self._offers if offer.kind == kind)

    def _named(self, kind: Kind, params: Params) -> Offer:
        """Somebody else's is as unknown as one that never was."""
        for offer in self._of(kind):
            if offer.name == params.get("name"):
                return offer
        raise _Failed(INVALID_PARAMS, f"There is no such {kind}.")

    def _call(self, offer: Offer) -> ToolCall:
        self._inside.scope["state"][NOTES]["tool"] = offer.name
        return ToolCall(offer=offer, inside=self._inside, isolated=self._isolated)

    async def _first(self, offer: Offer, arguments: Params) -> Any:
        """The one value of what is no tool."""
        try:
            outputs = await self._call(offer).outputs(arguments)
        except ArgumentsInvalid as invalid:
            raise _Failed(INVALID_PARAMS, str(invalid)) from invalid
        except CallRefused as refused:
            raise _Failed(REFUSED, str(refused)) from refused
        return outputs[0] if outputs else ""


def _is_known(method: object, number: object, params: object) -> bool:
    has_number = number is None or isinstance(number, str) or bodies.is_number(number)
    return (method is None or isinstance(method, str)) and has_number and isinstance(params, dict)


def _said(members: Result, *, status: int = 200) -> Response:
    # ASCII, since what an app answers may hold what UTF-8 cannot carry.
    text = json.dumps({"jsonrpc": "2.0", **members}, separators=(",", ":"))
    return Response(text, status, media_type=JSONResponse.media_type)


def _arguments(params: Params) -> Params:
    arguments = params.get("arguments")
    if arguments is not None and not isinstance(arguments, dict):
        raise _Failed(INVALID_PARAMS, "The arguments are an object.")
    return arguments or {}


def _meta(offer: Offer) -> Result:
    meta = offer.said("meta")
    return {"_meta": meta} if meta else {}


def _tool(offer: Offer) -> Result:
    return {
        "name": offer.name,
        "description": offer.description,
        "inputSchema": offer.schema,
        **_meta(offer),
    }


def _resource(offer: Offer) -> Result:
    return {
        "name": offer.name,
        "description": offer.description,
        "mimeType": offer.said("mime_type"),
    }


def _prompt(offer: Offer) -> Result:
    required = offer.schema.get("required", ())
    arguments = [
        {
            "name": name,
            "description": told.get("description", ""),
            "required": name in required,
        }
        for name, told in offer.schema["properties"].items()
    ]
    return {"name": offer.name, "description": offer.description, "arguments": arguments}
