"""The gate: pure ASGI, outermost, in front of every address, Gradio's included. What it does not let in gets nowhere."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from application.settings import Settings
from domain.errors import AccessTokenEnded, DomainError, SessionEnded
from domain.model.caller import SignedIn
from entrypoints.access import (
    NOTES,
    RECOGNISE,
    REQUEST_ID,
    SIGNED_IN,
    Access,
    AccessRule,
    RecogniseAgain,
)
from entrypoints.web.addresses import PROBES, is_plain
from entrypoints.web.answer import Answer
from entrypoints.web.bearer import bearer_in
from entrypoints.web.cookies import Cookies
from entrypoints.web.errors import plain_problem, problem_of
from entrypoints.web.headers import Dressing, Headers
from entrypoints.web.hosts import Hosts, Origin
from entrypoints.web.limits import ArrivingBodies, Body, must_fit
from entrypoints.web.logs import RequestLine
from entrypoints.web.next_page import sign_in_address
from entrypoints.web.origins import SAFE, is_embedded, must_be_from_here
from entrypoints.web.pages import Pages
from entrypoints.web.problems import PROBLEM_JSON, Problem, Refused, refusal, wants_page
from entrypoints.web.proxies import SCRUBBED, Proxies
from entrypoints.web.static_files import StaticFiles

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MB: Final = 1024 * 1024
LARGEST_HEADERS: Final = 64 * 1024
"""Bytes, names and values together."""

_KEPT_HERE: Final = frozenset({b"authorization", b"host", b"x-forwarded-for"})
"""Nobody behind the gate gets these as they were sent."""
_READ: Final = frozenset(
    {
        b"accept",
        b"authorization",
        b"content-length",
        b"cookie",
        b"host",
        b"origin",
        b"referer",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"transfer-encoding",
        b"x-forwarded-for",
        b"x-gradioapp-passive",
        b"x-requested-with",
    }
)

log = structlog.get_logger()


class Recognises(Protocol):
    async def __call__(self, token: str, /, *, activity: bool) -> SignedIn:
        """Raises SessionEnded, of a program's token AccessTokenEnded, and StoreUnavailable."""


