"""The hosts that the service accepts, and the forwarded headers that it trusts."""

import pytest

from application.settings import load
from domain.services.auth import PER_ADDRESS
from entrypoints.web.proxies import IGNORED, MOST_NAMED, Proxies
from tests.web.conftest import BROWSER, PASSWORD, Door, Lines, MakeDoor
from tests.web.pages import sign_in

PUBLIC = "https://app.example.org"


async def test_every_loopback_host_and_port_is_accepted_in_dev(
    door: Door, subtests: pytest.Subtests
) -> None:
    for host in [
        "127.0.0.1",
        "localhost:8080",
        "127.0.0.1:9999",
        "[::1]:8080",
        "[::1]",
        "demo.localhost:1",
        "LOCALHOST",
        "127.5.4.3",
    ]:
        with subtests.test(host=host):
            async with door.client() as client:
                assert (await client.get("/login", headers={"host": host})).status_code == 200


async def test_an_unknown_host_is_refused(door: Door, subtests: pytest.Subtests) -> None:
    for host in [
        "evil.example",
        "testserver",
        "localhost.evil.example",
        "localhost:80:80",
        "localhost:x",
        "[::1",
        "::1",
        "",
        "x/login",
        "localhost@evil.example",
        "localhost/",
        "10.0.0.1",
        "localhost:123456",
        "localhost:99999",
        "localhost:" + "9" * 5000,
        "[::1]8080",
        "[::1].localhost",
        "user@localhost",
        "user@demo.localhost",
        "x/login.localhost",
        "a b.localhost",
        "<b>.localhost",
        "[::2]",
    ]:
        with subtests.test(host=host):
            async with door.client() as client:
                answer = await client.get("/login", headers={"host": host})

            assert answer.status_code == 400
            assert answer.json()["title"] == "Unknown host"
            assert "this service is at localhost." in answer.json()["detail"]


async def test_the_refusal_names_the_host_that_came_and_the_one_that_was_expected(
    make_door: MakeDoor, lines: Lines
) -> None:
    door = make_door(environment="test", public_url="https://app.example.org:8443")

    async def detail(host: str, accept: str = "application/json") -> str:
        async with door.client(base="https://app.example.org:8443") as client:
            answer = await client.get("/login", headers={"host": host, "accept": accept})
        assert answer.status_code == 400
        return answer.text

    without_port = await detail("app.example.org")
    other = await detail("10.0.0.7:8080")

    assert (
        "names the host app.example.org, but this service is at app.example.org:8443."
        in without_port
    )
    assert "proxy_set_header Host $http_host;" in without_port
    assert "names the host 10.0.0.7:8080, but" in other
    assert "GRADIOAPP_PUBLIC_URL" in other
    assert "proxy_set_header" not in other
    assert "&lt;script&gt;" in await detail("<script>.example", accept="text/html")
    assert "(unreadable)" in await detail("")
    assert len(await detail("a" * 5_000)) < 1_000
    logged = next(line for line in lines if line.get("host") == "10.0.0.7:8080")
    assert logged["expected"] == "app.example.org:8443"


async def test_two_host_headers_are_refused(door: Door) -> None:
    async with door.client() as client:
        answer = await client.get("/login", headers=[("host", "localhost"), ("host", "localhost")])

    assert answer.status_code == 400


async def test_only_the_public_host_is_accepted_in_prod(
    prod: Door, subtests: pytest.Subtests
) -> None:
    for host, status in [
        ("app.example.org", 200),
        ("APP.example.org:443", 200),
        ("app.example.org:80", 400),
        ("localhost", 400),
        ("127.0.0.1", 400),
        ("example.org", 400),
        ("app.example.org.", 400),
    ]:
        with subtests.test(host=host, status=status):
            async with prod.client(base=PUBLIC) as client:
                assert (await client.get("/login", headers={"host": host})).status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_are_answered_under_every_host(prod: Door, path: str) -> None:
    async with prod.client() as client:
        assert (await client.get(path, headers={"host": "10.1.2.3:8080"})).status_code == 200


async def test_a_post_to_a_probe_is_refused_with_405(door: Door) -> None:
    here = "localhost:8080"
    headers = {"host": here, "origin": f"http://{here}", "cookie": f"{door.cookie}=x"}
    async with door.client() as client:
        assert (await client.post("/healthz", headers=headers)).status_code == 405


