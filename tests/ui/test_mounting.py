"""Responses of a mounted page, and pages that are refused at the mount."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import gradio as gr
import httpx
import pytest
from gradio.analytics import analytics_enabled

from application.container import build
from application.settings import load
from entrypoints.app import create_app
from entrypoints.ui import Page, PageRefused
from entrypoints.ui.calls.call import is_served
from entrypoints.ui.delivery.front_end import assets_folder
from entrypoints.ui.refusals import slug
from gradioapp import requires
from tests.ui.conftest import GRADIO, Mounts

HOSTILE: Final = "<script>alert(1)</script>"
EVIL: Final = "evil.test"
PAGES: Final = (f"{GRADIO}/", f"{GRADIO}/config", f"{GRADIO}/gradio_api/info")


def an_app() -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.Button().click(str, gr.Textbox(), gr.Textbox(), api_name="fn")
    return demo


def scripts(page: str) -> list[str]:
    return re.findall(r"<script\b[^>]*>", page)


# Refused pages


def _with_request(texts: list[str], request: gr.Request) -> list[str]:
    return texts


def _with_optional_request(texts: list[str], request: gr.Request | None = None) -> list[str]:
    return texts


def _with_quoted_request(texts: list[str], request: "gr.Request") -> list[str]:
    return texts


def _with_event_data(texts: list[str], data: gr.EventData) -> list[str]:
    return texts


def _with_selection(texts: list[str], data: gr.SelectData | None = None) -> list[str]:
    return texts


def _with_oauth(texts: list[str], token: gr.OAuthToken | None) -> list[str]:
    return texts


class _Callable:
    def __call__(self, texts: list[str], request: gr.Request) -> list[str]:
        return texts


def _batching(fn: Callable[..., Any], *, batch: bool = True) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.Button().click(fn, gr.Textbox(), gr.Textbox(), api_name="fn", batch=batch)
    return demo


@pytest.mark.asvs("8.3.3")
async def test_a_batch_that_takes_a_request_is_refused_by_name(mounted: Mounts) -> None:
    with pytest.raises(PageRefused, match=r"^_with_request is a batch=True event"):
        await mounted(_batching(_with_request))


@pytest.mark.parametrize(
    "fn",
    [
        _with_optional_request,
        _with_quoted_request,
        _with_event_data,
        _with_selection,
        _with_oauth,
        _Callable(),
    ],
)
async def test_a_batch_is_refused_however_it_takes_data_of_one_caller(
    mounted: Mounts, fn: Callable[..., Any]
) -> None:
    with pytest.raises(PageRefused, match="is a batch=True event"):
        await mounted(_batching(fn))


async def test_an_event_without_batch_may_take_a_request(mounted: Mounts) -> None:
    ada = await (await mounted(_batching(_with_request, batch=False))).signed_in()

    assert await ada.gets("fn", "hello") == "hello"


async def test_a_batch_that_takes_no_request_runs(mounted: Mounts) -> None:
    def fn(texts: list[str]) -> list[list[str]]:
        return [[text.upper() for text in texts]]

    ada = await (await mounted(_batching(fn))).signed_in()

    assert await ada.gets("fn", "hello") == "HELLO"


async def test_two_pages_with_one_address_are_refused(mounted: Mounts) -> None:
    twice = [Page(demo=an_app(), title="My page"), Page(demo=an_app(), title="My  Page!")]

    with pytest.raises(PageRefused, match=r"Two pages have the same address.*/gradio/my-page"):
        await mounted(an_app(), others=twice)


@pytest.mark.parametrize(
    "path",
    [
        *("Upper", "with space", "a/b", "../up", "a%2fb", "-dash", "käse", "a\n", "gradio_api"),
        *("assets", "static", "config", "login", "logout", "theme.css", "monitoring", "svelte"),
        "assets_00000000",
    ],
)
async def test_a_path_that_is_invalid_or_taken_is_refused(path: str) -> None:
    with pytest.raises(PageRefused, match=r"The page 'Other' needs another path= than"):
        slug(Page(demo=gr.Blocks(), title="Other", path=path))


async def test_a_refused_page_leaves_the_other_pages_unchanged(mounted: Mounts) -> None:
    home, refused = an_app(), Page(demo=_batching(_with_request), title="Refused")
    before = is_served()

    with pytest.raises(PageRefused, match="is a batch=True event"):
        await mounted(home, others=[refused])

    assert (before, is_served()) == (False, False)
    assert not home.has_launched
    assert not {"process_api", "preprocess_data", "postprocess_data"} & set(vars(home))


async def test_a_title_that_makes_no_address_is_refused(mounted: Mounts) -> None:
    with pytest.raises(PageRefused, match="The page '!!!' needs another path="):
        await mounted(an_app(), others=[Page(demo=an_app(), title="!!!")])


async def test_a_second_page_is_reached_at_its_path(mounted: Mounts) -> None:
    with gr.Blocks(title="The other page") as demo:
        gr.Textbox()
    house = await mounted(an_app(), others=[Page(demo=demo, title="Other", path="elsewhere")])
    ada = await house.signed_in()

    page = await ada.http.get(f"{GRADIO}/elsewhere/")

    assert "The other page" in page.text


async def test_the_bar_links_the_pages_in_order_and_marks_the_present_one(
    mounted: Mounts,
) -> None:
    house = await mounted(an_app(), others=[Page(demo=an_app(), title="A & B")])
    ada = await house.signed_in()

    page = (await ada.http.get(f"{GRADIO}/a-b/")).text

    assert (
        '<a href="/gradio/">Home</a><a href="/gradio/a-b/" aria-current=page>A &amp; B</a>' in page
    )


async def test_every_page_requires_a_caller(mounted: Mounts) -> None:
    house = await mounted(an_app(), others=[Page(demo=an_app(), title="Other")])
    stranger = house.anonymous().http

    answers = [await stranger.get(f"{GRADIO}/other{path}") for path in ("/", "/config")]

    assert [answer.status_code for answer in answers] == [401, 401]


# The page itself


@pytest.mark.asvs("3.4.3")
async def test_every_inline_script_carries_the_nonce_of_the_policy(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()

    page = await ada.http.get(f"{GRADIO}/")

    policy = page.headers.get_list("content-security-policy")
    nonces = re.findall(r"'nonce-([\w-]{43,})'", policy[0])
    assert len(policy) == len(nonces) == 1
    folders = (assets_folder(), "static", "gradio_api/custom_component")
    own = " ".join(f"http://localhost{GRADIO}/{name}/" for name in folders)
    assert f"script-src {own} 'nonce-" in policy[0]
    assert "'unsafe-inline'" not in policy[0].split("script-src")[1].split(";")[0]
    within = [script for script in scripts(page.text) if " src=" not in script]
    assert len(within) >= 5
    assert all(f' nonce="{nonces[0]}"' in script for script in within)


async def test_gradios_own_script_has_no_nonce_so_that_its_compiled_code_can_be_cached(
    mounted: Mounts,
) -> None:
    ada = await (await mounted(an_app())).signed_in()

    page = await ada.http.get(f"{GRADIO}/")

    [file] = [script for script in scripts(page.text) if " src=" in script]
    assert 'type="module"' in file
    assert "nonce" not in file


@pytest.mark.asvs("3.4.3")
async def test_a_nonce_is_used_once(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()

    pages = [await ada.http.get(f"{GRADIO}/") for _ in range(3)]

    assert len({page.headers["content-security-policy"] for page in pages}) == 3


@pytest.mark.asvs("1.2.1")
async def test_names_are_shown_as_text_and_not_as_html(mounted: Mounts) -> None:
    house = await mounted(an_app(), title=HOSTILE, project_name=f'"{HOSTILE}')
    await house.has("eve@example.org", name=HOSTILE)
    eve = await house.signed_in("eve@example.org")

    page = (await eve.http.get(f"{GRADIO}/")).text

    assert "<script>alert" not in page
    assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)&lt;/script&gt;", "", page)
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert "&quot;&lt;script" in page


@pytest.mark.asvs("1.2.1")
async def test_a_value_of_an_app_cannot_close_the_script_of_the_page(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        gr.Textbox(value=f"</script>{HOSTILE}")
    ada = await (await mounted(demo)).signed_in()

    page = (await ada.http.get(f"{GRADIO}/")).text

    assert "alert(1)" in page
    assert f"</script>{HOSTILE}"[:20] not in page
    assert not re.search(r"<script[^>]*>alert\(1\)", page)


@pytest.mark.asvs("4.2.2")
async def test_the_content_length_of_a_page_counts_bytes(mounted: Mounts) -> None:
    house = await mounted(an_app(), project_name="Größe 大きさ")
    ada = await house.signed_in()

    page = await ada.http.get(f"{GRADIO}/")

    assert page.headers.get_list("content-length") == [str(len(page.content))]
    assert "Größe 大きさ" in page.text


async def test_the_bar_comes_first_in_the_body(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()

    page = (await ada.http.get(f"{GRADIO}/")).text

    body = page[page.index("<body") :]
    assert body.index("<gradioapp-bar ") < body.index("<gradio-app")
    assert page.count("<gradioapp-bar ") == 1
    assert '<form method="post" action="/logout">' in body
    assert 'title="ada@example.org"' in body


# Cache rules


@pytest.mark.asvs("14.3.2")
async def test_responses_with_personal_data_are_never_stored_by_the_browser(
    mounted: Mounts,
) -> None:
    ada = await (await mounted(an_app())).signed_in()

    answers = [await ada.http.get(address) for address in PAGES]

    assert [(a.status_code, *a.headers.get_list("cache-control")) for a in answers] == [
        (200, "private, no-store")
    ] * 3


async def test_an_asset_with_a_hash_in_its_name_is_immutable(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()
    page = (await ada.http.get(f"{GRADIO}/")).text
    names = re.findall(r'(?:src|href)="\./(assets\w*/[^"]+)"', page)

    answers = [await ada.http.get(f"{GRADIO}/{name}") for name in names]

    assert names
    assert {
        (answer.status_code, *answer.headers.get_list("cache-control")) for answer in answers
    } == {(200, "public, max-age=31536000, immutable")}


async def test_a_missing_asset_is_not_immutable(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()

    answer = await ada.http.get(f"{GRADIO}/{assets_folder()}/nothing-00000000.js")

    assert answer.status_code == 404
    assert "immutable" not in answer.headers["cache-control"]


async def test_a_theme_is_immutable_only_with_its_version(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()

    rules = [
        (await ada.http.get(f"{GRADIO}/theme.css{query}")).headers["cache-control"]
        for query in ("?v=1", "", "?x=1&v=1")
    ]

    assert rules[0] == "private, max-age=31536000, immutable"
    assert "immutable" not in rules[1] + rules[2]


# The origin of requests


@pytest.mark.asvs("3.4.2")
async def test_no_cors_header_admits_a_foreign_origin(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()
    ask = {"access-control-request-method": "POST"}

    answers = [
        await ada.http.request(method, path, headers={**ask, "origin": origin})
        for origin in ("https://evil.test", "null", "http://localhost.evil.test")
        for path in (*PAGES, f"{GRADIO}/theme.css", f"{GRADIO}/gradio_api/queue/join")
        for method in ("GET", "OPTIONS", "POST")
    ]

    assert not [h for a in answers for h in a.headers if h.startswith("access-control-")]


@pytest.mark.asvs("3.4.2")
async def test_gradio_itself_reflects_no_origin(mounted: Mounts) -> None:
    house = await mounted(an_app())
    said: list[bytes] = []

    async def send(message: Any) -> None:
        said.extend(name for name, _ in message.get("headers", []))

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    headers = [(b"host", b"app.example.org"), (b"origin", b"https://evil.test")]
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{GRADIO}/theme.css",
        "query_string": b"",
        "headers": headers,
        "scheme": "https",
        "root_path": "",
        "state": {},
    }
    await house.api(scope, receive, send)

    assert b"content-type" in said
    assert not [name for name in said if name.startswith(b"access-control-allow")]


@pytest.mark.asvs("3.5.1")
async def test_an_event_from_a_foreign_page_is_refused(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()

    statuses = [
        (await ada.http.post(address, json={}, headers={"origin": "https://evil.test"})).status_code
        for address in (
            f"{GRADIO}/gradio_api/{path}"
            for path in ("queue/join", "run/fn", "upload", "cancel", "reset")
        )
    ]

    assert statuses == [403] * 5


FORGED: Final = {
    "x-forwarded-host": EVIL,
    "x-forwarded-proto": "https",
    "x-forwarded-prefix": f"/{EVIL}",
    "x-gradio-server": f"http://{EVIL}/",
    "forwarded": f"host={EVIL}",
    "x-original-host": EVIL,
    "x-direct-url": f"http://{EVIL}/",
}


@pytest.mark.asvs("4.1.3")
async def test_a_forged_header_reaches_neither_its_own_response_nor_later_ones(
    mounted: Mounts,
) -> None:
    ada = await (await mounted(an_app())).signed_in()

    answers = [
        await ada.http.get(address, headers=headers)
        for headers in (FORGED, *({name: value} for name, value in FORGED.items()), {})
        for address in PAGES
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert not [a for a in answers if EVIL in a.text or "https://localhost" in a.text]


@pytest.mark.asvs("4.1.3")
async def test_a_foreign_host_is_refused_and_does_not_affect_later_responses(
    mounted: Mounts,
) -> None:
    ada = await (await mounted(an_app())).signed_in()

    forged = [await ada.http.get(address, headers={"host": EVIL}) for address in PAGES]
    afterwards = [await ada.http.get(address) for address in PAGES]

    assert [answer.status_code for answer in forged] == [400] * 3
    assert [answer.status_code for answer in afterwards] == [200] * 3
    assert not [a for a in afterwards if EVIL in a.text]


async def test_a_config_has_the_public_address(mounted: Mounts) -> None:
    house = await mounted(an_app(), public_url="https://app.example.org")
    ada = await house.signed_in()
    ada.http.base_url = httpx.URL("http://app.example.org")
    ada.http.cookies.set("__Host-gradioapp-session", ada.http.cookies["gradioapp-session"])

    config = (await ada.http.get(f"{GRADIO}/config")).json()

    assert config["root"] == f"https://app.example.org{GRADIO}"


# Switched off


@pytest.mark.asvs("15.2.3", "16.5.1")
async def test_a_page_is_served_without_features_that_reveal_internals(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()

    config = (await ada.http.get(f"{GRADIO}/config")).json()

    off = ("show_error", "run_history", "analytics_enabled", "mcp_server", "pwa", "dev_mode")
    assert {name: config[name] for name in off} == dict.fromkeys(off, False)


async def test_the_service_switches_gradios_telemetry_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    was_enabled = analytics_enabled()

    async with create_app(build(load(env_file=None, environment="test"))).running():
        is_enabled = analytics_enabled()

    assert (was_enabled, is_enabled) == (True, False)


async def test_an_author_cannot_enable_features_that_the_mount_disables(mounted: Mounts) -> None:
    demo = an_app()
    demo.show_error = True
    demo.run_history = True
    demo.pwa = True
    ada = await (await mounted(demo)).signed_in()

    config = (await ada.http.get(f"{GRADIO}/config")).json()

    off = ("show_error", "run_history", "pwa")
    assert {name: config[name] for name in off} == dict.fromkeys(off, False)


@pytest.mark.asvs("5.2.1")
async def test_a_page_tells_the_front_end_the_largest_upload(mounted: Mounts) -> None:
    house = await mounted(an_app(), upload_limit_mb=3)
    ada = await house.signed_in()

    config = (await ada.http.get(f"{GRADIO}/config")).json()

    assert config["max_file_size"] == 3 * 1024 * 1024


@pytest.mark.asvs("15.2.2")
async def test_the_queue_is_limited_and_the_author_may_choose_the_limit(mounted: Mounts) -> None:
    chosen = an_app().queue(max_size=7)

    default, own = (await mounted(an_app())).demo, (await mounted(chosen)).demo

    assert (default._queue.max_size, own._queue.max_size) == (1000, 7)


async def test_the_theme_of_an_author_is_served(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    demo._deprecated_theme = gr.themes.Base(primary_hue="rose")
    ada = await (await mounted(demo)).signed_in()

    css = (await ada.http.get(f"{GRADIO}/theme.css")).text

    assert gr.themes.colors.rose.c500 in css


async def test_an_app_that_is_served_again_starts_with_an_empty_queue() -> None:
    ran: list[int] = []
    has_begun = asyncio.Event()

    async def wait(number: int) -> int:
        ran.append(number)
        has_begun.set()
        if number < 3:
            await asyncio.Event().wait()
        return number

    demo = gr.Blocks()
    with demo:
        number = gr.Number(precision=0)
        gr.Button().click(wait, number, number, api_name="wait")
    async with AsyncExitStack() as closing:
        ada = await (await Mounts(closing)(demo)).signed_in()
        await ada.start("wait", 1)
        await ada.start("wait", 2)
        await has_begun.wait()

    async with AsyncExitStack() as closing:
        ada = await (await Mounts(closing)(demo)).signed_in()
        assert await ada.gets("wait", 3) == 3

    assert ran == [1, 3]


@pytest.mark.asvs("3.5.5")
async def test_no_script_of_a_page_accepts_messages_of_other_sites(mounted: Mounts) -> None:
    ada = await (await mounted(an_app())).signed_in()

    page = (await ada.http.get(f"{GRADIO}/")).text

    assert "iframeResizer.contentWindow" not in page
    assert page.count("<script") == page.count("</script>")


async def test_a_title_cannot_change_how_the_page_is_rewritten(mounted: Mounts) -> None:
    demo = gr.Blocks(
        title="iframeResizer.contentWindow <script>window.gradio_api_info = 1;</script>"
    )
    with demo:
        gr.Button().click(requires("trainer")(lambda: "hidden"), None, gr.Textbox(), api_name="fn")
    ada = await (await mounted(demo)).signed_in()

    answer = await ada.http.get(f"{GRADIO}/")

    assert answer.status_code == 200
    assert "iframeResizer.contentWindow.min.js" not in answer.text
    assert "window.gradio_config = {" in answer.text
    assert answer.text.count("<body") == answer.text.count('<header class="gradioapp-bar"') == 1
    page = answer.text
    assert page.count("<script") == page.count("</script>")
