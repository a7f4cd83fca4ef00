"""The gate and our own routes on memory adapters, with a stand-in for Gradio's app."""

from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from adapters.system.clock import StoppedClock
from application.container import Composition
from application.settings import Settings, load
from application.use_cases import UseCases
from domain.model.caller import Caller
from domain.model.session import Device
from domain.model.user import User
from domain.services.access_tokens import Made
from domain.services.sessions import Opened
from entrypoints import web
from entrypoints.access import RECOGNISE, REQUEST_ID, SIGNED_IN, Access
from entrypoints.metrics import Metrics, ProcessMetrics
from tests.compositions import composition
from tests.lying_provider import LyingProvider, lying_provider

if TYPE_CHECKING:
    from tests.web.houses import House

PASSWORD: Final = "correct horse"
HERE: Final = "http://localhost"
BROWSER: Final = {"accept": "text/html,*/*;q=0.8", "sec-fetch-mode": "navigate"}
KEY: Final = "a-key-of-our-own-for-prod-0123456789abcdef"

Lines = list[MutableMapping[str, Any]]


async def seen(request: Request) -> Response:
    """Return what an application behind the gate sees of the request."""
    state = request.scope["state"]
    return JSONResponse(
        {
            "headers": dict(request.headers),
            "hosts": request.headers.getlist("host"),
            "scheme": request.scope["scheme"],
            "client": list(request.scope["client"]),
            "email": state[SIGNED_IN].user.email if state[SIGNED_IN] else None,
            "session": dict(request.session),
            "request_id": state[REQUEST_ID],
            "again": str((await state[RECOGNISE](activity=False)).user.id),
        }
    )


async def boom(request: Request) -> Response:
    hidden = "hunter2"
    raise RuntimeError(f"no {len(hidden)}")


async def size(request: Request) -> Response:
    return JSONResponse({"size": len(await request.body())})


async def said_500(request: Request) -> Response:
    return JSONResponse({"detail": "as it stands"}, status_code=500)


async def talkative(request: Request) -> Response:
    headers = {
        "server": "uvicorn",
        "x-powered-by": "python",
        "access-control-allow-origin": "*",
        "content-security-policy": "default-src 'self'",
        "cache-control": "public, max-age=60",
    }
    return Response("hello", headers=headers)


async def script(request: Request) -> Response:
    return Response("0", media_type="text/javascript")


