"""A service behind a proxy that signs people in, and the proxy's tokens, true and false."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from adapters.system.clock import StoppedClock
from domain.model.caller import Caller
from tests.identity_proxy import HEADER, settings_of
from tests.lying_provider import LyingProvider, lying_provider
from tests.web.conftest import BROWSER, Door, MakeDoor

ADA: Final = "ada@example.org"
BOB: Final = "bob@example.org"
TRUSTED: Final = "10.0.0.1"
STRANGER: Final = "192.0.2.7"
SESSION: Final = "gradioapp-session"
OPERATOR: Final = Caller.operator()


@dataclass
class House:
    door: Door
    liar: LyingProvider

    def token(self, who: str = ADA, **claims: Any) -> str:
        usual = {"sub": who.partition("@")[0], "email": who, "email_verified": True}
        return self.liar.token(**{**usual, "name": "Ada at Corp", **claims})

    @asynccontextmanager
    async def browser(
        self, token: str | None = None, *, peer: str = TRUSTED, **more: str
    ) -> AsyncIterator[httpx.AsyncClient]:
        async with self.door.client(peer=peer, **BROWSER, **more) as browser:
            browser.follow_redirects = True
            if token is not None:
                browser.headers[HEADER] = token
            yield browser

    async def sessions(self) -> int:
        return len(await self.door.use_cases.list_all_sessions(OPERATOR))


MakeHouse = Callable[..., House]


@pytest.fixture
def liar() -> Iterator[LyingProvider]:
    with lying_provider(StoppedClock()) as liar:
        yield liar


@pytest.fixture
def make_house(make_door: MakeDoor, liar: LyingProvider) -> MakeHouse:
    def make(**settings: Any) -> House:
        usual = settings_of(liar, trusted_proxies="10.0.0.0/8")
        door = make_door(**{**usual, **settings})
        liar.clock = door.clock
        return House(door, liar)

    return make


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    return make_house()
