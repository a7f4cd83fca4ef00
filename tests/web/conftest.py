"""The gate and our own addresses on memory adapters, with a stand-in where Gradio would be."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, Final
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
from domain.services.sessions import Opened
from domain.services.tokens import Made
from entrypoints import web
from entrypoints.access import RECOGNISE, REQUEST_ID, SIGNED_IN, Access
from tests.compositions import composition

PASSWORD: Final = "correct horse"
HERE: Final = "http://localhost"
BROWSER: Final = {"accept": "text/html,*/*;q=0.8", "sec-fetch-mode": "navigate"}
KEY: Final = "a-key-of-our-own-for-prod-0123456789abcdef"

Lines = list[MutableMapping[str, Any]]


async def seen(request: Request) -> Response:
    """What the gate lets through, as an application behind it sees it."""
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

    @property
    def app(self) -> UseCases:
        app: UseCases = self.container.use_cases()
        return app

    def client(
        self, *, peer: str = "127.0.0.1", base: str = HERE, **headers: str
    ) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.gate, client=(peer, 50000))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(
            transport=transport, base_url=base, headers={"origin": base} | named
        )

    async def has(self, email: str = "ada@example.org", *roles: str) -> User:
        return await self.app.create_user(
            Caller.operator(), email=email, name="Ada", password=PASSWORD, roles=roles
        )

    async def makes_token(self, email: str = "ada@example.org", **wanted: Any) -> Made:
        opened = await self.opened(email)
        me = await self.app.recognise(opened.token, activity=False)
        return await self.app.create_token(me.caller, **{"name": "Nightly", **wanted})

    def program(self, made: Made, **client: Any) -> httpx.AsyncClient:
        """Without cookies and without an origin, as programs are."""
        client_ = self.client(**client)
        del client_.headers["origin"]
        client_.headers["authorization"] = f"Bearer {made.value}"
        return client_

    async def opened(self, email: str = "ada@example.org") -> Opened:
        device = Device(address="192.0.2.1", agent="Laptop")
        return await self.app.log_in(email, PASSWORD, device)

    @property
    def cookie(self) -> str:
        return "__Host-gradioapp-session" if self.settings.is_https else "gradioapp-session"

    async def signed_in(
        self, email: str = "ada@example.org", *roles: str, **client: Any
    ) -> httpx.AsyncClient:
        """A browser of somebody who has just signed in."""
        if not any(u.email == email for u in await self.app.list_users(Caller.operator())):
            await self.has(email, *roles)
        browser = self.client(**client)
        browser.cookies.set(self.cookie, (await self.opened(email)).token)
        return browser

    async def asked(
        self,
        path: str,
        *headers: tuple[bytes, bytes],
        method: str = "GET",
        query: bytes = b"",
        body: bytes = b"",
    ) -> list[Message]:
        """What is sent in answer to a request that no client would make. The path is as it is written, not decoded."""
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
    """FastAPI reads every signature anew for each application: once is enough, since ours keep nothing."""
    if not _made:
        api.mount("/gradio", STAND_IN)
        _made.append(api.router)
    return _made[0]


@pytest.fixture
def make_door() -> Iterator[MakeDoor]:
    lent = ExitStack()

    def make(
        changing: Callable[[UseCases], UseCases] = lambda app: app,
        *,
        jobs: Mapping[str, str] = MappingProxyType({}),
        **settings: Any,
    ) -> Door:
        loaded = _settings(**{"environment": "test", **settings})
        clock = StoppedClock()
        container = lent.enter_context(composition(loaded.replaced(environment="test"), clock))
        app = changing(container.use_cases())
        api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        web.install(api, app=app, settings=loaded, jobs=lambda: jobs)
        api.router = _routes(api)
        new_id = container.ids().new_id
        gate = web.Gate(
            api,
            recognise=app.recognise,
            recognise_token=app.recognise_token,
            settings=loaded,
            access=access,
            new_id=new_id,
        )
        return Door(container, clock, loaded, gate)

    with lent:
        yield make


@pytest.fixture
def door(make_door: MakeDoor) -> Door:
    return make_door()


@pytest.fixture
def prod(make_door: MakeDoor) -> Door:
    """As in prod behind a proxy at 10.0.0.1, though in memory."""
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
    """What is logged, whatever other tests configured."""
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured
