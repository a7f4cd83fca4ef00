"""Who may read the metrics, and what the gate counts."""

import random
from dataclasses import replace
from typing import Final, Literal

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from adapters.memory.news import NoNews
from application.settings import SettingsInvalid, load
from domain.errors import SignInRefused, SignInThrottled
from domain.model.session import Device
from tests.web.conftest import BROWSER, KEY, PASSWORD, Door, Lines, MakeDoor

TOKEN: Final = "scrape-7Qx2Lm9Rt4Vb"
BEARER: Final = {"authorization": f"Bearer {TOKEN}"}
LAPTOP: Final = Device(address="192.0.2.1", agent="Laptop")
NOT_FOUND: Final = "urn:gradioapp:problem:not-found"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def read(door: Door, **client: str) -> Samples:
    async with door.client(**client) as prometheus:
        response = await prometheus.get("/metrics")
    assert response.status_code == 200, response.text
    return samples_of(response.text)


def counted(samples: Samples, **labels: str) -> float:
    """Return how many requests with these labels were counted."""
    wanted = labels.items()
    return sum(
        value
        for (name, found), value in samples.items()
        if name == "gradioapp_requests_total" and wanted <= found
    )


def is_missing(response: httpx.Response) -> bool:
    return response.status_code == 404 and response.json()["type"] == NOT_FOUND


# Who may read


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"])
async def test_without_a_token_a_program_on_this_machine_reads_the_metrics(
    door: Door, peer: str
) -> None:
    async with door.client(peer=peer) as prometheus:
        response = await prometheus.get("/metrics")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert "# TYPE gradioapp_requests_total counter" in response.text


async def test_the_metrics_come_in_openmetrics_for_who_asks_for_it(door: Door) -> None:
    async with door.client(accept="application/openmetrics-text; version=1.0.0") as prometheus:
        response = await prometheus.get("/metrics")

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "", "/run/socket"])
async def test_without_a_token_the_metrics_do_not_exist_for_another_machine(
    door: Door, peer: str
) -> None:
    async with door.client(peer=peer) as stranger:
        assert is_missing(await stranger.get("/metrics"))


@pytest.mark.parametrize(
    "header",
    [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-anything",
        "x_forwarded_for",
        "X-Real-IP",
        "forwarded",
        "via",
    ],
)
async def test_without_a_token_a_request_with_a_forwarding_header_is_not_of_this_machine(
    door: Door, header: str
) -> None:
    async with door.client() as visitor:
        assert is_missing(await visitor.get("/metrics", headers={header: "127.0.0.1"}))


async def test_without_a_token_a_request_of_a_proxy_without_headers_is_not_of_this_machine(
    door: Door,
) -> None:
    start, *_ = await door.asked("/metrics")
    assert start["status"] == 404  # No peer at all.

    async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
        await door.gate({**scope, "http_version": "1.0"}, receive, send)

    transport = httpx.ASGITransport(passed_on)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        assert is_missing(await visitor.get("/metrics"))


async def test_without_a_token_the_metrics_do_not_exist_under_the_name_of_another_site(
    door: Door,
) -> None:
    async with door.client(base="http://evil.example") as browser:
        assert is_missing(await browser.get("/metrics"))


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.7"])
async def test_with_a_token_it_opens_the_metrics_from_everywhere_and_under_every_host(
    make_door: MakeDoor, peer: str
) -> None:
    door = make_door(metrics_token=TOKEN)

    async with door.client(peer=peer, base="http://10.0.0.5:8080", **BEARER) as prometheus:
        response = await prometheus.get("/metrics", headers={"x-forwarded-for": "192.0.2.1"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.swapcase()}",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        "Bearer ümlaut-ümlaut-ümlaut",
        f"Basic {TOKEN}",
    ],
)
async def test_with_a_token_nothing_else_opens_the_metrics_not_even_on_this_machine(
    make_door: MakeDoor, authorization: str
) -> None:
    door = make_door(metrics_token=TOKEN)

    async with door.client() as stranger:
        headers = {"authorization": authorization.encode("latin-1")} if authorization else {}
        assert is_missing(await stranger.get("/metrics", headers=headers))  # type: ignore[arg-type]


async def test_no_session_and_no_access_token_opens_the_metrics(make_door: MakeDoor) -> None:
    for door in (make_door(metrics_token=TOKEN), make_door()):
        await door.has("root@example.org", "admin")
        made = await door.makes_token("root@example.org")

        async with (
            await door.signed_in("root@example.org", peer="192.0.2.7") as admin,
            door.program(made, peer="192.0.2.7") as program,
        ):
            assert is_missing(await admin.get("/metrics"))
            assert is_missing(await program.get("/metrics"))


async def test_the_metrics_token_opens_nothing_else(make_door: MakeDoor) -> None:
    door = make_door(metrics_token=TOKEN)

    async with door.client(**BEARER) as prometheus:
        responses = [await prometheus.get(path) for path in ("/api/v1/me", "/gradio/")]

    assert [response.status_code for response in responses] == [401, 401]


async def test_the_metrics_do_not_exist_for_any_method_of_a_stranger(make_door: MakeDoor) -> None:
    door = make_door(metrics_token=TOKEN)

    async with door.client() as stranger:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert (await stranger.request(method, "/metrics")).status_code == 404, method


async def test_who_may_read_the_metrics_can_only_read(door: Door) -> None:
    async with door.client() as prometheus:
        assert (await prometheus.head("/metrics")).status_code == 200
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await prometheus.request(method, "/metrics")).status_code == 405, method


async def test_a_person_who_may_not_read_the_metrics_gets_the_page_of_a_missing_address(
    make_door: MakeDoor,
) -> None:
    door = make_door(metrics_token=TOKEN)

    async with await door.signed_in(**BROWSER) as browser:
        metrics, missing = [await browser.get(path) for path in ("/metrics", "/nothing")]

    assert metrics.status_code == missing.status_code == 404
    assert metrics.headers["content-type"] == missing.headers["content-type"]
    assert "There is nothing at this address." in metrics.text


async def test_in_prod_behind_a_proxy_the_metrics_need_a_token(
    prod: Door, make_door: MakeDoor
) -> None:
    async with prod.client(base="http://127.0.0.1:8080") as local:
        assert is_missing(await local.get("/metrics"))

    door = make_door(
        environment="prod",
        secret_key=KEY,
        public_url="https://app.example.org",
        trusted_proxies="10.0.0.0/8",
        metrics_token=TOKEN,
    )
    async with door.client(base="http://127.0.0.1:8080", **BEARER) as prometheus:
        assert (await prometheus.get("/metrics")).status_code == 200


async def test_in_prod_without_a_proxy_a_program_on_this_machine_reads_the_metrics(
    make_door: MakeDoor,
) -> None:
    door = make_door(environment="prod", secret_key=KEY, public_url="https://app.example.org")

    assert await read(door, base="http://127.0.0.1:8080")
    async with door.client(base="https://app.example.org") as visitor:
        assert is_missing(await visitor.get("/metrics"))


async def test_the_log_says_why_the_metrics_are_refused_and_not_which_token_was_sent(
    make_door: MakeDoor, lines: Lines
) -> None:
    door = make_door(metrics_token=TOKEN)

    async with door.client(authorization="Bearer another-token-of-mine") as stranger:
        await stranger.get("/metrics")

    [line] = [line for line in lines if line.get("path") == "/metrics"]
    assert line["metrics"] == "needs GRADIOAPP_METRICS_TOKEN as bearer token"
    assert "another-token" not in str(lines)
    assert TOKEN not in str(lines)


@pytest.mark.parametrize(
    "token", ["short", "x" * 15, "with spaces in the token", "ümlaut-ümlaut-ü"]
)
def test_a_metrics_token_that_is_too_short_or_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(SettingsInvalid, match="METRICS_TOKEN must have at least 16 characters"):
        load(env_file=None, environment="test", metrics_token=token)


def test_prod_refuses_a_metrics_token_that_is_easy_to_guess() -> None:
    with pytest.raises(SettingsInvalid, match="METRICS_TOKEN is easy to guess"):
        load(
            env_file=None,
            environment="prod",
            secret_key=KEY,
            public_url="https://app.example.org",
            metrics_token="1234567890123456",
        )


def test_the_metrics_token_is_not_shown_with_the_settings() -> None:
    settings = load(env_file=None, environment="test", metrics_token=TOKEN)

    assert isinstance(settings.metrics_token, SecretStr)
    assert TOKEN not in repr(settings)


# What is counted


async def test_a_request_is_counted_by_route_method_and_status(door: Door) -> None:
    async with await door.signed_in() as browser:
        await browser.get("/api/v1/me")
        await browser.delete("/api/v1/me/sessions/00000000-0000-0000-0000-000000000001")
        await browser.get("/static/style.css")
        await browser.get("/gradio")
    async with door.client() as stranger:
        await stranger.get("/api/v1/me")

    found = await read(door)

    assert counted(found, route="/api/v1/me", method="GET", status="200", app="") == 1
    assert counted(found, route="/api/v1/me", method="GET", status="401") == 1
    assert counted(found, route="/api/v1/me/sessions/{session_id}", method="DELETE") == 1
    assert counted(found, route="/static/{name}", status="200") == 1
    assert counted(found, route="/gradio") == 1
    seconds = ("gradioapp_request_seconds_count", frozenset({("route", "/api/v1/me"), ("app", "")}))
    assert found[seconds] == 2