@pytest.mark.asvs("V4.1.3")
async def test_the_app_behind_the_gate_sees_the_public_address_whatever_headers_say(
    prod: Door,
) -> None:
    spoofed = {
        "host": "app.example.org:443",
        "x-forwarded-for": "203.0.113.5",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
        "x-forwarded-prefix": "/evil",
        "forwarded": "host=evil.example",
        "x-real-ip": "6.6.6.6",
        "x-gradio-server": "http://evil.example",
        "x-original-url": "/evil",
        "x-rewrite-url": "/evil",
    }
    async with await prod.signed_in(base="http://10.0.0.2", peer="10.0.0.1") as client:
        seen = (await client.get("/gradio/", headers=spoofed)).json()

    assert seen["hosts"] == ["app.example.org"]
    assert (seen["scheme"], seen["client"][0]) == ("https", "203.0.113.5")
    assert not [name for name in seen["headers"] if name.startswith(("x-forwarded", "x-real"))]
    assert "evil" not in str(seen)


@pytest.mark.asvs("V4.1.3")
async def test_only_a_trusted_proxy_is_believed(subtests: pytest.Subtests) -> None:
    settings = load(env_file=None, environment="test", trusted_proxies="10.0.0.0/8")

    for peer, said, address in [
        ("192.0.2.9", "6.6.6.6", "192.0.2.9"),
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("10.0.0.1", "6.6.6.6, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("", "6.6.6.6", ""),
    ]:
        with subtests.test(peer=peer, said=said, address=address):
            assert Proxies(settings).client(peer, said) == address


def ignored(lines: Lines) -> list[str]:
    """Return the peers that the log names."""
    return [line["peer"] for line in lines if line["event"].startswith(IGNORED)]


@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8"])
async def test_a_proxy_that_is_not_listed_is_named_once_in_the_log(
    make_door: MakeDoor, lines: Lines, trusted: str
) -> None:
    door = make_door(trusted_proxies=trusted)
    for peer, forwarded_for in [
        ("192.0.2.7", "6.6.6.6"),
        ("192.0.2.7", "7.7.7.7"),
        ("192.0.2.8", ""),
        ("192.0.2.9", "nonsense"),
    ]:
        async with door.client(peer=peer) as client:
            await client.get("/healthz", headers={"x-forwarded-for": forwarded_for})

    assert ignored(lines) == ["192.0.2.7", "192.0.2.9"]
    assert all("GRADIOAPP_TRUSTED_PROXIES" in line["event"] for line in lines if "peer" in line)


async def test_a_listed_proxy_is_not_named_in_the_log(make_door: MakeDoor, lines: Lines) -> None:
    door = make_door(trusted_proxies="10.0.0.0/8")
    async with door.client(peer="10.0.0.1") as client:
        await client.get("/healthz", headers={"x-forwarded-for": "6.6.6.6, 7.7.7.7"})

    assert ignored(lines) == []


async def test_strangers_cannot_fill_the_log_with_peers(door: Door, lines: Lines) -> None:
    for number in range(3 * MOST_NAMED):
        async with door.client(peer=f"192.0.2.{number}") as client:
            await client.get("/healthz", headers={"x-forwarded-for": "6.6.6.6"})

    assert len(ignored(lines)) == MOST_NAMED


@pytest.mark.asvs("V6.3.1")
async def test_behind_a_proxy_that_is_not_listed_a_known_device_signs_in(door: Door) -> None:
    await door.has()
    async with (
        door.client(peer="10.0.0.1", x_forwarded_for="203.0.113.5", **BROWSER) as ada,
        door.client(peer="10.0.0.1", x_forwarded_for="6.6.6.6", **BROWSER) as stranger,
    ):
        await sign_in(ada, "ada@example.org", PASSWORD)
        ada.cookies.delete("gradioapp-session")
        statuses = [
            (await sign_in(stranger, f"user{number}@example.org", "wrong password")).status_code
            for number in range(PER_ADDRESS[0] + 1)
        ]
        passed = await sign_in(ada, "ada@example.org", PASSWORD)

    assert statuses == [401] * PER_ADDRESS[0] + [429]
    assert passed.status_code == 303


async def test_the_peer_is_the_client_without_trusted_proxies(door: Door) -> None:
    async with await door.signed_in(peer="192.0.2.7") as client:
        seen = (await client.get("/gradio/", headers={"x-forwarded-for": "6.6.6.6"})).json()

    assert seen["client"] == ["192.0.2.7", 50000]


async def test_a_host_that_contains_a_path_is_refused(door: Door) -> None:
    async with door.client() as client:
        answer = await client.get("/gradio/", headers={"host": "localhost/login"})

    assert answer.status_code == 400


async def test_a_network_host_is_accepted_in_dev_if_it_is_the_public_one(
    make_door: MakeDoor,
) -> None:
    there = "http://laptop.lan:8080"
    door = make_door(environment="dev", allow_http=True, public_url=there)

    async with door.client(base=there) as client, door.client(base="http://other.lan") as other:
        answers = [await client.get("/login"), await other.get("/login")]

    assert [answer.status_code for answer in answers] == [200, 400]
