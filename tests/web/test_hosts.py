"""Under which names the service answers, and what it believes of who is asking."""

import httpx
import pytest

from application.settings import load
from entrypoints.web.proxies import Proxies
from tests.web.conftest import Door, MakeDoor

PUBLIC = "https://app.example.org"


async def test_in_dev_every_loopback_name_and_port_is_ours(
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


async def test_an_unknown_host_is_refused_without_being_repeated(
    door: Door, subtests: pytest.Subtests
) -> None:
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
            assert "evil" not in answer.text


async def test_two_host_headers_are_refused(door: Door) -> None:
    async with door.client() as client:
        answer = await client.get("/login", headers=[("host", "localhost"), ("host", "localhost")])

    assert answer.status_code == 400


async def test_in_prod_exactly_the_public_name_is_ours(
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
async def test_probes_are_answered_under_every_name(prod: Door, path: str) -> None:
    async with prod.client() as client:
        assert (await client.get(path, headers={"host": "10.1.2.3:8080"})).status_code == 200


async def test_a_page_of_ours_that_posts_to_a_probe_is_told_what_it_takes(door: Door) -> None:
    here = "localhost:8080"
    headers = {"host": here, "origin": f"http://{here}", "cookie": f"{door.cookie}=x"}
    async with door.client() as client:
        assert (await client.post("/healthz", headers=headers)).status_code == 405


@pytest.mark.asvs("V4.1.3")
async def test_what_stands_behind_sees_the_public_address_whatever_headers_say(prod: Door) -> None:
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


async def test_without_trusted_proxies_the_peer_is_the_client(door: Door) -> None:
    async with await door.signed_in(peer="192.0.2.7") as client:
        seen = (await client.get("/gradio/", headers={"x-forwarded-for": "6.6.6.6"})).json()

    assert seen["client"] == ["192.0.2.7", 50000]


async def test_the_path_is_judged_as_it_is_not_as_a_url_made_of_headers(door: Door) -> None:
    async with door.client() as client:
        answer = await client.get("/gradio/", headers={"host": "localhost/login"})

    assert answer.status_code == 400


async def test_a_network_name_works_in_dev_when_it_is_the_public_one(make_door: MakeDoor) -> None:
    there = "http://laptop.lan:8080"
    door = make_door(environment="dev", allow_http=True, public_url=there)

    async with door.client(base=there) as client, door.client(base="http://other.lan") as other:
        answers = [await client.get("/login"), await other.get("/login")]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert isinstance(answers[0], httpx.Response)