async def test_a_request_that_the_gate_refuses_at_once_is_counted_by_its_route(door: Door) -> None:
    async with door.client(base="http://evil.example") as stranger:
        await stranger.get("/api/v1/me")
        await stranger.get("/nothing/of/ours")
    async with door.client() as browser:
        await browser.post("/login", headers={"origin": "https://evil.example"})

    found = await read(door)

    assert counted(found, route="/api/v1/me", status="400") == 1
    assert counted(found, route="unknown", status="400") == 1
    assert counted(found, route="/login", method="POST", status="403") == 1


async def test_a_fault_is_counted_as_500(door: Door) -> None:
    async with await door.signed_in() as browser:
        await browser.get("/gradio/boom")

    assert counted(await read(door), status="500") == 1


async def test_10000_random_addresses_add_one_value_of_each_label(door: Door) -> None:
    chance = random.Random(17)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-_/"

    async with door.client() as stranger:
        await stranger.get("/nothing")
        await stranger.request("BREW", "/nothing")
        before = len(await read(door))
        for number in range(10_000):
            name = "".join(chance.choices(letters, k=12))
            where = ("/", "/gradio/", "/gradio/gradio_api/", "/api/v1/")[number % 4]
            await door.asked(f"{where}{name}", method=chance.choice(["GET", f"M{number}"]))

    found = await read(door)

    names = {value for (_, labels) in found for key, value in labels if key == "route"}
    assert names <= {"/metrics", "/api/v1/me", "unknown"}
    assert counted(found, route="unknown") == 10_002
    assert len(found) - before < 30


# Sign-ins


async def test_sign_ins_are_counted_by_outcome(door: Door) -> None:
    await door.has()
    await door.use_cases.log_in("ada@example.org", PASSWORD, LAPTOP)
    for _ in range(2):
        with pytest.raises(SignInRefused):
            await door.use_cases.log_in("ada@example.org", "wrong", LAPTOP)

    found = await read(door)

    assert _sign_ins(found) == {("password", "done"): 1, ("password", "SignInRefused"): 2}
    assert found["gradioapp_throttled_total", frozenset()] == 0


async def test_an_attempt_that_a_rate_limit_refuses_is_counted_as_throttled(door: Door) -> None:
    await door.has()
    throttled = 0
    for _ in range(30):
        try:
            await door.use_cases.log_in("ada@example.org", "wrong", LAPTOP)
        except SignInThrottled:
            throttled += 1
        except SignInRefused:
            pass

    found = await read(door)

    assert throttled
    assert found["gradioapp_throttled_total", frozenset()] == throttled
    assert _sign_ins(found)["password", "SignInThrottled"] == throttled


async def test_the_state_of_the_process_is_shown(make_door: MakeDoor) -> None:
    door = make_door(jobs={"purge": "ok", "renew": "degraded"})

    found = await read(door)

    assert found["gradioapp_job_ok", frozenset({("name", "purge")})] == 1
    assert found["gradioapp_job_ok", frozenset({("name", "renew")})] == 0
    assert found["gradioapp_password_hashes_waiting", frozenset()] == 0


@pytest.mark.parametrize(("state", "value"), [("off", None), ("ok", 1), ("degraded", 0)])
async def test_the_state_of_redis_is_shown_if_the_service_has_it(
    make_door: MakeDoor, state: Literal["off", "ok", "degraded"], value: float | None
) -> None:
    class News(NoNews):
        def state(self) -> Literal["off", "ok", "degraded"]:
            return state

    door = make_door(lambda use: replace(use, read_load=replace(use.read_load, news=News())))

    assert (await read(door)).get(("gradioapp_redis_ok", frozenset())) == value


async def test_two_services_in_one_process_count_apart(make_door: MakeDoor) -> None:
    one, other = make_door(), make_door()
    async with one.client() as browser:
        await browser.get("/healthz")

    assert counted(await read(one), route="/healthz") == 1
    assert counted(await read(other), route="/healthz") == 0


def _sign_ins(samples: Samples) -> dict[tuple[str, str], float]:
    return {
        (dict(labels)["how"], dict(labels)["outcome"]): value
        for (name, labels), value in samples.items()
        if name == "gradioapp_sign_ins_total"
    }
