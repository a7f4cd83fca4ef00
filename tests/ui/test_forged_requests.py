"""No page of another site makes a browser run an event, upload a file or stop something: every address of Gradio that
changes something, in every shape of a forged request."""

import json
from typing import Any, Final

import gradio as gr
import httpx
import pytest

from tests.ui.attacks import API, index_of, joins
from tests.ui.conftest import HERE, Browser, House, Mounts, completed
from tests.web.forgeries import FOREIGN, HOSTS, NOTHING, Headers

pytestmark = pytest.mark.asvs("V3.5.1")

JSON_TYPE: Final = ("content-type", "application/json")
PATHS: Final[dict[str, str]] = {
    "join": f"{API}/queue/join",
    "run": f"{API}/run/note",
    "api": f"{API}/api/note",
    "call": f"{API}/call/note",
    "call by names": f"{API}/call/v2/note",
    "cancel": f"{API}/cancel",
    "reset": f"{API}/reset",
    "upload": f"{API}/upload",
    "component function": f"{API}/component_server",
    "close a tab": f"{API}/heartbeat/mine/close",
    "stream to an event": f"{API}/stream/some-event",
    "close a stream": f"{API}/stream/some-event/close",
    "mcp": f"{API}/mcp",
}
ROWS: Final = {
    *(r"/gradio_api/queue/join", r"/gradio_api/(run|api)/(?P<api_name>[^/]+)/?"),
    *(r"/gradio_api/call/v2/(?P<api_name>[^/]+)/?", r"/gradio_api/call/(?P<api_name>[^/]+)/?"),
    *(r"/gradio_api/cancel", r"/gradio_api/reset/?", r"/gradio_api/upload"),
    *(r"/gradio_api/component_server/?", r"/gradio_api/heartbeat/(?P<tab>[^/]+)/close"),
    *(r"/gradio_api/stream/(?P<event_id>[^/]+)", r"/gradio_api/stream/(?P<event_id>[^/]+)/close"),
    r"/gradio_api/mcp(/http)?/?",
}
"""The rows of the table that take an unsafe method. Each has its path above."""


class Notes:
    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> str:
        self.written.append(text)
        return text


def app(notes: Notes) -> gr.Blocks:
    with gr.Blocks() as demo:
        text = gr.Textbox()
        gr.Button().click(notes.write, text, text, api_name="note")
    return demo  # type: ignore[no-any-return]


def body_of(house: House, path: str) -> tuple[bytes, tuple[str, str]]:
    """Return what the page would send there, and its content type."""
    if path.endswith("/upload"):
        files = {"files": ("a.txt", b"forged")}
        sent = httpx.Request("POST", "http://x", files=files)
        return sent.read(), ("content-type", sent.headers["content-type"])
    index = index_of(house, "note")
    event: dict[str, Any] = {"data": ["forged"], "fn_index": index, "session_hash": "mine"}
    if path.endswith("/cancel"):
        event = {"session_hash": "mine", "fn_index": index, "event_id": "e"}
    if path.endswith("/mcp"):
        call = {"name": "note", "arguments": {"text": "forged"}}
        event = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    if "/call/v2/" in path:
        event = {"text": "forged"}
    return json.dumps(event).encode(), JSON_TYPE


async def posts(
    ada: Browser, house: House, path: str, headers: Headers, *, content_type: str | None = None
) -> httpx.Response:
    content, kind = body_of(house, path)
    if content_type is not None:
        kind = ("content-type", content_type)
    cookies = "; ".join(f"{name}={value}" for name, value in ada.http.cookies.items())
    sent = httpx.Request(
        "POST", f"{HERE}{path}", content=content, headers=[("cookie", cookies), kind, *headers]
    )
    answer = await ada.http._transport.handle_async_request(sent)
    await answer.aread()
    return answer


def kept(house: House, notes: Notes) -> tuple[Any, ...]:
    """Return what is stored, which events have run, and which tabs and files there are."""
    accounts = house.pages.accounts.all()
    tabs = sorted(tab.name for account in accounts for tab in account.tabs)
    return house.container.store().tables.copied(), list(notes.written), tabs


async def test_the_table_has_every_address_of_gradio_that_changes_something(
    mounted: Mounts,
) -> None:
    house = await mounted(app(Notes()), mcp=True)

    [page] = house.pages.pages
    table = page.addresses
    assert {row.path.pattern for row in table.rows if row.methods & {"POST", "DELETE"}} == ROWS


