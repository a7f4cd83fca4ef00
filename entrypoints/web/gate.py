"""The gate: the outermost ASGI application, which checks every request before any other code, Gradio's included."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final
from uuid import UUID

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from application.settings import Settings
from domain.errors import DomainError
from domain.model.caller import SignedIn
from entrypoints.access import (
    FOUND,
    NOTES,
    PROOF,
    RECOGNISE,
    REQUEST_ID,
    SIGNED_IN,
    TRACE,
    Access,
    AccessRule,
    needs_home,
    origin_of,
)
from entrypoints.base_path import BasePath
from entrypoints.replicas import Elsewhere, Replicas, hop_of
from entrypoints.tracing import OFF, Tracing
from entrypoints.web.addresses import METRICS, UNDER_EVERY_HOST, is_plain, must_be_readable, way_of
from entrypoints.web.callers import Callers, Recognises, must_have_a_role, values_of
from entrypoints.web.cookies import Cookies
from entrypoints.web.counting import Counting
from entrypoints.web.errors import plain_problem, problem_of
from entrypoints.web.frames import SignedOutFrames
from entrypoints.web.headers import ResponseHeaders
from entrypoints.web.hosts import Hosts, Origin, shown
from entrypoints.web.limits import ArrivingBodies, Body, has_body
from entrypoints.web.logs import RequestLog
from entrypoints.web.origins import (
    FRAMES,
    SAFE,
    is_embedded,
    must_be_from_here,
    must_be_no_form,
)
from entrypoints.web.pages import Pages
from entrypoints.web.problems import EMBEDDED, FAULT, NOT_FOUND, PROBLEM_JSON, Problem, Refused
from entrypoints.web.proxies import Proxies
from entrypoints.web.proxy_identity import ProxyIdentity
from entrypoints.web.received_headers import is_for_a_person, read_headers
from entrypoints.web.response import OutgoingResponse
from entrypoints.web.scrapers import Scrapers
from entrypoints.web.signed_out import SignedOut

MB: Final = 1024 * 1024
log = structlog.get_logger()


class Gate:
    """Checks host, origin, size, session and roles of each request, and logs it."""

    def __init__(
        self,
        inner: ASGIApp,
        *,
        recognise: Recognises,
        recognise_token: Recognises,
        settings: Settings,
        access: AccessRule,
        pages: Pages,
        new_id: Callable[[], UUID],
        counting: Counting,
        framers: Sequence[str] = (),
        identity: ProxyIdentity | None = None,
        replicas: Replicas | None = None,
        tracing: Tracing = OFF,
    ) -> None:
        """`recognise` takes the cookie's signed token, `recognise_token` an access token. `new_id` makes ids of
        requests. `framers` are the sources of all sites whose frames may show a page of this service. `identity` reads who
        is signed in at a proxy in front. `replicas` is None for a service that is alone."""
        self._inner = inner
        self._replicas = replicas
        self._tracing = tracing
        self._access = access
        self._new_id = new_id
        self._ui_prefix = f"{settings.ui_path}/"
        """The prefix of Gradio's addresses. All others are ours."""
        self._base = BasePath(settings.base_path)
        self._hosts = Hosts(settings)
        self._proxies = Proxies(settings)
        self._scrapers = Scrapers(settings)
        self._counting = counting
        self._cookie = Cookies.of(settings).session
        self._response_headers = ResponseHeaders(settings)
        self._pages = pages
        self._signed_out = SignedOut(
            cookie=self._cookie, base=self._base, frames=SignedOutFrames(pages, framers)
        )
        self._callers = Callers(
            recognise=recognise,
            recognise_token=recognise_token,
            cookie=self._cookie,
            signed_out=self._signed_out,
            identity=identity,
        )
        self._stall = settings.stall_seconds
        self._arriving = ArrivingBodies(largest=settings.body_limit_mb * MB)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._guard(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        else:  # No address accepts WebSockets.
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _guard(self, received: Scope, receive: Receive, send: Send) -> None:
        scope, hop = self._base.inside(received), hop_of(received)
        request_id = hop.request_id if hop else self._id_of(scope)
        line = RequestLog(method=scope["method"], path=scope["path"], request_id=request_id)
        line.span = self._tracing.request(
            hop.traceparent if hop else self._proxies.traceparent(received)
        )
        response = OutgoingResponse(send, self._response_headers, request_id, self._base)
        headers: dict[bytes, str] = {}
        body: Body | None = None
        try:
            inner_scope, body = await self._let_in(scope, receive, headers, line, response)
            with bound_contextvars(
                **origin_of(inner_scope, via=way_of(scope["path"], self._ui_prefix))
            ):
                passed_on = body.receive if body else receive
                elsewhere = await self._elsewhere(inner_scope, line)
                if elsewhere is None:
                    with self._kept_here(inner_scope, line):
                        await self._inner(inner_scope, passed_on, response.send)
                else:
                    line.is_forwarded = True
                    line.notes["forwarded_to"] = elsewhere.name
                    await elsewhere.respond(
                        request_id,
                        received,
                        passed_on,
                        response.pass_on,
                        has_body=body is not None,
                        traceparent=line.span.traceparent if line.span else "",
                    )
            await response.finish()
        except Refused as refused:
            await self._refuse(refused.problem, headers, response, line)
        except ClientDisconnect:
            pass  # No client is left to receive a response.
        except HTTPException as error:
            await self._refuse(plain_problem(error), headers, response, line)
        except DomainError as error:
            await self._refuse(problem_of(error), headers, response, line)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            # An app's code may raise the last two. asyncio would end the service for everybody.
            log.exception("request failed", request_id=request_id, fault=type(error).__name__)
            await self._refuse(FAULT, headers, response, line)
        finally:
            if body is not None:
                body.release()
            line.write(response.status)
            self._counting.count(line, response.status)

    async def _let_in(
        self,
        scope: Scope,
        receive: Receive,
        headers: dict[bytes, str],
        line: RequestLog,
        response: OutgoingResponse,
    ) -> tuple[Scope, Body | None]:
        """Check the request. Return its scope for the application behind the gate, and its body if it has one. Fill
        `headers` with the headers that the gate reads, and tell `response` who may frame an error page. Raises
        Refused."""
        method, path = scope["method"], scope["path"]
        callers = self._callers
        passed_on = read_headers(scope["headers"], headers, identity=callers.identity_header)
        peer, port = scope.get("client") or ("", 0)
        token = callers.take_identity(headers, peer)
        line.address = self._proxies.client(peer, headers.get(b"x-forwarded-for", ""))
        here = self._origin(path, headers.get(b"host"), scope.get("scheme", "http"), line)
        must_be_readable(method, path)
        cookies = headers.get(b"cookie", "")
        if method not in SAFE:
            self._must_be_from_here(here, headers, cookies)
        rule = line.rule = self._access(method, path)
        if path == METRICS and (why := self._scrapers.refusal(scope, headers)):
            line.notes["metrics"] = why
            raise Refused(NOT_FOUND)
        is_ours = not path.startswith(self._ui_prefix)
        if is_ours and not is_plain(path, scope.get("raw_path") or b""):
            raise Refused(NOT_FOUND)
        is_embedded = self._is_embedded(method, rule, headers, cookies)
        may_have_body = has_body(method, headers, rule)
        line.is_quiet = rule.is_quiet or (rule.who == "anyone" and not rule.asks_store)
        proof = await callers.proof(token, rule, headers, line)
        recognise = callers.check_of(rule, headers, cookies, proof)
        is_refused = is_embedded or rule.who == "nobody"
        is_activity = rule.is_activity and not is_refused and b"x-gradioapp-passive" not in headers
        signed_in = line.signed_in = await callers.caller(
            recognise, rule, scope, headers, is_activity=is_activity
        )
        if signed_in is None and (page := self._signed_out.instead_of_sign_in(scope, headers)):
            raise Refused(page)
        if signed_in is not None:  # Strangers cannot find out which pages may be framed.
            response.framers = rule.framers
        # Only after the check of the session, so that strangers cannot find out which pages exist.
        if rule.who == "nobody":
            raise Refused(NOT_FOUND)
        if is_embedded:
            raise Refused(EMBEDDED)
        if signed_in is not None:
            must_have_a_role(signed_in, rule, line)
            if method not in SAFE and not rule.takes_forms:
                self._must_be_no_form(headers, cookies)
        state = {
            **scope.get("state", {}),
            SIGNED_IN: signed_in,
            RECOGNISE: recognise,
            REQUEST_ID: line.request_id,
            NOTES: line.notes,
            FOUND: rule.found,
            PROOF: proof if rule.who == "anyone" else None,
            **({} if line.span is None else {TRACE: line.span}),
        }
        changed = {
            "headers": [(b"host", here.host.encode("latin-1")), *passed_on],
            "scheme": here.scheme,
            "client": (line.address, port),
            "state": state,
            "session": values_of(signed_in),
            # FastAPI and Gradio behind the gate make no spans of their own: they would record queries, with their secrets,
            # and believe every client's traceparent, as soon as an app has set a provider for its own spans.
            "fastapi.telemetry": None,
        }
        check = callers.check_of_body(
            # Uploads may take longer than the idle timeout.
            recognise, rule, scope, headers, line, is_activity=is_activity and rule.goes_to_disk
        )  # fmt: skip
        body = self._body(receive, rule, signed_in, check) if may_have_body else None
        return {**scope, **changed}, body

    def _id_of(self, scope: Scope) -> str:
        return self._proxies.request_id(scope) or self._new_id().hex

    async def _elsewhere(self, scope: Scope, line: RequestLog) -> Elsewhere | None:
        """Return the replica that must respond, and checks the whole request again; None if it is this one. Raises
        Refused, ReplicaGone, StoreUnavailable."""
        rule, signed_in = line.rule, line.signed_in
        if rule is None or signed_in is None or not needs_home(rule, scope["query_string"]):
            if hop_of(scope) is not None:  # Nothing else is ever forwarded.
                raise Refused(NOT_FOUND)
            return None
        if self._replicas is None:
            return None
        return await self._replicas.elsewhere(signed_in.user.id, scope)

    def _kept_here(self, scope: Scope, line: RequestLog) -> AbstractContextManager[None]:
        """Keep this replica the home of the account until the block ends, if the request may begin an event."""
        rule, signed_in = line.rule, line.signed_in
        if self._replicas is None or rule is None or signed_in is None:
            return nullcontext()
        if scope["method"] in SAFE or not rule.runs_at_home:
            return nullcontext()
        return self._replicas.homes.used(signed_in.user.id)

    def _body(
        self,
        receive: Receive,
        rule: Access,
        signed_in: SignedIn | None,
        check: Callable[[], Awaitable[None]],
    ) -> Body:
        """Wrap the body in its limits. A body in memory counts against the account's limit. Anonymous bodies are too
        small to count. `check` is called while the body arrives."""
        return Body(
            receive,
            limit=rule.body_limit,
            limit_setting=rule.body_limit_setting,
            stall=self._stall,
            account=signed_in.user.id if signed_in else None,
            arriving=None if rule.goes_to_disk else self._arriving,
            # Sign-in and sign-out need no session, so they do not need it until their end either.
            check=check if signed_in and rule.who != "anyone" else None,
        )

    def _origin(self, path: str, host: str | None, scheme: str, line: RequestLog) -> Origin:
        if path in UNDER_EVERY_HOST:
            return self._hosts.any(host, scheme)
        try:
            return self._hosts.origin(host, scheme)
        except Refused:
            line.notes.update(host=shown(host or ""), expected=self._hosts.expected)
            raise

    def _must_be_from_here(self, here: Origin, headers: dict[bytes, str], cookies: str) -> None:
        must_be_from_here(
            here,
            fetch_site=headers.get(b"sec-fetch-site"),
            fetch_mode=headers.get(b"sec-fetch-mode"),
            origin=headers.get(b"origin"),
            referer=headers.get(b"referer"),
            has_cookie=self._cookie.is_in(cookies),
            has_requested_with=b"x-requested-with" in headers,
        )

    def _must_be_no_form(self, headers: dict[bytes, str], cookies: str) -> None:
        """Forms cannot send an access token, and programs that do may leave the type out."""
        if b"authorization" not in headers or self._cookie.is_in(cookies):
            must_be_no_form(
                fetch_mode=headers.get(b"sec-fetch-mode"),
                content_type=headers.get(b"content-type", ""),
            )

    def _is_embedded(
        self, method: str, rule: Access, headers: dict[bytes, str], cookies: str
    ) -> bool:
        """Return whether a page of another site embeds the response. Always False for open addresses that open no
        sessions, and for an access token without our cookie: other sites cannot send a token."""
        if method not in SAFE or (rule.who == "anyone" and not rule.opens_sessions):
            return False
        if b"authorization" in headers and not self._cookie.is_in(cookies):
            return False
        return is_embedded(
            fetch_site=headers.get(b"sec-fetch-site"),
            fetch_mode=headers.get(b"sec-fetch-mode"),
            fetch_dest=headers.get(b"sec-fetch-dest"),
            may_be_framed=rule.may_be_framed,
        )

    async def _refuse(
        self,
        problem: Problem,
        headers: dict[bytes, str],
        response: OutgoingResponse,
        line: RequestLog,
    ) -> None:
        """Send an error page or a problem document. If the response has already begun, leave it unfinished: the server
        then closes the connection, and the client notices."""
        if response.status is not None:
            return
        own = dict(problem.headers)
        if problem.status < 400:
            await response.replace(problem.status, own, b"")
        elif is_for_a_person(headers):
            own["content-type"] = "text/html; charset=utf-8"
            page = problem.page or self._pages.of_problem(
                problem, line.request_id, is_in_frame=headers.get(b"sec-fetch-dest") in FRAMES
            )
            await response.replace(problem.status, own, page.encode())
        else:
            own["content-type"] = PROBLEM_JSON
            await response.replace(problem.status, own, problem.document(line.request_id))
