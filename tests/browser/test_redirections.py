"""Where a real browser goes for each address that a sign-in may lead to, as its `new URL(location, base)` says."""

import re
from itertools import product
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from entrypoints.base_path import BasePath
from entrypoints.web.next_page import safe_next
from tests.web.redirections import BELOW, LEAVES_US, STAYS

pytestmark = [pytest.mark.browser, pytest.mark.asvs("V3.7.2")]

BASES: Final = (
    *("http://localhost/login", "http://localhost:8080/login?next=/x", "http://[::1]:8080/login"),
    *("https://app.example.org/login/corp/callback?code=x", "http://127.0.0.1:8080/"),
)
RESOLVE: Final = """([addresses, base]) => addresses.map(one => {
    try { const url = new URL(one, base); return [url.origin, url.pathname]; }
    catch { return ["invalid", ""]; }
})"""
NO_END: Final = r"/(login(/(?!done$).*)?|logout/?|setup/?)"
"""Paths that would begin another sign-in, or end this one."""
PIECES: Final = (
    *("/", "\\", ".", "..", "%2f", "%5C", "%2e", "%252e", "//", "/\\", "@", ":", "?", "#", ";"),
    *("\t", "\n", " ", "\0", "%09", "%0a", "evil.example", "login", "logout", "%6cogin", "http:"),
    *("javascript:", "localhost", "[::1]", "8081", "ä", "\uff0f", "\u2028", "%", "&", "x"),
)
"""What an address may be put together from."""


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Page:
    return chromium.new_page()


def resolved(page: Page, addresses: list[str], base: str) -> list[tuple[str, str]]:
    return [(origin, path) for origin, path in page.evaluate(RESOLVE, [addresses, base])]


@pytest.mark.parametrize("base", BASES)
def test_each_address_that_stays_is_one_of_this_service_for_the_browser(
    page: Page, base: str
) -> None:
    addresses = list(STAYS.values())
    here = re.match(r"\w+://[^/]+", base)
    assert here

    for address, (origin, path) in zip(addresses, resolved(page, addresses, base), strict=True):
        assert origin == here[0], address
        assert not re.fullmatch(NO_END, path), address


def test_each_address_below_a_path_stays_below_it_for_the_browser(page: Page) -> None:
    addresses = [there for there in BELOW.values() if there is not None]

    for address, (origin, path) in zip(
        addresses, resolved(page, addresses, "http://localhost/app/login"), strict=True
    ):
        assert origin == "http://localhost", address
        assert path.startswith("/app/"), address


def test_the_browser_would_leave_for_many_of_the_refused_addresses(page: Page) -> None:
    """The table is worth something: without the check, these are other sites."""
    refused = [text for text in LEAVES_US if not re.search("[\ud800-\udfff]", text)]

    away = [
        text
        for text, (origin, _) in zip(
            refused, resolved(page, refused, "http://localhost/login"), strict=True
        )
        if origin not in {"http://localhost", "invalid"}
    ]

    assert len(away) > 70


@pytest.mark.parametrize("base_path", ["", "/app"])
def test_nothing_that_is_put_together_from_odd_pieces_leads_the_browser_away(
    page: Page, base_path: str
) -> None:
    base = BasePath(base_path)
    texts = {
        f"{base_path}/{''.join(pieces)}"
        for length in (1, 2, 3)
        for pieces in product(PIECES, repeat=length)
    }
    safe = sorted({there for text in texts if (there := safe_next(base.without(text))) is not None})
    addresses = [base.outside(one) for one in safe]
    assert len(texts) > 30_000
    assert len(addresses) > 3_000

    found = resolved(page, addresses, f"http://localhost{base_path}/login")
    strays = [
        (address, origin, path)
        for address, (origin, path) in zip(addresses, found, strict=True)
        if origin != "http://localhost"
        or not path.startswith(f"{base_path}/")
        or re.fullmatch(base_path + NO_END, path)
    ]

    assert not strays
