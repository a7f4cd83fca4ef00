"""The whole application on memory adapters, a stopped clock and cheap hashes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from adapters.system.clock import StoppedClock
from application.container import Composition
from application.settings import load
from application.use_cases import UseCases
from domain.model.caller import Caller, SignedIn
from domain.model.session import Device
from domain.model.user import User
from domain.services.sessions import Opened
from tests.compositions import composition

PASSWORD = "correct horse"
SETTINGS = load(env_file=None, environment="test")
LAPTOP = Device(address="192.0.2.1", agent="Laptop")


@dataclass(frozen=True, slots=True)
class House:
    container: Composition
    clock: StoppedClock

    @property
    def app(self) -> UseCases:
        app: UseCases = self.container.use_cases()
        return app

    async def has(self, email: str = "ada@example.org", *, roles: set[str] | None = None) -> User:
        return await self.app.create_user(
            Caller.operator(), email=email, name="Ada", password=PASSWORD, roles=roles or set()
        )

    async def opens(self, email: str = "ada@example.org", *, password: str = PASSWORD) -> Opened:
        return await self.app.log_in(email, password, LAPTOP)

    async def sign_in(self, email: str = "ada@example.org") -> SignedIn:
        return await self.app.recognise((await self.opens(email)).token, activity=False)

    def passes(self, **time: float) -> None:
        self.clock.forward(timedelta(**time))


@pytest.fixture
def house() -> Iterator[House]:
    clock = StoppedClock()
    with composition(SETTINGS, clock) as container:
        yield House(container, clock)
