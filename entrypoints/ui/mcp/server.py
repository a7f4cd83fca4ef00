"""Serve the Model Context Protocol at each page: one message per request, without state between requests.

We do not use the SDK's server: it caches what one caller may see for the next one, logs requests that it cannot read,
and importing it would slow down every start. The tests use the SDK's client and check our responses against its
models.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import gradio as gr
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope

from domain.model.caller import SignedIn
from entrypoints.access import NOTES, RECOGNISE, SIGNED_IN
from entrypoints.base_path import BasePath
from entrypoints.ui.isolation.request import Isolation
from entrypoints.ui.limits import LONGEST_URI
from entrypoints.ui.mcp.loopback import Loopback
from entrypoints.ui.mcp.offers import ArgumentsInvalid, Kind, Offer, names_in, offers_of
from entrypoints.ui.mcp.tool_call import CallRefused, ToolCall
from entrypoints.ui.sdk.roles import may_use
from entrypoints.ui.wire import json_bodies
from entrypoints.ui.wire.exchange import Exchange

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Supported versions of the protocol, the latest last."""

INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
REFUSED: Final = -32000
RESOURCE_NOT_FOUND: Final = -32002

Params = Mapping[str, Any]
Result = dict[str, Any]


class _Failed(Exception):
    """A protocol error, as opposed to an error of a tool."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


class McpServer:
    """The MCP server of one page, for callers that the gate has recognised."""

    def __init__(
        self, page: ASGIApp, isolation: Isolation, demo: gr.Blocks, *, title: str, base: BasePath
    ) -> None:
        self._page = page
        self._base = base
        self._isolation = isolation
        self._title = title
        self._offers = offers_of(demo)

    async def respond(self, exchange: Exchange) -> None:
        """Respond to one message. Raises HTTPException if it is not a valid message, DomainError, and unexpected errors
        unchanged."""
        response = await self._response_to(exchange.scope, exchange.receive)
        await response(exchange.scope, exchange.receive, exchange.send)

    async def _response_to(self, scope: Scope, receive: Receive) -> Response:
        # GET would open a stream, and DELETE would end an MCP session. We have neither.
        if scope["method"] != "POST":
            raise HTTPException(405, headers={"allow": "POST"})
        headers = dict(scope["headers"])
        if not headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            raise HTTPException(415, "An MCP message must be JSON.")
        version = headers.get(b"mcp-protocol-version", VERSIONS[-1].encode()).decode("latin-1")
        if version not in VERSIONS:
            raise HTTPException(400, f"The supported MCP versions are {', '.join(VERSIONS)}.")
        account = self._isolation.accounts.account_of(scope["state"][SIGNED_IN])
        message = (await json_bodies.received(receive, account.large)).body
        number, method, params = message.get("id"), message.get("method"), message.get("params", {})
        if message.get("jsonrpc") != "2.0" or not _is_known(method, number, params):
            error = {"code": INVALID_REQUEST, "message": "This is not a JSON-RPC 2.0 request."}
            return _json_rpc({"id": None, "error": error}, status=400)
        if "id" not in message or method is None:  # A notification, or a response.
            return Response(status_code=202)
        # The roles may have changed while the body arrived.
        signed_in = await scope["state"][RECOGNISE](activity=False)
        scope = {**scope, "state": {**scope["state"], SIGNED_IN: signed_in}}
        request = _Request(
            self._offers, self._title, self._isolation, self._loopback(scope, receive)
        )
        try:
            return _json_rpc({"id": number, "result": await request.result_of(method, params)})
        except _Failed as failed:
            return _json_rpc({"id": number, "error": {"code": failed.code, "message": str(failed)}})

    def _loopback(self, scope: Scope, receive: Receive) -> Loopback:
        return Loopback(
            page=self._page,
            path=self._isolation.path,
            base=self._base,
            scope=scope,
            receive=receive,
        )


class _Request:
    """One message of a signed-in caller, who only sees offers that the caller's roles allow."""

    def __init__(
        self, offers: Iterable[Offer], title: str, isolation: Isolation, loopback: Loopback
    ) -> None:
        signed_in: SignedIn = loopback.scope["state"][SIGNED_IN]
        self._offers = [offer for offer in offers if may_use(offer.fn, signed_in.user.roles)]
        self._title = title
        self._isolation = isolation
        self._loopback = loopback

    async def result_of(self, method: str, params: Params) -> Result:
        """Run a method of the protocol. Raises _Failed, DomainError."""
        methods: dict[str, Callable[[Params], Awaitable[Result]]] = {
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
        if method not in methods:
            raise _Failed(METHOD_NOT_FOUND, "There is no such method here.")
        return await methods[method](params)

    async def _initialize(self, params: Params) -> Result:
        wanted = params.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
            "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
            "serverInfo": {"name": self._title, "version": "1"},
        }

    async def _ping(self, params: Params) -> Result:  # noqa: ARG002 -- All methods have one signature.
        return {}

    # Tools

    async def _list_tools(self, params: Params) -> Result:  # noqa: ARG002 -- All methods have one signature.
        return {"tools": [_tool(offer) for offer in self._of("tool")]}

    async def _call_tool(self, params: Params) -> Result:
        call = self._call(self._named("tool", params))
        try:
            content = await call.content(await call.outputs(_arguments(params)))
        except (CallRefused, ArgumentsInvalid) as refused:
            return {"content": [{"type": "text", "text": str(refused)}], "isError": True}
        structured = call.offer.option("structured_output", otherwise=False)
        return {
            "content": content,
            "isError": False,
            **({"structuredContent": {"result": content}} if structured else {}),
            **_meta(call.offer),
        }

    # Resources

    async def _list_resources(self, params: Params) -> Result:  # noqa: ARG002 -- All methods have one signature.
        fixed = [o for o in self._of("resource") if not names_in(o.option("uri_template"))]
        return {"resources": [{"uri": o.option("uri_template"), **_resource(o)} for o in fixed]}

    async def _list_templates(self, params: Params) -> Result:  # noqa: ARG002 -- All methods have one signature.
        open_ones = [o for o in self._of("resource") if names_in(o.option("uri_template"))]
        listed = [{"uriTemplate": o.option("uri_template"), **_resource(o)} for o in open_ones]
        return {"resourceTemplates": listed}

    async def _read_resource(self, params: Params) -> Result:
        uri = params.get("uri")
        if isinstance(uri, str):
            if len(uri) > LONGEST_URI:
                raise _Failed(
                    INVALID_PARAMS,
                    f"The URI of a resource has at most {LONGEST_URI} characters.",
                )
            for offer in self._of("resource"):
                arguments = offer.found_in(uri)
                if arguments is not None:
                    value, kind = await self._first(offer, arguments), offer.option("mime_type")
                    key = "text" if kind.startswith("text/") else "blob"
                    return {"contents": [{"uri": uri, "mimeType": kind, key: str(value)}]}
        raise _Failed(RESOURCE_NOT_FOUND, "There is no such resource.")

    # Prompts

    async def _list_prompts(self, params: Params) -> Result:  # noqa: ARG002 -- All methods have one signature.
        return {"prompts": [_prompt(offer) for offer in self._of("prompt")]}

    async def _get_prompt(self, params: Params) -> Result:
        value = await self._first(self._named("prompt", params), _arguments(params))
        content = {"type": "text", "text": str(value)}
        return {"messages": [{"role": "user", "content": content}]}

    # Helpers

    def _of(self, kind: Kind) -> Iterable[Offer]:
        return (offer for offer in self._offers if offer.kind == kind)

    def _named(self, kind: Kind, params: Params) -> Offer:
        """Return the offer of this name. Raises _Failed if the caller has none, even if other callers have."""
        for offer in self._of(kind):
            if offer.name == params.get("name"):
                return offer
        raise _Failed(INVALID_PARAMS, f"There is no such {kind}.")

    def _call(self, offer: Offer) -> ToolCall:
        self._loopback.scope["state"][NOTES]["tool"] = offer.name
        return ToolCall(offer=offer, loopback=self._loopback, isolation=self._isolation)

    async def _first(self, offer: Offer, arguments: Params) -> Any:
        """Return the first output of a resource or prompt."""
        try:
            outputs = await self._call(offer).outputs(arguments)
        except ArgumentsInvalid as invalid:
            raise _Failed(INVALID_PARAMS, str(invalid)) from invalid
        except CallRefused as refused:
            raise _Failed(REFUSED, str(refused)) from refused
        return outputs[0] if outputs else ""


def _is_known(method: object, number: object, params: object) -> bool:
    has_number = number is None or isinstance(number, str) or json_bodies.is_number(number)
    return (method is None or isinstance(method, str)) and has_number and isinstance(params, dict)


def _json_rpc(members: Result, *, status: int = 200) -> Response:
    # ASCII, because an app's outputs may contain lone surrogates, which UTF-8 cannot encode.
    text = json.dumps({"jsonrpc": "2.0", **members}, separators=(",", ":"))
    return Response(text, status, media_type=JSONResponse.media_type)


def _arguments(params: Params) -> Params:
    arguments = params.get("arguments")
    if arguments is not None and not isinstance(arguments, dict):
        raise _Failed(INVALID_PARAMS, "The arguments must be an object.")
    return arguments or {}


def _meta(offer: Offer) -> Result:
    meta = offer.option("meta")
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
        "mimeType": offer.option("mime_type"),
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
