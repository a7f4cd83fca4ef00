"""Every route of a mounted Gradio app has a verdict: a release of Gradio that adds a route fails here first."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import gradio as gr
import pytest
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount

from entrypoints.ui import Page
from entrypoints.ui.addresses import Addresses
from entrypoints.ui.delivery.front_end import assets_folder
from tests.ui.conftest import GRADIO, Mounts, completed

Verdict = Literal["open", "signed in", "closed"]

_API: Final = "/gradio_api"
JUDGED: Final[dict[Verdict, frozenset[tuple[str, str]]]] = {
    "open": frozenset(
        {
            ("GET", "/assets/{path:path}"),
            ("GET", "/static/{path:path}"),
            ("GET", f"{_API}/app_id"),
            ("GET", f"{_API}/app_id/"),
        }
    ),
    "signed in": frozenset(
        {
            ("GET", "/"),
            ("HEAD", "/"),
            ("GET", "/theme.css"),
            ("GET", f"{_API}/theme.css"),
            ("GET", "/config"),
            ("GET", "/config/"),
            ("GET", f"{_API}/info"),
            ("GET", f"{_API}/deep_link"),
            ("GET", f"{_API}/info/"),
            ("GET", f"{_API}/file={{path_or_url:path}}"),
            ("HEAD", f"{_API}/file={{path_or_url:path}}"),
            ("GET", f"{_API}/file/{{path:path}}"),
            ("POST", f"{_API}/stream/{{event_id}}"),
            ("POST", f"{_API}/stream/{{event_id}}/close"),
            ("GET", f"{_API}/stream/{{session_hash}}/{{run}}/{{component_id}}/playlist.m3u8"),
            ("GET", f"{_API}/stream/{{session_hash}}/{{run}}/{{component_id}}/playlist-file"),
            (
                "GET",
                f"{_API}/stream/{{session_hash}}/{{run}}/{{component_id}}/{{segment_id}}.{{ext}}",
            ),
            ("POST", f"{_API}/reset"),
            ("POST", f"{_API}/reset/"),
            ("GET", f"{_API}/heartbeat/{{session_hash}}"),
            ("POST", f"{_API}/api/{{api_name}}"),
            ("POST", f"{_API}/api/{{api_name}}/"),
            ("POST", f"{_API}/run/{{api_name}}"),
            ("POST", f"{_API}/run/{{api_name}}/"),
            ("POST", f"{_API}/call/{{api_name}}"),
            ("POST", f"{_API}/call/{{api_name}}/"),
            ("POST", f"{_API}/call/v2/{{api_name}}"),
            ("POST", f"{_API}/call/v2/{{api_name}}/"),
            ("GET", f"{_API}/call/{{api_name}}/{{event_id}}"),
            ("GET", f"{_API}/call/v2/{{api_name}}/{{event_id}}"),
            ("POST", f"{_API}/queue/join"),
            ("GET", f"{_API}/queue/data"),
            ("GET", f"{_API}/queue/status"),
            ("POST", f"{_API}/cancel"),
            ("POST", f"{_API}/component_server"),
            ("POST", f"{_API}/component_server/"),
            ("GET", f"{_API}/custom_component/{{id}}/{{environment}}/{{type}}/{{file_name}}"),
            ("GET", f"{_API}/upload_progress"),
            ("POST", f"{_API}/upload"),
        }
    ),
    "closed": frozenset(
        {
            ("GET", "/openapi.json"),
            ("HEAD", "/openapi.json"),
            ("POST", "/login"),
            ("POST", "/login/"),
            ("GET", "/logout"),
            ("GET", "/svelte/{path:path}"),
            ("GET", "/favicon.ico"),
            ("GET", "/robots.txt"),
            ("GET", "/pwa_icon"),
            ("GET", "/pwa_icon/{size}"),
            ("GET", "/manifest.json"),
            ("GET", "/monitoring"),
            ("GET", "/monitoring/summary"),
            ("GET", "/monitoring/{key}"),
            ("GET", f"{_API}/user"),
            ("GET", f"{_API}/user/"),
            ("GET", f"{_API}/login_check"),
            ("GET", f"{_API}/login_check/"),
            ("GET", f"{_API}/token"),
            ("GET", f"{_API}/token/"),
            ("GET", f"{_API}/dev/reload"),
            ("GET", f"{_API}/runs"),
            ("GET", f"{_API}/runs/"),
            ("GET", f"{_API}/openapi.json"),
            ("GET", f"{_API}/proxy={{url_path:path}}"),
            ("HEAD", f"{_API}/proxy={{url_path:path}}"),
            ("GET", f"{_API}/startup-events"),
            ("POST", f"{_API}/process_recording"),
            ("POST", f"{_API}/vibe-edit"),
            ("POST", f"{_API}/vibe-edit/"),
            ("POST", f"{_API}/undo-vibe-edit"),
            ("POST", f"{_API}/undo-vibe-edit/"),
            ("GET", f"{_API}/vibe-code"),
            ("GET", f"{_API}/vibe-code/"),
            ("POST", f"{_API}/vibe-code"),
            ("POST", f"{_API}/vibe-code/"),
            ("POST", f"{_API}/vibe-starter-queries"),
            ("POST", f"{_API}/vibe-starter-queries/"),
        }
    ),
}

NOT_EVEN_THERE: Final = (
    *(f"{_API}/{name}" for name in ("mcp", "mcp/", "mcp/sse", "mcp/http", "mcp/schema")),
    *(f"{_API}/{name}" for name in ("profiling", "profiling/traces", "run-history", "runs/1")),
    *("/docs", "/redoc", "/login", "/oauth/login", "/.well-known/mcp", "/unheard-of"),
    *(f"{_API}/file", f"{_API}/proxy=http://localhost/", f"{_API}/queue/data/x", "//config"),
    f"{_API}/heartbeat/a/b",
    *(f"{_API}/../config", "/config\n", f"{_API}/info/../token"),
)
"""Addresses that our settings switch off, that belong to other versions, or that are made up."""


def _routes(routes: Sequence[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield all routes. FastAPI 0.165 keeps an included router nested, and a Mount has its own routes."""
    for route in routes:
        path = before + getattr(route, "path", "")
        methods = getattr(route, "methods", None)
        router = getattr(route, "original_router", None)
        if methods:
            yield from ((method, path) for method in methods)
        elif router is not None:
            yield from _routes(router.routes, path)
        elif isinstance(route, Mount):
            yield ("MOUNT", path)
            yield from _routes(route.routes, path)
        else:
            yield (type(route).__name__, path)