async def half(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("in the middle")


class Half:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await half(scope, receive, send)


STAND_IN: Final = Router(
    [
        Route("/", seen),
        Route("/framed", seen),
        Route("/boom", boom),
        Route("/size", size, methods=["POST"]),
        Route("/500", said_500),
        Route("/talkative", talkative),
        Route("/open", talkative),
        Route("/script.js", script),
        Route("/half", Half()),
    ]
)


def access(method: str, path: str) -> Access:
    if path == "/gradio/closed":
        return Access(who="nobody", body_limit=0)
    if path == "/gradio/open":
        return Access(who="anyone", asks_store=False, body_limit=0)
    if path == "/gradio/framed":
        return Access(who="signed in", body_limit=0, may_be_framed=True)
    if path.startswith("/gradio/"):
        return Access(
            who="signed in", body_limit=1024, refusal={"error": "Connection errored out. "}
        )
    return web.access(method, path)


@dataclass
class Door:
    container: Composition
    clock: StoppedClock
    settings: Settings
    gate: web.Gate
    form_tokens: web.FormTokens

    @property
    def use_cases(self) -> UseCases:
        use_cases: UseCases = self.container.use_cases()
        return use_cases

    def client(
        self, *, peer: str = "127.0.0.1", base: str = HERE, **headers: str
    ) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.gate, client=(peer, 50000))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(
            transport=transport, base_url=base, headers={"origin": base} | named
        )

    async def has(self, email: str = "ada@example.org", *roles: str) -> User:
        return await self.use_cases.create_user(
            Caller.operator(), email=email, name="Ada", password=PASSWORD, roles=roles
        )

    async def makes_token(self, email: str = "ada@example.org", **wanted: Any) -> Made:
        opened = await self.opened(email)
        me = await self.use_cases.recognise(opened.signed_token, activity=False)
        return await self.use_cases.create_token(me.caller, **{"name": "Nightly", **wanted})

    def program(self, made: Made, **client: Any) -> httpx.AsyncClient:
        """Return a client with an access token, and without cookies and origin."""
        client_ = self.client(**client)
        del client_.headers["origin"]
        client_.headers["authorization"] = f"Bearer {made.value}"
        return client_

    async def opened(self, email: str = "ada@example.org") -> Opened:
        device = Device(address="192.0.2.1", agent="Laptop")
        return await self.use_cases.log_in(email, PASSWORD, device)

    @property
    def cookie(self) -> str:
        return "__Host-gradioapp-session" if self.settings.is_https else "gradioapp-session"

    async def signed_in(
        self, email: str = "ada@example.org", *roles: str, **client: Any
    ) -> httpx.AsyncClient:
        """Return the browser of an account that has just signed in."""
        if not any(u.email == email for u in await self.use_cases.list_users(Caller.operator())):
            await self.has(email, *roles)
        browser = self.client(**client)
        browser.cookies.set(self.cookie, (await self.opened(email)).signed_token)
        return browser

    async def asked(
        self,
        path: str,
        *headers: tuple[bytes, bytes],
        method: str = "GET",
        query: bytes = b"",
        body: bytes = b"",
    ) -> list[Message]:
        """Return the messages sent for a request that no client would make. The path is written as
        it is, not decoded."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode("ascii", "ignore"),
            "query_string": query,
            "headers": [(b"host", b"localhost"), (b"origin", HERE.encode()), *headers],
        }
        await self.gate(scope, receive, send)
        return sent

    def passes(self, **time: float) -> None:
        self.clock.forward(timedelta(**time))


MakeDoor = Callable[..., Door]


@cache
def _settings(**values: Any) -> Settings:
    return load(env_file=None, **values)


_made: list[APIRouter] = []


def _routes(api: FastAPI) -> APIRouter:
    """Make the routes once and share them, because they hold no state and FastAPI reads every
    signature anew for each application."""
    if not _made:
        api.mount("/gradio", STAND_IN)
        _made.append(api.router)
    return _made[0]


async def nobody_takes_over(*_: Any, **__: Any) -> None:
    """There are no tabs."""


@pytest.fixture
def make_door() -> Iterator[MakeDoor]:
    lent = ExitStack()

    def make(
        changing: Callable[[UseCases], UseCases] = lambda use_cases: use_cases,
        *,
        jobs: Mapping[str, str] = MappingProxyType({}),
        scopes: Collection[str] = (),
        framers: Sequence[str] = (),
        **settings: Any,
    ) -> Door:
        loaded = _settings(**{"environment": "test", **settings})
        clock = StoppedClock()
        container = lent.enter_context(composition(loaded.replaced(environment="test"), clock))
        use_cases = changing(container.use_cases())
        api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        form_tokens = web.FormTokens(
            codec=container.codec(), now=clock.now, new_secret=container.ids().new_secret
        )
        pages = web.Pages.load(loaded)
        metrics = Metrics.empty()
        metrics.show(
            ProcessMetrics(
                read_load=use_cases.read_load, count_sessions=lambda: 0, job_states=lambda: jobs
            )
        )
        web.install(
            api,
            use_cases=use_cases,
            settings=loaded,
            form_tokens=form_tokens,
            pages=pages,
            jobs=lambda: jobs,
            start_for=lambda _: "/gradio/",
            page_at=lambda *_: None,
            hand_over=nobody_takes_over,
            scopes_of=lambda _: scopes,
            metrics=metrics,
            framers=framers,
        )
        api.router = _routes(api)
        new_id = container.ids().new_id
        gate = web.Gate(
            api,
            recognise=use_cases.recognise,
            recognise_token=use_cases.recognise_token,
            settings=loaded,
            access=access,
            pages=pages,
            new_id=new_id,
            counting=web.counting(loaded, metrics, access),
            framers=framers,
            identity=web.ProxyIdentity.of(loaded, use_cases),
        )
        return Door(container, clock, loaded, gate, form_tokens)

    with lent:
        yield make


@pytest.fixture
def door(make_door: MakeDoor) -> Door:
    return make_door()


@pytest.fixture
def prod(make_door: MakeDoor) -> Door:
    """A service like in prod behind a proxy at 10.0.0.1, but in memory."""
    return make_door(
        environment="prod",
        secret_key=KEY,
        public_url="https://app.example.org",
        trusted_proxies="10.0.0.0/8",
    )


@pytest.fixture
async def browser(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with door.client(**BROWSER) as client:
        yield client


@pytest.fixture(autouse=True)
def lines() -> Iterator[Lines]:
    """Capture the log, however other tests configured it."""
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def liar() -> Iterator[LyingProvider]:
    with lying_provider(StoppedClock()) as liar:
        yield liar


@pytest.fixture
def house(make_door: MakeDoor, liar: LyingProvider) -> "House":
    from tests.web.houses import House, provider  # It needs this module.

    door = make_door(oidc=(provider(liar, "corp", roles="groups:data=analyst"),))
    liar.clock = door.clock
    return House(door, liar)
