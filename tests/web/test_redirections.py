"""No `next` leads to another site, whichever parameter it is in, and whoever reads it."""

import re
from collections.abc import Awaitable, Callable, Iterator
from html import unescape
from typing import Final
from urllib.parse import quote, unquote, urlencode, urlsplit

import httpx
import pytest

from entrypoints.web.next_page import safe_next
from tests.lying_provider import LyingProvider
from tests.web.acts import ADA, COOKIE, new_browser
from tests.web.conftest import PASSWORD, MakeDoor
from tests.web.houses import House, provider
from tests.web.pages import sign_in, token_of
from tests.web.redirections import BELOW, EVIL, HOME, LEAVES_US, STAYS

pytestmark = pytest.mark.asvs("V3.7.2")

START: Final = "/gradio/"
TABLE: Final[dict[str, str | None]] = dict.fromkeys(LEAVES_US, HOME) | STAYS
SENT: Final = {
    text: there for text, there in TABLE.items() if not re.search("[\ud800-\udfff]", text)
}
"""Those that a client can send: UTF-8 has no surrogates."""


@pytest.fixture
def house(make_door: MakeDoor, liar: LyingProvider) -> House:
    door = make_door(oidc=(provider(liar, "corp"),), sessions_per_user=2)
    liar.clock = door.clock
    return House(door, liar)


@pytest.fixture
def below(make_door: MakeDoor, liar: LyingProvider) -> House:
    door = make_door(
        oidc=(provider(liar, "corp"),), sessions_per_user=2, public_url="http://localhost/app"
    )
    liar.clock = door.clock
    return House(door, liar)


def query_of(text: str, name: str = "next") -> str:
    return f"{name}={quote(text, safe='')}"


def in_location(address: str) -> str:
    """Return the address as a Location header spells it."""
    return quote(address, safe=":/%#?=@[]!$&'()*+,;")


def test_the_table_is_large_and_has_each_text_once() -> None:
    assert len(LEAVES_US) >= 150
    assert len(set(LEAVES_US)) == len(LEAVES_US)
    assert not set(LEAVES_US) & set(STAYS)


def test_each_text_leads_to_its_path_or_nowhere(subtests: pytest.Subtests) -> None:
    for text, there in TABLE.items():
        with subtests.test(text=text):
            assert safe_next(text) == there


Ask = Callable[[House, httpx.AsyncClient, str, str], Awaitable[str]]
"""Sends a text in one of the parameters, and returns the address to which the response leads."""


