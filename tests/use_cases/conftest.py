"""The whole application with memory adapters, a stopped clock and cheap hashes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from pydantic import SecretStr

from adapters.system.clock import StoppedClock
from application.container import Composition
from application.settings import ProviderSettings, load
from application.use_cases import UseCases
from domain.model.caller import Caller, SignedIn
from domain.model.session import Device
from domain.model.user import User
from domain.services.sessions import Opened
from tests.compositions import composition

PASSWORD = "correct horse"
CORP = ProviderSettings(
    name="corp",
    issuer="https://id.example.org",
    client_id="us",
    client_secret=SecretStr("hush"),
    domains="example.org",
    roles="groups:data=analyst,groups:it=admin",
)
SETTINGS = load(env_file=None, environment="test", oidc=(CORP,))
LAPTOP = Device(address="192.0.2.1", agent="Laptop")


@dataclass(frozen=True, slots=True)
class House:
    container: Composition
    clock: StoppedClock

    @property
    def use_cases(self) -> UseCases:
        use_cases: UseCases = self.container.use_cases()
        return use_cases

    async def has(self, email: str = "ada@example.org", *, roles: set[str] | None = None) -> User:
        return await self.use_cases.create_user(
            Caller.operator(), email=email, name="Ada", password=PASSWORD, roles=roles or set()
        )

    async def opens(self, email: str = "ada@example.org", *, password: str = PASSWORD) -> Opened:
        return await self.use_cases.log_in(email, password, LAPTOP)

    async def sign_in(self, email: str = "ada@example.org") -> SignedIn:
        return await self.use_cases.recognise(
            (await self.opens(email)).signed_token, activity=False
        )

    def passes(self, **time: float) -> None:
        self.clock.forward(timedelta(**time))


@pytest.fixture
def house() -> Iterator[House]:
    clock = StoppedClock()
    with composition(SETTINGS, clock) as container:
        yield House(container, clock)