class Gate:
    def __init__(
        self,
        inner: ASGIApp,
        *,
        recognise: Recognises,
        recognise_token: Recognises,
        settings: Settings,
        access: AccessRule,
        new_id: Callable[[], UUID],
    ) -> None:
        """`recognise` takes what a cookie carries, `recognise_token` what a program sends; `new_id` makes the ids of
        requests."""
        self._inner = inner
        self._recognise = recognise
        self._recognise_token = recognise_token
        self._access = access
        self._new_id = new_id
        self._below = f"{settings.ui_path}/"
        """Where addresses begin that are not ours but Gradio's."""
        self._hosts = Hosts(settings)
        self._proxies = Proxies(settings)
        self._cookie = Cookies.of(settings).session
        self._dressing = Dressing(settings)
        self._pages = Pages.load(settings, StaticFiles.load())
        self._stall = settings.stall_seconds
        self._arriving = ArrivingBodies(largest=settings.body_limit_mb * MB)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._guard(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        else:  # There is no address for WebSockets.
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._new_id().hex
        line = RequestLine(method=scope["method"], path=scope["path"], request_id=request_id)
        answer = Answer(send, self._dressing, request_id)
        headers: dict[bytes, str] = {}
        body: Body | None = None
        try:
            inner_scope, body = await self._let_in(scope, receive, headers, line)
            await self._inner(inner_scope, body.receive if body else receive, answer.send)
            await answer.finish()
        except Refused as refused:
            await self._refuse(refused.problem, headers, answer, line)
        except ClientDisconnect:
            pass  # Nobody is left to be answered.
        except HTTPException as error:
            await self._refuse(plain_problem(error), headers, answer, line)
        except DomainError as error:
            await self._refuse(problem_of(error), headers, answer, line)
        except Exception as error:
            log.exception("request failed", request_id=request_id, fault=type(error).__name__)
            await self._refuse(_FAULT, headers, answer, line)
        finally:
            if body is not None:
                body.release()
            line.write(answer.status)

    async def _let_in(
        self, scope: Scope, receive: Receive, headers: dict[bytes, str], line: RequestLine
    ) -> tuple[Scope, Body | None]:
        """The request as those behind the gate see it, and its body if it has one. Raises Refused."""
        method, path = scope["method"], scope["path"]
        passed_on = _sorted_out(scope["headers"], headers)
        peer, port = scope.get("client") or ("", 0)
        line.address = self._proxies.client(peer, headers.get(b"x-forwarded-for", ""))
        here = self._came_to(path, headers.get(b"host"), scope.get("scheme", "http"))
        _must_be_readable(method, path)
        cookies = headers.get(b"cookie", "")
        if method not in SAFE:
            self._must_be_from_here(here, headers, cookies)
        rule = self._access(method, path)
        is_ours = not path.startswith(self._below)
        if is_ours and not is_plain(path, scope.get("raw_path") or b""):
            raise refusal(404, "not-found", "Not found", "There is nothing at this address.")
        is_embedded = self._is_embedded(method, rule, headers, cookies)
        has_body = _has_body(method, headers, rule.body_limit)
        line.is_quiet = rule.is_quiet or (rule.who == "anyone" and not rule.asks_store)
        recognise = self._recognises(rule, headers, cookies)
        is_refused = is_embedded or rule.who == "nobody"
        is_activity = rule.is_activity and not is_refused and b"x-gradioapp-passive" not in headers
        signed_in = line.signed_in = await self._who(
            recognise, rule, scope, headers, is_activity=is_activity
        )
        if rule.who == "nobody":  # Only now, so that strangers cannot tell which pages there are.
            raise refusal(404, "not-found", "Not found", "There is nothing at this address.")
        if is_embedded:
            raise Refused(_EMBEDDED)
        if signed_in is not None:
            _must_have_a_role(signed_in, rule, line)
        state = {
            **scope.get("state", {}),
            SIGNED_IN: signed_in,
            RECOGNISE: recognise,
            REQUEST_ID: line.request_id,
            NOTES: line.notes,
        }
        changed = {
            "headers": [(b"host", here.host.encode("latin-1")), *passed_on],
            "scheme": here.scheme,
            "client": (line.address, port),
            "state": state,
            "session": _values(signed_in),
        }
        body = self._body(receive, rule, signed_in) if has_body else None
        return {**scope, **changed}, body

    def _body(self, receive: Receive, rule: Access, signed_in: SignedIn | None) -> Body:
        """Counted where it is kept in memory; one of a stranger is never large."""
        return Body(
            receive,
            limit=rule.body_limit,
            stall=self._stall,
            account=signed_in.user.id if signed_in else None,
            arriving=None if rule.goes_to_disk else self._arriving,
        )

    def _recognises(self, rule: Access, headers: dict[bytes, str], cookies: str) -> RecogniseAgain:
        """A program's token goes before the cookie, which is then no way out. What is open to everybody it does not
        open: nobody signs in or out with one."""
        bearer = bearer_in(headers.get(b"authorization", ""))
        if bearer is not None:
            headers.pop(b"accept", None)  # A program asks, whatever it says it would like to see.
            return _nobody if rule.who == "anyone" else _again(self._recognise_token, bearer)
        token = self._cookie.value_in(cookies)
        return _again(self._recognise, token) if token else _nobody

    def _came_to(self, path: str, host: str | None, scheme: str) -> Origin:
        if path in PROBES:
            return self._hosts.any(host, scheme)
        return self._hosts.origin(host, scheme)

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

    def _is_embedded(
        self, method: str, rule: Access, headers: dict[bytes, str], cookies: str
    ) -> bool:
        """Open addresses apart, and requests that bring a token instead of our cookie, which no other page can send."""
        if method not in SAFE or rule.who == "anyone":
            return False
        if b"authorization" in headers and not self._cookie.is_in(cookies):
            return False
        return is_embedded(
            fetch_site=headers.get(b"sec-fetch-site"),
            fetch_mode=headers.get(b"sec-fetch-mode"),
            fetch_dest=headers.get(b"sec-fetch-dest"),
            may_be_framed=rule.may_be_framed,
        )

    async def _who(
        self,
        recognise: RecogniseAgain,
        rule: Access,
        scope: Scope,
        headers: dict[bytes, str],
        *,
        is_activity: bool,
    ) -> SignedIn | None:
        """Raises Refused; a store that does not answer makes nobody anonymous (ASVS 16.5.3)."""
        is_open = rule.who == "anyone"
        if is_open and not rule.asks_store:
            return None
        try:
            return await recognise(activity=is_activity)
        except AccessTokenEnded as error:
            raise Refused(problem_of(error)) from error
        except SessionEnded as error:
            if is_open:
                return None
            raise Refused(self._to_sign_in(error, rule, scope, headers)) from error
        except DomainError as error:
            raise Refused(problem_of(error)) from error

    def _to_sign_in(
        self, error: SessionEnded, rule: Access, scope: Scope, headers: dict[bytes, str]
    ) -> Problem:
        """For a person the sign-in page, and the cookie that opens nothing any more goes. A program is told where to
        sign in; its cookie stays, since its late answer may meet a newer one in the browser."""
        if scope["method"] in {"GET", "HEAD"} and _is_for_a_person(headers):
            there = sign_in_address(scope["path"], scope.get("query_string", b""))
            forget = {"set-cookie": self._cookie.drop()} if b"cookie" in headers else {}
            return Problem(
                status=303, kind="see-other", title="", headers={"location": there, **forget}
            )
        told = problem_of(error)
        return Problem(
            status=told.status,
            kind=told.kind,
            title=told.title,
            detail=told.detail,
            headers={"www-authenticate": "Bearer"} if rule.is_for_programs else {},
            members={"login": "/login", **rule.refusal},
        )

    async def _refuse(
        self, problem: Problem, headers: dict[bytes, str], answer: Answer, line: RequestLine
    ) -> None:
        """An answer that has begun is left unfinished: the server closes the connection, and the client notices."""
        if answer.status is not None:
            return
        said = dict(problem.headers)
        if problem.status < 400:
            await answer.replace(problem.status, said, b"")
        elif _is_for_a_person(headers):
            said["content-type"] = "text/html; charset=utf-8"
            page = self._pages.of_problem(problem, line.request_id)
            await answer.replace(problem.status, said, page.encode())
        else:
            said["content-type"] = PROBLEM_JSON
            await answer.replace(problem.status, said, problem.document(line.request_id))


_EMBEDDED: Final = Problem(
    status=403,
    kind="foreign-origin",
    title="Not from here",
    detail="A page of another address may link to this one, and not load it into itself. Open this address in a tab.",
)
_FAULT: Final = Problem(
    status=500,
    kind="fault",
    title="Something went wrong",
    detail="The service made a mistake, which has been logged. Report the request's number if it happens again.",
)


def _again(recognise: Recognises, token: str) -> RecogniseAgain:
    """A function, and not a `partial`, whose text would show the token wherever an app prints its request."""

    async def again(*, activity: bool) -> SignedIn:
        return await recognise(token, activity=activity)

    return again


async def _nobody(*, activity: bool) -> SignedIn:  # noqa: ARG001 -- The protocol's signature.
    raise SessionEnded("Sign in first.")


def _sorted_out(raw: Headers, headers: dict[bytes, str]) -> Headers:
    """Fills `headers` with what the gate reads, and answers what goes on. A header sent twice is joined, so that none
    of its rules holds any more; only cookies are meant to be."""
    passed_on: Headers = []
    size = 0
    for pair in raw:
        name, value = pair
        size += len(name) + len(value)
        if name in _READ:
            text = value.decode("latin-1")
            if name in headers:
                text = f"{headers[name]}{'; ' if name == b'cookie' else ', '}{text}"
            headers[name] = text
            if name not in _KEPT_HERE:
                passed_on.append(pair)
        elif name not in SCRUBBED and not name.startswith(b"x-forwarded-"):
            passed_on.append(pair)
    if size > LARGEST_HEADERS:
        headers.clear()
        raise refusal(
            431, "headers-too-large", "Headers too large", "Delete the cookies of this site."
        )
    return passed_on


def _must_be_readable(method: str, path: str) -> None:
    if method not in METHODS:
        allowed = ", ".join(METHODS)
        raise refusal(405, "method-not-allowed", "Method not allowed", allow=allowed)
    is_odd = not path.isprintable() and any(
        c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in path
    )
    if is_odd or not path.startswith("/"):
        raise refusal(400, "bad-request", "Bad request", "This is not an address.")


def _must_have_a_role(signed_in: SignedIn, rule: Access, line: RequestLine) -> None:
    """Raises Refused; the request's line says what was missing (ASVS 16.3.2)."""
    if not rule.roles or not rule.roles.isdisjoint(signed_in.user.roles):
        return
    line.notes["needs"] = sorted(rule.roles)
    names = " or ".join(sorted(rule.roles))
    raise refusal(
        403,
        "role-missing",
        "Not for everybody",
        f"This page needs the role {names}, which {signed_in.user.email} does not have. An admin of this service can give it.",
    )


def _has_body(method: str, headers: dict[bytes, str], limit: int) -> bool:
    """Whether one may come. Raises Refused where it is announced and too large."""
    if b"transfer-encoding" in headers:
        return True
    if b"content-length" in headers:
        must_fit(headers[b"content-length"], limit)
        return True
    return method not in SAFE


def _is_for_a_person(headers: dict[bytes, str]) -> bool:
    return wants_page(headers.get(b"accept", ""), headers.get(b"sec-fetch-mode", ""))


def _values(signed_in: SignedIn | None) -> dict[str, Any]:
    """A copy: what a callback does to it must not reach other requests of the session."""
    if signed_in is None or not signed_in.data:
        return {}
    return {key: deepcopy(entry.value) for key, entry in signed_in.data.items()}
