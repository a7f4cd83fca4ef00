"""Anonymous callers cannot tell which pages exist."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
import httpx
import pytest

from entrypoints.ui import Page
from tests.ui.conftest import GRADIO, House, Mounts
from tests.ui.test_addresses import JUDGEMENTS, NOT_EVEN_THERE, sample

THERE: Final = "zq-page"
INVENTED: Final = ("zq-none", "q-z-q-z", "Zq_b.c9", "assetzq")
"""Names of the same length as the existing page's name, so that nothing else tells them apart. No
page can have the third."""
MORE: Final = (
    *("", "/", "/second", "/second/", "/third", "/admin/x", "/gradio_api/mcp/", "/gradio_api/mcp"),
    *("/assets/../config", "/assets/nothing.js", "/static/nothing", "/assets/", "/static"),
    *("/assets_00000000/nothing.js", "/assets_0/nothing.js", "/assets_00000000/"),
    *("/gradio_api/app_id/x", "/config.json", "/theme.css?v=1", "/assets/theme.css"),
)
COOKIES: Final = (
    {"cookie": "gradioapp-session=garbage"},
    {"cookie": "gradioapp-session=a.b.c; gradioapp-session=d"},
    {"cookie": "other=1"},
)
KINDS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    {
        "accept": "text/html",
        "sec-fetch-site": "same-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "iframe",
    },
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"authorization": "Bearer gapp_nonsense"},
    {"accept-encoding": "br"},
    {"content-length": "5"},
    {"content-length": "999999999999"},
)


def _app(*, with_route: bool = False) -> gr.Blocks:
    demo = gr.Blocks(title="An app")
    with demo:
        gr.Textbox()
    if with_route:
        with demo.route("Second", "/second"):
            gr.Number()
    return demo


def _asset(document: str) -> str:
    found = re.search(r'src="\./(assets\w*/[^"]+\.js)"', document)
    assert found
    return f"/{found.group(1)}"


@pytest.fixture
async def house(mounted: Mounts) -> House:
    """Mount a page that uses every option in which pages can differ."""
    demo = _app(with_route=True)
    vars(demo)["_gradioapp_launched"] = {"theme": gr.themes.Monochrome()}
    there = Page(
        demo=demo,
        title="Zq page",
        roles={"analyst"},
        csp={"frame-ancestors": "https://portal.example.org"},
    )
    return await mounted(_app(), others=[there], mcp=True)


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]

    async def answered(self, stranger: httpx.AsyncClient, name: str) -> tuple[Any, ...]:
        """Return the response without its request id and without the name of the page."""
        address = httpx.URL(f"http://localhost{GRADIO}/{name}{self.path}")
        request = stranger.build_request(self.method, address, headers=self.headers)
        answer = await stranger.send(request)
        number = answer.headers.pop("x-request-id")
        # Gradio's files are read for the first or for a later time.
        headers = sorted((key, value.replace(name, "*")) for key, value in answer.headers.items())
        body = answer.text.replace(number, "").replace(name, "*")
        return answer.status_code, headers, body


def _all(asset: str) -> Iterator[Asked]:
    paths = {(m, sample(pattern)) for m, pattern, _ in JUDGEMENTS}
    paths |= {
        (m, p) for p in (*NOT_EVEN_THERE, *MORE, asset) for m in ("GET", "HEAD", "POST", "PUT")
    }
    paths |= {("HEAD", path) for method, path in paths if method == "GET"}
    for method, path in sorted(paths):
        if "\n" not in path:
            for headers in (
                *KINDS,
                *({**kind, **cookie} for kind in KINDS[:2] for cookie in COOKIES),
            ):
                yield Asked(method, path, headers)


@pytest.mark.asvs("8.2.1", "16.5.1")
async def test_an_anonymous_caller_gets_the_same_response_for_existing_and_unknown_pages(
    house: House,
) -> None:
    ada = await house.signed_in()
    asset = _asset((await ada.http.get(f"{GRADIO}/")).text)
    stranger = house.anonymous().http
    told: list[Any] = []
    statuses: set[int] = set()

    for asked in _all(asset):
        expected = await asked.answered(stranger, THERE)
        statuses.add(expected[0])
        names = INVENTED if not asked.headers else INVENTED[:1]
        for name in names:
            answer = await asked.answered(stranger, name)
            if answer != expected:
                told.append((asked, name, expected[:2], answer[:2]))

    assert not told, "\n".join(
        f"{a.method} {a.path} {a.headers} {n}\n   {x}\n   {y}" for a, n, x, y in told[:6]
    )
    assert {200, 303, 401, 404, 413} <= statuses, statuses


async def test_shared_files_are_served_below_every_name(house: House) -> None:
    ada = await house.signed_in()
    page = (await ada.http.get(f"{GRADIO}/")).text
    stranger = house.anonymous().http

    scripts = [await stranger.get(f"{GRADIO}/{name}{_asset(page)}") for name in (THERE, *INVENTED)]
    numbers = [
        (await stranger.get(f"{GRADIO}/{name}/gradio_api/app_id")).json()
        for name in (THERE, "none")
    ]

    assert {script.status_code for script in scripts} == {200}
    assert len({script.content for script in scripts}) == 1
    assert "immutable" in scripts[-1].headers["cache-control"]
    assert numbers[0] == numbers[1] == {"app_id": house.demo.app_id}


@pytest.mark.asvs("8.2.1")
async def test_a_signed_in_caller_is_told_whether_a_page_is_missing_or_forbidden(
    house: House,
) -> None:
    ada = await house.signed_in()
    await house.has("bob@example.org", "Bob", "analyst")
    bob = await house.signed_in("bob@example.org")
    paths = ("/", "/second", "/theme.css", "/config")

    invented = [(await ada.http.get(f"{GRADIO}/zq-none{path}")).status_code for path in paths]
    of_others = [(await ada.http.get(f"{GRADIO}/{THERE}{path}")).status_code for path in paths]
    own = [(await bob.http.get(f"{GRADIO}/{THERE}{path}")).status_code for path in paths]

    assert (invented, of_others, own) == ([404] * 4, [403] * 4, [200] * 4)


async def test_a_theme_is_served_only_to_callers_who_may_see_its_page(house: House) -> None:
    stranger = house.anonymous().http
    ada = await house.signed_in()

    assert (await stranger.get(f"{GRADIO}/theme.css?v=1")).status_code == 401
    assert (await ada.http.get(f"{GRADIO}/theme.css?v=1")).status_code == 200
    assert (await ada.http.get(f"{GRADIO}/{THERE}/gradio_api/theme.css")).status_code == 403