async def by_password(house: House, browser: httpx.AsyncClient, base: str, text: str) -> str:
    token = token_of(await browser.get(f"{base}/login"))
    form = urlencode({"csrf_token": token, "username": ADA, "password": PASSWORD})
    answer = await browser.post(
        f"{base}/login",
        content=f"{form}&{query_of(text)}",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    browser.cookies.clear()
    assert answer.status_code == 303
    return str(answer.headers["location"])


async def on_the_sign_in_page(
    house: House, browser: httpx.AsyncClient, base: str, text: str
) -> str:
    """The page hands the text on, in the form and in the links to providers."""
    page = await browser.get(f"{base}/login?{query_of(text)}")
    [value] = re.findall(r'name="next" value="([^"]*)"', page.text)
    [link] = re.findall(r'href="[^"]*/login/corp(?:\?next=([^"]*))?"', page.text)
    assert unquote(unescape(link)) == unescape(value)
    return in_location(f"{base}{unescape(value) or START}")


async def when_signed_in(house: House, browser: httpx.AsyncClient, base: str, text: str) -> str:
    if COOKIE not in browser.cookies:
        browser.cookies.set(COOKIE, (await house.door.opened(ADA)).signed_token)
    answer = await browser.get(f"{base}/login?{query_of(text)}")
    assert answer.status_code == 303
    return str(answer.headers["location"])


async def on_the_sign_out_page(
    house: House, browser: httpx.AsyncClient, base: str, text: str
) -> str:
    if COOKIE not in browser.cookies:
        browser.cookies.set(COOKIE, (await house.door.opened(ADA)).signed_token)
    page = await browser.get(f"{base}/logout?{query_of(text)}")
    [stay] = re.findall(r'href="([^"]*)">Stay<', page.text)
    return in_location(unescape(stay))


async def by_the_provider(house: House, browser: httpx.AsyncClient, base: str, text: str) -> str:
    answer = await house.signs_in(browser, start=f"{base}/login/corp?{query_of(text)}")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


SLOW: Final = ("signing in by password", "signing in at a provider")
"""Ways of several requests each. They share the check with the others, and try every fourth text."""
WAYS: Final[dict[str, Ask]] = {
    "signing in by password": by_password,
    "the sign-in page": on_the_sign_in_page,
    "the sign-in page when signed in": when_signed_in,
    "the sign-out page": on_the_sign_out_page,
    "signing in at a provider": by_the_provider,
}
LONGEST_AT_PROVIDER: Final = 1000
"""Characters: the address travels in a cookie."""


@pytest.mark.parametrize("way", WAYS)
async def test_no_parameter_leads_to_another_site(
    house: House, way: str, subtests: pytest.Subtests
) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as browser:
        for text, expected in list(SENT.items())[:: 4 if way in SLOW else 1]:
            with subtests.test(text=text):
                there = await WAYS[way](house, browser, "", text)

                wanted = expected or START
                if way == "signing in at a provider" and len(wanted) > LONGEST_AT_PROVIDER:
                    wanted = START
                assert there == in_location(wanted)


@pytest.mark.parametrize("way", WAYS)
async def test_no_parameter_of_a_service_below_a_path_leads_out_of_it(
    below: House, way: str, subtests: pytest.Subtests
) -> None:
    await below.door.has(ADA)
    async with new_browser(below.door) as browser:
        for text, expected in BELOW.items():
            with subtests.test(text=text):
                there = await WAYS[way](below, browser, "/app", text)

                assert there == (expected or f"/app{START}")


async def test_an_admin_who_types_the_password_is_led_nowhere_else(
    house: House, subtests: pytest.Subtests
) -> None:
    root = "root@example.org"
    await house.door.has(root, "admin")
    house.liar.claims = {"email": root}

    for text in (f"//{EVIL}", f"https://{EVIL}", f"/\\{EVIL}", f"/%2f{EVIL}", "/\t/x", "/login"):
        with subtests.test(text=text):
            async with new_browser(house.door) as browser:
                start = f"/login/corp?{query_of(text)}"
                page = await house.signs_in(browser, start=start)
                form = {"csrf_token": token_of(page), "password": "wrong horse", "next": text}
                wrong = await browser.post(f"/login/corp/link?{query_of(text)}", data=form)

            assert wrong.status_code == 401
            assert EVIL not in wrong.text

    async with new_browser(house.door) as browser:
        page = await house.signs_in(browser, start=f"/login/corp?next=//{EVIL}")
        form = {"csrf_token": token_of(page), "password": PASSWORD, "next": f"//{EVIL}"}
        right = await browser.post(f"/login/corp/link?next=//{EVIL}", data=form)
    assert right.headers["location"] == START


PARAMETERS: Final = (
    "next",
    "to",
    "url",
    "redirect",
    "redirect_uri",
    "return_to",
    "continue",
    "back",
)


async def test_set_up_and_sign_out_have_no_parameter_that_leads_anywhere(house: House) -> None:
    token = await house.door.use_cases.offer_setup()
    assert token is not None
    evil = dict.fromkeys(PARAMETERS, f"https://{EVIL}/")
    async with new_browser(house.door) as browser:
        page = await browser.get("/setup", params={"token": token, **evil})
        form = {"csrf_token": token_of(page), "token": token, "email": "root@example.org"}
        form |= {"password": "another battery staple", **evil}
        made = await browser.post(f"/setup?{urlencode(evil)}", data=form)
        page = await browser.get("/logout", params=evil)
        out = await browser.post(
            f"/logout?{urlencode(evil)}", data={"csrf_token": token_of(page), **evil}
        )
        nobody = await browser.get("/logout", params=evil)
        root = await browser.get("/", params=evil)

    answers = [made, out, nobody, root]
    assert [one.headers.get("location") for one in answers] == [START, "/login", "/login", "/login"]
    assert EVIL not in page.text


async def test_signing_out_at_the_provider_leads_back_to_our_sign_in_page_alone(
    house: House,
) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as browser:
        await house.signs_in(browser)
        page = await browser.get("/logout")
        evil = dict.fromkeys((*PARAMETERS, "post_logout_redirect_uri"), f"https://{EVIL}/")
        out = await browser.post(
            f"/logout?{urlencode(evil)}", data={"csrf_token": token_of(page), **evil}
        )

    [leave] = re.findall(r'href="([^"]*/leave[^"]*)"', out.text)
    assert dict(httpx.URL(unescape(leave)).params)["post_logout_redirect_uri"] == (
        "http://localhost/login"
    )
    assert EVIL not in out.text


async def test_the_address_of_the_return_is_ours_whatever_the_request_says(house: House) -> None:
    evil = dict.fromkeys((*PARAMETERS, "client_id", "scope", "state"), f"https://{EVIL}/")
    headers = {"x-forwarded-host": EVIL, "x-forwarded-proto": "https", "forwarded": f"host={EVIL}"}
    async with new_browser(house.door) as browser:
        sent = await browser.get("/login/corp", params=evil, headers=headers)

    address = httpx.URL(sent.headers["location"])
    assert str(address).startswith(f"{house.liar.issuer}/authorize?")
    assert address.params["redirect_uri"] == "http://localhost/login/corp/callback"
    assert EVIL not in str(address)


def doubled(first: str, second: str) -> Iterator[str]:
    yield f"{query_of(first)}&{query_of(second)}"
    yield f"{query_of(first)};{query_of(second)}"
    yield f"{query_of(second)}&{query_of(first)}"
    yield f"{query_of(first, 'next[]')}&{query_of(second, 'Next')}"
    yield f"{query_of(first, 'next%00')}&{query_of(second, 'ne%78t')}"


async def test_of_two_parameters_neither_leads_to_another_site(
    house: House, subtests: pytest.Subtests
) -> None:
    await house.door.has(ADA)
    for query in doubled(f"//{EVIL}", "/gradio/x"):
        with subtests.test(query=query):
            async with new_browser(house.door) as browser:
                page = await browser.get(f"/login?{query}")
                by_provider = await house.signs_in(browser, start=f"/login/corp?{query}")
                signed_in = await browser.get(f"/login?{query}")

                assert EVIL not in page.text
                for answer in (by_provider, signed_in):
                    parts = urlsplit(answer.headers["location"])
                    assert (parts.scheme, parts.netloc) == ("", "")
                    assert parts.path in {"/gradio/", "/gradio/x"}

    async with new_browser(house.door) as browser:
        token = token_of(await browser.get("/login"))
        form = urlencode({"csrf_token": token, "username": ADA, "password": PASSWORD})
        answer = await browser.post(
            "/login",
            content=f"{form}&next=/gradio/x&next=//{EVIL}",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
    assert answer.status_code == 400


TYPED: Final = [
    *(
        f"//{EVIL}/",
        f"//{EVIL}/login",
        f"/{EVIL}//x",
        f"/%2f{EVIL}/",
        f"/\\{EVIL}/",
        f"/%5c{EVIL}/",
    ),
    *(
        "/gradio//x",
        f"/gradio/https://{EVIL}",
        f"/gradio/%2f%2f{EVIL}",
        "/gradio/%0d%0ax",
        "/%09/x",
    ),
    *(
        "/login/",
        "/logout/",
        "/setup/",
        "/api/v1/docs/",
        f"/login//{EVIL}",
        f"/login/?next=//{EVIL}",
    ),
    *(f"/gradio?next=//{EVIL}", "/gradio", f"/gradio;@{EVIL}", f"/gradio/?next=https://{EVIL}/"),
    *(
        f"/?next=//{EVIL}",
        f"/gradio/..//{EVIL}",
        f"/.//{EVIL}",
        f"/..//{EVIL}",
        f"/login%2f/{EVIL}",
    ),
]
"""Addresses that somebody types or follows."""


async def test_a_typed_address_redirects_within_the_service(
    house: House, subtests: pytest.Subtests
) -> None:
    await house.door.has(ADA)
    signed_in = new_browser(house.door)
    await sign_in(signed_in, ADA, PASSWORD)
    cookie = (b"cookie", f"{COOKIE}={signed_in.cookies[COOKIE]}".encode())
    page = (b"accept", b"text/html")

    for address in TYPED:
        for headers in ([page], [page, cookie]):
            with subtests.test(address=address, is_signed_in=len(headers) == 2):
                path, _, query = address.partition("?")
                sent = await house.door.asked(path, *headers, query=query.encode())

                [location] = [
                    value.decode() for name, value in sent[0]["headers"] if name == b"location"
                ] or ["/"]
                assert re.match(r"/(?![/\\])", location)
                assert location.isascii()
                assert location.isprintable()
