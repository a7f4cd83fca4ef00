"""Accounts, sessions and access tokens of the suite, made by the use cases themselves, at any time of the clock."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import randrange
from typing import Any, Final, TypeVar
from uuid import uuid4

import httpx

from adapters.security.signed_tokens import JwtCodec
from adapters.system.clock import SystemClock
from application.container import build
from application.running import running
from application.settings import load
from application.use_cases import UseCases
from domain.model.caller import Caller
from domain.model.session import Device
from domain.model.signed_token import Purpose
from domain.ports.system import Clock
from tests.servers import form_token_of

PASSWORD: Final = "correct horse battery"
OTHER_KEY: Final = "a key that the service has never had, 1234"
IN_A_ROW: Final = 10
"""Wrong passwords that one account at one address may have in a row."""
Headers = Mapping[str, str]
Result = TypeVar("Result")


class WrongClock(Clock):
    """The system's clock, some time ahead or, with a negative number, behind."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


@dataclass(frozen=True)
class Registry:
    """Makes accounts, sessions and tokens in a database, without the service."""

    database: str
    folder: Path
    key: str

    def accounts(self, number: int) -> list[str]:
        """Make accounts, and return their e-mails."""
        emails = [f"{uuid4().hex}@example.org" for _ in range(number)]
        self._does(SystemClock(), partial(_add, emails))
        return emails

    def sessions(self, emails: Sequence[str], *, ago: timedelta = timedelta(0)) -> list[Headers]:
        """Sign in, at a time that has passed, and return the headers of the sessions."""
        return self._does(WrongClock(-ago), partial(_sign_in, emails))

    def access_token(self, email: str, *, ago: timedelta = timedelta(0)) -> Headers:
        """Make a token that is valid for one day, at a time that has passed."""
        return self._does(WrongClock(-ago), partial(_make_token, email))

    def forged_session(self, genuine: Headers) -> Headers:
        """Return a session whose claims are genuine, but signed with a key of the forger's own."""
        claims = JwtCodec([self.key], SystemClock()).decode(Purpose.SESSION, _token_in(genuine))
        return cookie(JwtCodec([OTHER_KEY], SystemClock()).encode(Purpose.SESSION, claims))

    def _does(self, clock: Clock, what: "partial[Coroutine[Any, Any, Result]]") -> Result:
        own = {"database_url": self.database, "data_dir": self.folder, "secret_key": self.key}
        container = build(load(env_file=None, **own), clock=clock)

        async def run() -> Result:
            async with running(container, serves=False):
                return await what(container.use_cases())

        return asyncio.run(run())


async def _add(emails: Sequence[str], use_cases: UseCases) -> None:
    for email in emails:
        await use_cases.create_user(Caller.operator(), email=email, password=PASSWORD)


async def _sign_in(emails: Sequence[str], use_cases: UseCases) -> list[Headers]:
    opened = [await use_cases.log_in(email, PASSWORD, _somewhere()) for email in emails]
    return [cookie(one.signed_token) for one in opened]


async def _make_token(email: str, use_cases: UseCases) -> Headers:
    opened = await use_cases.log_in(email, PASSWORD, _somewhere())
    signed_in = await use_cases.recognise(opened.signed_token, activity=True)
    made = await use_cases.create_token(signed_in.caller, name="chaos", days=1)
    return {"authorization": f"Bearer {made.value}"}


def _somewhere() -> Device:
    """Return a device at an address of its own. Attempts at one address are counted by their times, and some are made at
    times that have passed."""
    return Device.seen(f"fd00:{randrange(16**4):x}:{randrange(16**4):x}::1", "chaos")


def cookie(signed_token: str) -> Headers:
    return {"cookie": f"gradioapp-session={signed_token}"}


def tampered(genuine: Headers) -> Headers:
    """Return the session with another last part, which is the signature."""
    head, _, signature = _token_in(genuine).rpartition(".")
    return cookie(f"{head}.{signature[::-1]}")


def signs_out(origin: str, session: Headers) -> bool:
    """Return whether the service has confirmed that the session has ended."""
    [listed] = [
        one
        for one in httpx.get(f"{origin}/api/v1/me/sessions", headers=session, timeout=8).json()[
            "items"
        ]
        if one["is_current"]
    ]
    headers = {**session, "origin": origin}
    answer = httpx.delete(f"{origin}/api/v1/me/sessions/{listed['id']}", headers=headers, timeout=8)
    return answer.status_code == 204


def must_count_together(origins: Sequence[str]) -> None:
    """Try wrong passwords at these replicas in turns, from an address that has tried none."""
    email = f"{uuid4().hex}@example.org"
    address = {"x-forwarded-for": f"fd00:{randrange(16**4):x}:{randrange(16**4):x}::1"}
    tries = [origin for _ in range(IN_A_ROW // len(origins) + 1) for origin in origins]

    statuses = [_wrong_password(origin, email, address) for origin in tries]

    assert statuses == [401] * IN_A_ROW + [429] * (len(tries) - IN_A_ROW)


def _wrong_password(origin: str, email: str, address: Headers) -> int:
    with httpx.Client(base_url=origin, headers={"origin": origin, **address}, timeout=20) as http:
        form = {"username": email, "password": "wrong", "csrf_token": form_token_of(http)}
        return http.post("/login", data=form).status_code


def _token_in(session: Headers) -> str:
    return session["cookie"].partition("=")[2]
