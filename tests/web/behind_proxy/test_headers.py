"""Headers that nobody has verified sign nobody in, and reach no app."""

from collections.abc import Iterator
from typing import Final

import pytest

from entrypoints.web.proxy_identity import IGNORED
from entrypoints.web.received_headers import NAMING_PEOPLE, SCRUBBED_STARTS
from tests.identity_proxy import HEADER
from tests.lying_provider import LyingProvider
from tests.web.behind_proxy.conftest import (
    ADA,
    BOB,
    SESSION,
    STRANGER,
    TRUSTED,
    House,
    MakeHouse,
)
from tests.web.conftest import HERE, Lines, MakeDoor

PLAIN: Final = (
    *("X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Preferred-Username"),
    *("X-Forwarded-Groups", "X-Forwarded-Access-Token", "X-Auth-Request-Email", "Remote-User"),
    *("X-Remote-User", "Cf-Access-Authenticated-User-Email", "Cf-Access-Jwt-Assertion"),
    *("X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity", "X-Goog-Authenticated-User-Email"),
    *("X-Goog-Iap-Jwt-Assertion", "X-Ms-Client-Principal-Name", "X-Authentik-Email"),
    *("X-Pomerium-Jwt-Assertion", "Tailscale-User-Login", "X-Webauth-User", "X-User", "X-Email"),
    *("X-Id-Token", "X-Access-Token", "Ssl-Client-S-Dn", HEADER),
)


def spellings(name: str) -> Iterator[str]:
    for text in (name, name.replace("-", "_"), name.replace("-", "_", 1)):
        yield from (text, text.lower(), text.upper())


@pytest.mark.asvs("V4.1.3")
@pytest.mark.parametrize("peer", [TRUSTED, STRANGER])
@pytest.mark.parametrize("is_on", [True, False])
async def test_no_header_that_names_a_person_reaches_an_app(
    make_house: MakeHouse, make_door: MakeDoor, peer: str, *, is_on: bool
) -> None:
    door = make_house().door if is_on else make_door(trusted_proxies="10.0.0.0/8")
    sent = [
        (spelled.encode(), b"root@example.org")
        for name in PLAIN
        if is_on or name != HEADER
        for spelled in spellings(name)
    ]
    async with await door.signed_in(ADA, peer=peer) as browser:
        answer = await browser.get(
            "/gradio/", headers=[*sent, *sent, (b"x-mine", b"1"), (b"x_mine", b"2")]
        )

    headers = answer.json()["headers"]
    assert "root@example.org" not in str(headers)
    assert {"x-mine", "x_mine"} <= set(headers)
    assert not any(name.replace("_", "-").startswith("x-forwarded") for name in headers)


async def test_names_that_a_server_leaves_in_capitals_are_removed_too(house: House) -> None:
    await house.door.has(ADA)
    opened = await house.door.opened(ADA)
    cookie = (b"cookie", f"{SESSION}={opened.signed_token}".encode())
    sent = [(spelled.encode(), b"root") for name in PLAIN for spelled in spellings(name)]

    answers = await house.door.asked("/gradio/", cookie, *sent)

    assert answers[0]["status"] == 200
    assert b'"root"' not in answers[1]["body"]


def test_the_lists_of_removed_headers_are_in_lower_case_with_hyphens() -> None:
    for name in (*NAMING_PEOPLE, *SCRUBBED_STARTS):
        assert name == name.lower()
        assert b"_" not in name


async def test_the_token_never_reaches_an_app(house: House) -> None:
    await house.door.has(ADA)
    token = house.token()
    async with house.browser(token) as browser:
        seen = await browser.get("/gradio/")

    assert seen.json()["email"] == ADA
    assert token not in seen.text
    assert HEADER.lower() not in seen.json()["headers"]


@pytest.mark.parametrize(
    "names",
    [
        (HEADER, HEADER),
        (HEADER.lower(), HEADER.upper()),
    ],
)
async def test_a_doubled_header_signs_nobody_in(house: House, names: tuple[str, str]) -> None:
    await house.door.has(ADA)
    values = [house.token(), house.token(BOB)]
    async with house.browser() as browser:
        pairs = [(name.encode(), value.encode()) for name, value in zip(names, values, strict=True)]
        both = await browser.get("/login", headers=pairs)
        same = await browser.get("/login", headers=[pairs[0], (pairs[1][0], pairs[0][1])])

    assert [both.status_code, same.status_code] == [401, 401]
    assert await house.sessions() == 0


@pytest.mark.parametrize(
    "name",
    ["X_Proxy_Jwt", "X-Proxy_Jwt", "x_proxy-jwt", "Proxy-Jwt", "X-Proxy-Jwt-", "X-Forwarded-User"],
)
async def test_the_header_under_another_name_signs_nobody_in(house: House, name: str) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        page = await browser.get("/login", headers={name: house.token()})

    assert "did not say who you are" in page.text
    assert await house.sessions() == 0


async def test_an_underscored_twin_changes_nothing(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        page = await browser.get("/gradio/", headers={"X_Proxy_Jwt": house.token(BOB)})

    assert page.json()["email"] == ADA


@pytest.mark.parametrize("peer", [STRANGER, "", "10.0.0.1.evil", "::ffff:192.0.2.7"])
async def test_the_header_counts_only_from_a_trusted_proxy(
    house: House, lines: Lines, peer: str
) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token(), peer=peer) as browser:
        for _ in range(3):
            page = await browser.get("/gradio/", headers={"x-forwarded-for": TRUSTED})

    assert "did not say who you are" in page.text
    assert await house.sessions() == 0
    assert len([line for line in lines if line["event"].startswith(IGNORED)]) == 1


async def test_unsigned_headers_of_a_trusted_proxy_sign_nobody_in(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        page = await browser.get("/login", headers=dict.fromkeys(PLAIN[:-1], ADA))

    assert "did not say who you are" in page.text
    assert await house.sessions() == 0


async def test_everything_is_off_without_the_setting(
    make_door: MakeDoor, liar: LyingProvider
) -> None:
    door = make_door(trusted_proxies="10.0.0.0/8")
    liar.clock = door.clock
    await door.has(ADA)
    house = House(door, liar)
    async with house.browser(house.token()) as browser:
        page = await browser.get("/gradio/")
        link = await browser.post("/login/proxy/link", data={})

    assert str(page.url).startswith(f"{HERE}/login?next=")
    assert "did not say" not in page.text
    assert link.status_code == 404
    assert liar.asked == []