async def test_another_site_runs_uploads_and_stops_nothing(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    notes = Notes()
    house = await mounted(app(notes), mcp=True)
    ada = await house.signed_in()
    await joins(ada, house, "note", "before", tab="mine")
    completed(await ada.told("mine"))
    before = kept(house, notes)
    shapes = {
        **{name: (headers, 403, "foreign-origin") for name, headers in (FOREIGN | NOTHING).items()},
        **{
            name: ([("origin", HERE), *headers], 400, "unknown-host")
            for name, headers in HOSTS.items()
            if all(name != "origin" for name, _ in headers)
        },
    }

    for address, path in PATHS.items():
        for name, (headers, status, kind) in shapes.items():
            with subtests.test(address=address, headers=name):
                answer = await posts(ada, house, path, headers)

                assert (answer.status_code, kind in answer.json()["type"]) == (status, True)
                assert kept(house, notes) == before

    assert (await posts(ada, house, PATHS["join"], [("origin", HERE)])).status_code == 200
    completed(await ada.told("mine"))
    assert notes.written == ["before", "forged"]
    assert (await posts(ada, house, PATHS["upload"], [("origin", HERE)])).status_code == 200
    assert kept(house, notes)[0] != before[0]


NAVIGATES: Final = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")]
OF_FORMS: Final[dict[str, tuple[Headers, str | None]]] = {
    "text with fetch metadata": ([*NAVIGATES, ("origin", HERE)], "text/plain"),
    "a form with files, with fetch metadata": (NAVIGATES, None),
    "text": ([("origin", HERE)], "text/plain"),
    "text with a charset": ([("origin", HERE)], "Text/Plain; charset=UTF-8"),
    "fields": ([("origin", HERE)], "application/x-www-form-urlencoded"),
}


@pytest.mark.asvs("V3.5.2", "V3.2.2")
async def test_a_form_in_a_text_of_a_user_runs_and_stops_nothing(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    notes = Notes()
    house = await mounted(app(notes), mcp=True)
    ada = await house.signed_in()
    await joins(ada, house, "note", "before", tab="mine")
    completed(await ada.told("mine"))
    before = kept(house, notes)

    for address, path in PATHS.items():
        for name, (headers, kind) in OF_FORMS.items():
            with subtests.test(address=address, shape=name):
                answer = await posts(ada, house, path, headers, content_type=kind)

                # A tab is closed without a body.
                assert answer.status_code == (413 if address == "close a tab" else 415)
                assert kept(house, notes) == before


async def test_a_program_with_a_token_may_leave_the_type_to_its_client(mounted: Mounts) -> None:
    notes = Notes()
    house = await mounted(app(notes))
    await house.signed_in()
    program = house.program(await house.makes_token())

    answer = await program.http.post(
        PATHS["run"],
        content=body_of(house, PATHS["run"])[0],
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 200
    assert notes.written == ["forged"]


async def test_another_site_gets_no_permission_for_a_request_that_asks_first(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    house = await mounted(app(Notes()), mcp=True)
    ada = await house.signed_in()
    asks = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,authorization",
        "access-control-request-private-network": "true",
    }

    for path in PATHS.values():
        for origin in ("https://evil.example", "null", HERE):
            with subtests.test(path=path, origin=origin):
                answer = await ada.http.options(path, headers={**asks, "origin": origin})

                assert not any(name.startswith("access-control-") for name in answer.headers)
                assert answer.status_code in {401, 403, 404, 405}


async def test_a_link_runs_nothing(mounted: Mounts, subtests: pytest.Subtests) -> None:
    notes = Notes()
    house = await mounted(app(notes), mcp=True)
    ada = await house.signed_in()
    await joins(ada, house, "note", "before", tab="mine")
    completed(await ada.told("mine"))
    before = kept(house, notes)

    for path in PATHS.values():
        with subtests.test(path=path):
            query: dict[str, str | int] = {
                "data": '["forged"]',
                "fn_index": index_of(house, "note"),
                "session_hash": "mine",
            }
            answer = await ada.http.get(path, params=query)

            assert answer.status_code in {404, 405}
            assert kept(house, notes) == before
