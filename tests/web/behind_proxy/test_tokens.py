"""The proxy's token is checked, against a proxy that lies."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from joserfc.jwk import RSAKey

from adapters.oidc.tokens import LOGOUT
from tests.identity_proxy import HEADER
from tests.lying_provider import CLIENT, Reply, as_json, key
from tests.web.behind_proxy.conftest import (
    ADA,
    BOB,
    House,
    MakeHouse,
)
from tests.web.conftest import HERE, Lines
from tests.web.test_single_sign_on import refusal_in


def seconds(house: House, **ago: float) -> int:
    return int((house.door.clock.now() - timedelta(**ago)).timestamp())


REFUSALS: Final[list[tuple[str, Callable[[House], str]]]] = [
    ("issuer", lambda h: h.token(iss="https://id.example.org")),
    ("issuer", lambda h: h.token(iss=None)),
    ("audience", lambda h: h.token(aud="another")),
    ("audience", lambda h: h.token(aud=["another"])),
    ("audience", lambda h: h.token(aud=None)),
    ("audience", lambda h: h.token(aud={CLIENT: True})),
    ("authorized party", lambda h: h.token(azp="another")),
    ("expired", lambda h: h.token(exp=seconds(h, seconds=61))),
    ("exp", lambda h: h.token(exp=None)),
    ("exp", lambda h: h.token(exp="soon")),
    ("iat", lambda h: h.token(iat=None)),
    ("issued in the future", lambda h: h.token(iat=seconds(h, seconds=-61))),
    ("not yet valid", lambda h: h.token(nbf=seconds(h, seconds=-61))),
    ("sub", lambda h: h.token(sub=None)),
    ("sub", lambda h: h.token(sub="")),
    ("sub", lambda h: h.token(sub="ä")),
    ("events", lambda h: h.token(events={LOGOUT: {}})),
    ("type", lambda h: signed(h, typ="logout+jwt")),
    ("type", lambda h: signed(h, typ="at+jwt")),
    ("algorithm", lambda h: signed(h, alg="HS256", kind="oct")),
    ("algorithm", lambda h: unsigned(h)),
    ("signature", lambda h: signed(h, alg="RS256", kind="RSA")),
    ("signature", lambda h: signed(h, name="two")),
    ("signature", lambda h: changed(h)),
    ("signature", lambda h: weak(h)),
    ("signature", lambda h: signed(h, name="two", jku=f"{h.liar.issuer}/evil")),
    ("no token", lambda _: "ada@example.org"),
    ("no token", lambda _: "x" * 60_000),
    ("no token", lambda h: f"{h.token()}, "),
    ("no token", lambda h: f"{h.token()}=="),
    ("no token", lambda h: f"Bearer {h.token()}"),
]


def signed(
    house: House, *, alg: str = "ES256", name: str = "one", kind: str = "", **header: str
) -> str:
    house.liar.header = {"alg": alg, "kid": "one", **header}
    house.liar.signs_with = key(name, kind) if kind else key(name)
    return house.token()


def unsigned(house: House) -> str:
    head = "eyJhbGciOiJub25lIn0"
    return f"{head}.{house.token().split('.')[1]}.x"


def changed(house: House) -> str:
    first, second = house.token(), house.token(BOB)
    return ".".join([first.split(".")[0], second.split(".")[1], first.split(".")[2]])


def weak(house: House) -> str:
    liar = house.liar
    liar.header = {"alg": "RS256", "kid": "short"}
    liar.signs_with = RSAKey.generate_key(1024, {"kid": "short"})
    liar.offers = [liar.signs_with]
    return house.token()


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(("reason", "token"), REFUSALS)
async def test_a_token_that_is_not_valid_signs_nobody_in(
    house: House, lines: Lines, reason: str, token: Callable[[House], str]
) -> None:
    await house.door.has(ADA)
    async with house.browser(token(house)) as browser:
        page = await browser.get("/gradio/")
        del browser.headers["accept"]
        api = await browser.get("/api/v1/me")

    assert page.status_code == 401
    assert '">Try again with Corp</a>' in page.text
    assert str(page.url).startswith(f"{HERE}/login?next=")
    assert refusal_in(page).startswith("The response of Corp could not be verified. Start again.")
    assert (api.status_code, api.json()["reason"]) == (401, "refused")
    assert await house.sessions() == 0
    assert {line["identity"] for line in lines if "identity" in line} == {reason}
    assert any(
        line.get("why") == reason and line["event"] == "authn_login_fail" for line in lines
    ), lines


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["another", CLIENT]},
        {"azp": CLIENT},
        {"nbf": -59},
        {"iat": -59},
        {"exp": 59},
    ],
)
async def test_a_token_within_the_skew_and_for_several_audiences_is_valid(
    house: House, claims: dict[str, Any]
) -> None:
    await house.door.has(ADA)
    said: dict[str, Any] = {
        name: seconds(house, seconds=value) if isinstance(value, int) else value
        for name, value in claims.items()
    }
    async with house.browser(house.token(**said)) as browser:
        page = await browser.get("/gradio/")

    assert str(page.url) == f"{HERE}/gradio/"


async def test_a_token_that_expires_ends_what_its_session_may_do(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        house.door.passes(minutes=7)
        old = await browser.get("/api/v1/me")
        browser.headers[HEADER] = house.token()
        new = await browser.get("/api/v1/me")

    assert (old.status_code, new.status_code) == (401, 200)


async def test_a_rotated_key_is_fetched_and_a_withdrawn_one_forgotten(house: House) -> None:
    await house.door.has(ADA)
    old = house.token()
    async with house.browser(old) as browser:
        await browser.get("/gradio/")
        house.liar.header = {"alg": "ES256", "kid": "two"}
        house.liar.signs_with = key("two")
        house.liar.offers = [key("two")]
        browser.headers[HEADER] = house.token()
        too_soon = await browser.get("/api/v1/me")
        house.door.passes(minutes=1)
        new = await browser.get("/api/v1/me")
        browser.headers[HEADER] = old
        withdrawn = await browser.get("/api/v1/me")

    assert [answer.status_code for answer in (too_soon, new, withdrawn)] == [401, 200, 401]
    assert len(house.liar.asked) == 2


async def test_a_good_token_does_not_wait_for_the_keys_that_a_bad_one_asks_for(
    house: House,
) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        house.door.passes(minutes=2)
        house.liar.replies["/keys"] = slow
        good = house.token(jti="2")
        bad = signed(house, name="two")
        waiting = asyncio.create_task(browser.get("/api/v1/me", headers={HEADER: bad}))
        await asyncio.sleep(0.2)
        answer = await browser.get("/api/v1/me", headers={HEADER: good})
        is_first = not waiting.done()
        refused = await waiting

    assert answer.status_code == 200
    assert is_first
    assert refused.status_code != 200


async def test_a_token_whose_key_was_withdrawn_is_refused_when_the_keys_are_old(
    house: House,
) -> None:
    await house.door.has(ADA)
    long = house.token(exp=seconds(house, hours=-3))
    async with house.browser(long) as browser:
        await browser.get("/gradio/")
        house.liar.offers = [key("two")]
        house.door.passes(minutes=29)
        kept = await browser.get("/api/v1/me")
        house.door.passes(minutes=29)
        still = await browser.get("/api/v1/me")
        house.door.passes(minutes=3)
        withdrawn = await browser.get("/api/v1/me")

    assert [answer.status_code for answer in (kept, still, withdrawn)] == [200, 200, 401]


async def test_no_more_tokens_are_remembered_than_allowed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.oidc.proxy.MOST_REMEMBERED", 3)
    await house.door.has(ADA)
    for number in range(5):
        async with house.browser(house.token(jti=str(number))) as browser:
            await browser.get("/login")

    assert len(house.door.container.proxy_identities()._remembered) == 3


def nonsense(status: int, body: bytes) -> Callable[[], Reply]:
    return lambda: (status, {"content-type": "application/json"}, body)


def slow() -> Reply:
    time.sleep(1)
    return as_json({"keys": []})


@pytest.mark.parametrize(
    "reply",
    [
        *(nonsense(500, b""), nonsense(200, b"<html>"), nonsense(200, b'{"keys": 7}')),
        *(nonsense(302, b""), nonsense(200, b"[" * 100_000), nonsense(200, b"x" * 300_000)),
        slow,
    ],
)
async def test_a_proxy_whose_keys_cannot_be_had_signs_nobody_in(
    house: House, lines: Lines, reply: Callable[[], Reply]
) -> None:
    await house.door.has(ADA)
    house.door.container.proxy_identities()._limit = 0.3
    house.liar.replies["/keys"] = reply
    async with house.browser(house.token()) as browser:
        page = await browser.get("/gradio/")
        api = await browser.get("/api/v1/me", headers={"accept": "application/json"})
        house.liar.replies.clear()
        house.door.passes(seconds=6)
        later = await browser.get("/gradio/")

    assert page.status_code == api.status_code == 424
    assert refusal_in(page) == "Corp cannot be used at the moment. Try again in a minute."
    assert api.json()["login"] == "/login"
    assert str(later.url) == f"{HERE}/gradio/"


async def test_a_proxy_that_is_down_signs_nobody_in(make_house: MakeHouse) -> None:
    house = make_house(proxy_identity_jwks_url="http://127.0.0.1:9/keys")
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        page = await browser.get("/gradio/")

    assert page.status_code == 424
    assert await house.sessions() == 0
