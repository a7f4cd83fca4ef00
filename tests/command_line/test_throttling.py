"""Two real services on one database count wrong passwords together, and let owners into their own browsers."""

import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpx
import pytest

from domain.services.auth import PER_ACCOUNT_AND_ADDRESS
from tests.command_line.conftest import Gradioapp
from tests.command_line.test_users import PASSWORD, make
from tests.processes import Process
from tests.servers import FreshDatabase

pytestmark = pytest.mark.server

SERVING: Final = r"Serving at (http://127\.0\.0\.1:\d+)"
ADA, BOB = "ada@example.org", "bob@example.org"


def browser() -> httpx.Client:
    return httpx.Client(timeout=60)


def form_token(client: httpx.Client, service: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(f"{service}/login").text)
    assert found is not None
    return found[1]


def signs_in(client: httpx.Client, service: str, email: str, password: str = PASSWORD) -> int:
    """Sign in as a browser does whose session has ended. Return the status."""
    if "gradioapp-session" in client.cookies:
        client.cookies.delete("gradioapp-session")
    form = {"csrf_token": form_token(client, service), "username": email, "password": password}
    answer = client.post(f"{service}/login", data=form, headers={"origin": service})
    return answer.status_code


def guesses(services: list[str], email: str, times: int) -> Counter[int]:
    """Send wrong passwords to all services at once. Return how often each status came."""
    with browser() as client:
        tokens = {service: form_token(client, service) for service in services}

        def guess(number: int) -> int:
            service = services[number % len(services)]
            form = {
                "csrf_token": tokens[service],
                "username": email,
                "password": f"wrong password {number}",
            }
            answer = client.post(f"{service}/login", data=form, headers={"origin": service})
            return answer.status_code

        with ThreadPoolExecutor(times) as pool:
            return Counter(pool.map(guess, range(times)))


@pytest.mark.asvs("V6.3.1", "V2.4.1")
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_of_a_hundred_wrong_passwords_at_two_services_exactly_the_burst_is_checked(
    request: pytest.FixtureRequest,
    start: Callable[..., Process],
    gradioapp: Gradioapp,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
) -> None:
    settings = {}
    if database == "postgres":
        fresh: FreshDatabase = request.getfixturevalue("fresh_postgres")
        settings = {"DATABASE_URL": fresh()}
        monkeypatch.setenv("GRADIOAPP_DATABASE_URL", settings["DATABASE_URL"])
    make(gradioapp, ADA, "admin")
    make(gradioapp, BOB)
    processes = [start("entrypoints", "--port", "0", **settings) for _ in range(2)]
    services = [process.hears(SERVING)[1] for process in processes]
    burst, refill = PER_ACCOUNT_AND_ADDRESS
    with browser() as adas, browser() as bobs, browser() as stranger:
        before = [signs_in(adas, services[0], ADA), signs_in(bobs, services[1], BOB)]
        for email in (ADA, BOB):
            begun = time.monotonic()
            answers = guesses(services, email, 100)
            unknown = [signs_in(stranger, service, email) for service in services]
            # On a slow machine, the time allows one more attempt, and then another one.
            more = int((time.monotonic() - begun) / refill.total_seconds())
            assert set(answers) == {401, 429}
            assert burst <= answers[401] <= burst + more
            assert unknown.count(429) >= 2 - more
        known = [signs_in(adas, services[1], ADA), signs_in(bobs, services[0], BOB)]

    assert before == known == [303, 303]