def sample(pattern: str) -> str:
    names = re.sub(r"\{[a-z_]+:path\}", "some/thing.txt", pattern)
    return re.sub(r"\{[a-z_]+\}", "thing", names)


JUDGEMENTS: Final = sorted(
    (method, pattern, verdict) for verdict, routes in JUDGED.items() for method, pattern in routes
)


def _inner_routes(routes: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    dispatcher: Any = next(r.app for r in routes if isinstance(r, Mount) and r.path == GRADIO)
    found: Sequence[BaseRoute] = dispatcher.gradio_routes
    return found


@pytest.mark.asvs("8.2.1", "8.3.1", "13.4.5")
async def test_every_route_of_gradio_has_a_verdict(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    house = await mounted(demo)

    there = set(_routes(_inner_routes(house.api.routes)))

    assert there == {(method, pattern) for method, pattern, _ in JUDGEMENTS}


async def test_the_routes_of_an_event_are_tried_first(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    house = await mounted(demo)

    tried = list(_routes(_inner_routes(house.api.routes)))

    assert set(tried[:2]) == {("POST", f"{_API}/queue/join"), ("GET", f"{_API}/queue/data")}


@pytest.fixture
async def addresses(mounted: Mounts) -> Addresses:
    with gr.Blocks() as demo:
        gr.Textbox()
    return (await mounted(demo)).pages.pages[0].addresses


async def test_an_address_requires_the_access_of_its_verdict(
    addresses: Addresses, subtests: pytest.Subtests
) -> None:
    for method, pattern, verdict in JUDGEMENTS:
        with subtests.test(method=method, pattern=pattern, verdict=verdict):
            who = {"open": "anyone", "signed in": "signed in", "closed": "nobody"}[verdict]

            assert addresses.access(method, sample(pattern)).who == who


async def test_an_address_without_a_verdict_is_closed(
    addresses: Addresses, subtests: pytest.Subtests
) -> None:

    for path in NOT_EVEN_THERE:
        with subtests.test(path=path):
            assert {addresses.access(m, path).who for m in ("GET", "HEAD", "POST")} == {"nobody"}


async def test_only_our_mcp_server_is_added_when_mcp_is_switched_on(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    addresses = (await mounted(demo, mcp=True)).pages.pages[0].addresses

    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    there = {
        (m, p) for m in methods for p in NOT_EVEN_THERE if addresses.access(m, p).who != "nobody"
    }

    ours = (f"{_API}/mcp", f"{_API}/mcp/", f"{_API}/mcp/http")
    assert there == {(m, p) for m in ("GET", "POST", "DELETE") for p in ours}
    assert {addresses.access(m, p).who for m, p in there} == {"signed in"}


async def test_methods_that_gradio_does_not_use_are_closed(
    addresses: Addresses, subtests: pytest.Subtests
) -> None:

    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"]:
        with subtests.test(method=method):
            assert {addresses.access(method, sample(p)).who for _, p, _ in JUDGEMENTS} == {"nobody"}


async def test_only_requests_that_carry_input_may_have_a_body(addresses: Addresses) -> None:

    limits = {
        (m, p): addresses.access(m, sample(p)).body_limit
        for m, p, verdict in JUDGEMENTS
        if verdict != "closed"
    }

    with_body = {key for key, limit in limits.items() if limit}
    assert limits["POST", f"{_API}/upload"] == addresses.rules.upload_limit
    assert with_body == {(m, p) for m, p, v in JUDGEMENTS if m == "POST" and v == "signed in"}


async def test_closed_addresses_have_the_same_body_limits_as_open_ones(
    addresses: Addresses,
) -> None:

    limits = {
        (m, addresses.access(m, sample(p)).body_limit) for m, p, v in JUDGEMENTS if v == "closed"
    }

    assert limits == {("GET", 0), ("HEAD", 0), ("POST", addresses.rules.body_limit)}


async def test_gradios_folder_of_scripts_is_also_open_under_the_name_of_each_release(
    addresses: Addresses,
) -> None:
    there = [f"/{name}/a.js" for name in ("assets", assets_folder(), "assets_00000000")]
    not_there = (
        "assets_",
        "assets_0000000",
        "assets_000000000",
        "assets_0000000G",
        "assets-00000000",
    )

    assert {addresses.access(m, p).who for p in there for m in ("GET", "HEAD")} == {"anyone"}
    assert {addresses.access("POST", path).who for path in there} == {"nobody"}
    assert {addresses.access("GET", f"/{name}/a.js").who for name in not_there} == {"nobody"}


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_an_anonymous_caller_reaches_only_open_addresses(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    stranger = (await mounted(demo)).anonymous().http

    statuses = {
        (method, pattern): (
            await stranger.request(method, f"{GRADIO}{sample(pattern)}")
        ).status_code
        for method, pattern, verdict in JUDGEMENTS
        if verdict != "open"
    }

    assert set(statuses.values()) == {401}, statuses


async def test_a_tab_whose_session_has_ended_can_still_read_the_app_id(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    house = await mounted(demo)
    ada = await house.signed_in()
    config = (await ada.http.get(f"{GRADIO}/config")).json()
    await house.ends(ada)

    answer = await ada.http.get(f"{GRADIO}/gradio_api/app_id")

    assert answer.json() == {"app_id": config["app_id"]}


@pytest.mark.asvs("13.4.5", "16.5.1")
async def test_a_closed_address_is_not_found_for_signed_in_callers(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    ada = (await (await mounted(demo)).signed_in()).http
    closed = [(m, p) for m, p, verdict in JUDGEMENTS if verdict == "closed"]

    statuses = {
        (method, pattern): (await ada.request(method, f"{GRADIO}{sample(pattern)}")).status_code
        for method, pattern in closed
    }
    mcp = await ada.post(f"{GRADIO}/gradio_api/mcp/", json={"method": "tools/list"})

    assert set(statuses.values()) == {404}, statuses
    assert mcp.status_code == 404


async def test_an_address_whose_row_is_removed_is_refused(
    mounted: Mounts,
) -> None:
    """Requests that the service makes itself do not pass the gate, and are refused too."""
    with gr.Blocks() as demo:
        gr.Textbox()
    house = await mounted(demo)
    ada = (await house.signed_in()).http
    [mount] = [r for r in house.api.routes if isinstance(r, Mount) and r.path == GRADIO]
    dispatcher: Any = mount.app
    here = house.pages.pages[0]
    assert (await ada.get(f"{GRADIO}/config")).status_code == 200

    for table in (dispatcher, here):
        object.__setattr__(table, "addresses", here.addresses.without({"/config/?"}))
    refused = await ada.get(f"{GRADIO}/config")
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{GRADIO}/config",
        "headers": [],
        "state": {},
    }
    with pytest.raises(HTTPException) as inside:
        await dispatcher(scope, None, None)

    assert refused.status_code == 404
    assert inside.value.status_code == 404


async def test_a_route_that_a_release_of_gradio_adds_is_refused(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    house = await mounted(demo)
    ada = (await house.signed_in()).http
    reached: list[str] = []
    gradio: Any = house.demo.app
    for path in ("/brand-new", "/gradio_api/brand-new"):
        gradio.add_api_route(path, lambda: reached.append("new"), methods=["GET", "POST"])

    answers = [
        await ada.request(method, f"{GRADIO}{path}")
        for method in ("GET", "POST")
        for path in ("/brand-new", "/gradio_api/brand-new")
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert not reached


ELSEWHERE: Final = {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}


@pytest.mark.asvs("3.5.8", "3.5.1", "3.2.1")
async def test_other_sites_cannot_load_an_address_that_requires_a_session(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    house = await mounted(demo, mcp=True)
    ada = (await house.signed_in()).http
    program = house.program(await house.makes_token()).http
    asked = [(m, sample(p)) for m, p, verdict in JUDGEMENTS if verdict == "signed in"]
    asked += [("GET", f"{_API}/mcp"), ("POST", f"{_API}/mcp")]

    for method, path in asked:
        for site in ("cross-site", "same-site"):
            with subtests.test(method=method, path=path, site=site):
                headers = ELSEWHERE | {"sec-fetch-site": site}
                asked_for = ada.request(method, f"{GRADIO}{path}", headers=headers)
                answer = await asyncio.wait_for(asked_for, timeout=5)  # A stream would go on.

                assert answer.status_code == 403
    for path in ("/", "/config", f"{_API}/info"):
        answer = await program.get(f"{GRADIO}{path}", headers=ELSEWHERE | {"sec-fetch-site": "x"})

        assert answer.status_code == 200


@pytest.mark.asvs("3.4.6", "3.5.8")
async def test_only_the_page_itself_is_framed_when_its_policy_allows_frames(
    mounted: Mounts,
) -> None:
    portal = {"frame-ancestors": "https://portal.example.org"}
    with gr.Blocks() as demo, gr.Blocks() as framed, gr.Blocks() as other:
        pass
    pages = [Page(framed, title="Framed", csp=portal), Page(other, title="Other")]
    ada = await (await mounted(demo, others=pages)).signed_in()
    headers = {
        "sec-fetch-site": "same-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "iframe",
    }

    statuses = {
        path: (await ada.http.get(f"{GRADIO}/{path}", headers=headers)).status_code
        for path in ("framed/", "framed/config", "framed/gradio_api/file=a.html", "other/", "")
    }

    assert statuses.pop("framed/") == 200
    assert set(statuses.values()) == {403}


@pytest.mark.asvs("5.3.2", "13.4.1")
@pytest.mark.parametrize("component", [gr.File, gr.Image])
@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/../etc/passwd", "file:///etc/passwd"])
async def test_a_file_of_the_server_is_refused_as_an_input(
    mounted: Mounts, component: type[gr.components.Component], path: str
) -> None:
    reached: list[object] = []

    def show(file: object) -> str:
        reached.append(file)
        return str(file)

    with gr.Blocks() as demo:
        gr.Button().click(show, component(), gr.Textbox(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    for meta in ({"meta": {"_type": "gradio.FileData"}}, {}):
        body = {"data": [{"path": path, **meta}]}
        told = await ada.http.post(f"{GRADIO}/gradio_api/run/show", json=body)

        assert told.status_code == 400
        assert "root:" not in told.text
    assert not reached


@pytest.mark.asvs("5.3.2", "13.4.1")
async def test_a_file_of_the_server_cannot_be_fetched(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    with gr.Blocks() as demo:
        gr.File()
    ada = await (await mounted(demo)).signed_in()

    for address in ["file=/etc/passwd", "file//etc/passwd", "file=http://x.test/"]:
        with subtests.test(address=address):
            answer = await ada.http.get(f"{GRADIO}/gradio_api/{address}")

            assert answer.status_code in {403, 404}, answer.text
            assert "root:" not in answer.text


DEEP: Final = "[" * 10_000 + "]" * 10_000
BODY: Final[dict[str, Any]] = {"data": ["x"], "fn_index": 0, "session_hash": "tab"}


def _bodies() -> Iterator[tuple[str, str]]:
    wrong: dict[str, Sequence[Any]] = {
        "fn_index": (999999, -1, 10**30, "x", "\0", None, 1.5, True, [0], {}),
        "data": ("x", 3, None, {"a": 1}, [], ["x"] * 50, [["x"]], ["\ud800"], [float("nan")]),
        "session_hash": (3, ["a"], None, "a" * 100_000, "\ud800", "\0", True, {}),
        "event_data": ("x", 1, [1], {"value": "\ud800"}, {"\udfff": 1}, {"value": "a\0b"}),
        "trigger_id": ("x", 1.5, 10**30, -1),
        "batched": ("x", True),
        "event_id": (3, "x", [], "\ud800"),
        "request": ({"path": 3}, "x"),
    }
    for key, values in wrong.items():
        yield f"{key} missing", json.dumps({k: v for k, v in BODY.items() if k != key})
        for value in values:
            yield f"{key} {value!r:.20}", json.dumps({**BODY, key: value})
    paths: Sequence[Any] = (3, None, [], "a\0b", "a" * 10_000, "http://x.test/")
    for path in paths:
        named = {"path": path, "meta": {"_type": "gradio.FileData"}}
        yield f"file {path!r:.20}", json.dumps({**BODY, "data": [named]})
    yield "deep", DEEP
    yield "deep data", f'{{"fn_index":0,"session_hash":"tab","data":{DEEP}}}'
    yield (
        "deep event data",
        f'{{"fn_index":0,"session_hash":"tab","data":["x"],"event_data":{DEEP}}}',
    )
    yield from (
        (f"body {text}", text) for text in ("", "x", "null", "[]", "1", '{"data":', "\ufeff{}")
    )


@pytest.mark.asvs("2.2.1", "16.5.1")
async def test_unreadable_input_is_never_reported_as_a_server_error(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(str, gr.Textbox(), gr.Textbox(), api_name="echo")
    ada = (await (await mounted(demo)).signed_in()).http
    events = ("queue/join", "run/echo", "call/echo", "call/v2/echo", "run/unheard-of", "cancel")

    statuses = {
        (path, name): (
            await ada.post(
                f"{GRADIO}/gradio_api/{path}",
                content=body.encode("utf-8", "surrogatepass"),
                headers={"content-type": "application/json"},
            )
        ).status_code
        for path in (*events, "component_server", "stream/thing", "upload")
        for name, body in _bodies()
    }

    assert not {key: status for key, status in statuses.items() if status >= 500}


@pytest.mark.asvs("15.2.2", "16.5.2")
async def test_a_tab_without_a_name_does_not_stop_the_queue_of_others(mounted: Mounts) -> None:
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def echo(text: str) -> str:
        has_begun.set()
        await may_go_on.wait()
        return text

    with gr.Blocks() as demo:
        gr.Button().click(echo, gr.Textbox(), gr.Textbox(), api_name="echo")
    house = await mounted(demo)
    eve, ada = await house.signed_in("eve@example.org"), await house.signed_in()

    running = await ada.start("echo", "hello")
    await has_begun.wait()
    for _ in range(3):
        await eve.http.post(f"{GRADIO}/gradio_api/queue/join", json={**BODY, "session_hash": ""})
    may_go_on.set()

    assert completed(await asyncio.wait_for(ada.told(running), timeout=2))["success"]
    assert await asyncio.wait_for(ada.gets("echo", "again"), timeout=2) == "again"


async def test_an_unreadable_request_does_not_stop_the_queue(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(str, gr.Textbox(), gr.Textbox(), api_name="echo")
    house = await mounted(demo)
    eve, ada = await house.signed_in("eve@example.org"), await house.signed_in()

    for _, body in _bodies():
        await eve.http.post(
            f"{GRADIO}/gradio_api/queue/join",
            content=body.encode("utf-8", "surrogatepass"),
            headers={"content-type": "application/json"},
        )

    assert await asyncio.wait_for(ada.gets("echo", "hello"), timeout=5) == "hello"
