"""Every address of a mounted Gradio app has been judged: a release that adds one fails here first."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import gradio as gr
import pytest
from starlette.routing import BaseRoute, Mount

from entrypoints.ui import Page
from entrypoints.ui.guard import GradioAddresses
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
            ("GET", f"{_API}/deep_link"),
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
            ("GET", f"{_API}/custom_component/{{id}}/{{environment}}/{{type}}/{{file_name}}"),
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
"""Off by our settings, of other versions, or made up."""


def _routes(routes: Sequence[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """FastAPI 0.165 keeps an included router nested, and a Mount has routes of its own."""
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
    guarded: Any = next(r.app for r in routes if isinstance(r, Mount) and r.path == GRADIO)
    found: Sequence[BaseRoute] = guarded._inner.routes
    return found


@pytest.mark.asvs("8.2.1", "8.3.1", "13.4.5")
async def test_gradio_has_no_address_that_nobody_has_judged(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    house = await mounted(demo)

    there = set(_routes(_inner_routes(house.api.routes)))

    assert there == {(method, pattern) for method, pattern, _ in JUDGEMENTS}


async def test_of_gradios_many_patterns_those_of_an_event_are_tried_first(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    house = await mounted(demo)

    tried = list(_routes(_inner_routes(house.api.routes)))

    assert set(tried[:2]) == {("POST", f"{_API}/queue/join"), ("GET", f"{_API}/queue/data")}


def test_an_address_asks_what_was_judged(subtests: pytest.Subtests) -> None:
    addresses = GradioAddresses(body_limit=10, upload_limit=20)
    for method, pattern, verdict in JUDGEMENTS:
        with subtests.test(method=method, pattern=pattern, verdict=verdict):
            who = {"open": "anyone", "signed in": "signed in", "closed": "nobody"}[verdict]

            assert addresses.access(method, sample(pattern)).who == who


def test_an_address_that_is_not_on_the_list_is_closed(subtests: pytest.Subtests) -> None:
    addresses = GradioAddresses(body_limit=10, upload_limit=20)

    for path in NOT_EVEN_THERE:
        with subtests.test(path=path):
            assert {addresses.access(m, path).who for m in ("GET", "HEAD", "POST")} == {"nobody"}


def test_our_mcp_server_is_there_when_it_is_switched_on_and_nothing_else_is() -> None:
    addresses = GradioAddresses(body_limit=10, upload_limit=20, has_mcp=True)

    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    there = {
        (m, p) for m in methods for p in NOT_EVEN_THERE if addresses.access(m, p).who != "nobody"
    }

    ours = (f"{_API}/mcp", f"{_API}/mcp/", f"{_API}/mcp/http")
    assert there == {(m, p) for m in ("GET", "POST", "DELETE") for p in ours}
    assert {addresses.access(m, p).who for m, p in there} == {"signed in"}


def test_methods_that_gradio_does_not_use_are_closed(subtests: pytest.Subtests) -> None:
    addresses = GradioAddresses(body_limit=10, upload_limit=20)

    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"]:
        with subtests.test(method=method):
            assert {addresses.access(method, sample(p)).who for _, p, _ in JUDGEMENTS} == {"nobody"}


def test_only_a_request_that_brings_something_may_have_a_body() -> None:
    addresses = GradioAddresses(body_limit=10, upload_limit=20)

    limits = {
        (m, p): addresses.access(m, sample(p)).body_limit
        for m, p, verdict in JUDGEMENTS
        if verdict != "closed"
    }

    with_body = {key for key, limit in limits.items() if limit}
    assert limits["POST", f"{_API}/upload"] == 20
    assert with_body == {(m, p) for m, p, v in JUDGEMENTS if m == "POST" and v == "signed in"}


def test_what_is_not_there_may_bring_as_much_as_what_is() -> None:
    addresses = GradioAddresses(body_limit=10, upload_limit=20)

    limits = {
        (m, addresses.access(m, sample(p)).body_limit) for m, p, v in JUDGEMENTS if v == "closed"
    }

    assert limits == {("GET", 0), ("HEAD", 0), ("POST", 10)}


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_a_stranger_gets_nothing_that_is_not_open(mounted: Mounts) -> None:
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


async def test_a_tab_whose_session_has_ended_still_asks_for_the_apps_number(
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
async def test_a_closed_address_is_not_there_for_anybody(mounted: Mounts) -> None:
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


ELSEWHERE: Final = {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}


@pytest.mark.asvs("3.5.8", "3.5.1", "3.2.1")
async def test_no_address_that_asks_for_a_session_is_loaded_by_another_page(
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
async def test_a_page_whose_policy_says_so_is_framed_and_nothing_else_of_it(
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
async def test_a_file_of_the_server_cannot_be_named_as_an_input(
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
async def test_what_cannot_be_read_is_never_called_a_fault_of_ours(mounted: Mounts) -> None:
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
async def test_a_tab_without_a_name_stops_nobody_elses_queue(mounted: Mounts) -> None:
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


async def test_an_unreadable_request_leaves_the_queue_running(mounted: Mounts) -> None:
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
