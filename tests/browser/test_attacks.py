"""One account's browser attacks another's, from a page that both may use."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.processes import ROOT, Process
from tests.servers import session_of

pytestmark = pytest.mark.browser

API: Final = "/gradio/streams/gradio_api"
ASK: Final = """
async ([path, options]) => {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(), 3000);
  let status = 0;
  let text = "";
  try {
    const answer = await fetch(path, {...options, signal: stop.signal});
    status = answer.status;
    const reader = answer.body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read())
      text += new TextDecoder().decode(read.value);
  } catch {}
  clearTimeout(late);
  return [status, text];
}
"""
"""Return the status and the text that arrived within three seconds, also of an open stream. The
status is 0 without a response."""

NewBrowser = Callable[[], BrowserContext]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = str(ROOT / "tests" / "apps" / "streams.py")
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", app)
    process = Process(*command, folder=Path(tmp_path_factory.mktemp("attacks")))
    try:
        yield process.hears(r"http://127\.0\.0\.1:\d+").group(0)
    finally:
        process.end()


def opens(context: BrowserContext, origin: str, email: str) -> Page:
    token = session_of(origin, email)
    context.add_cookies([{"name": "gradioapp-session", "value": token, "url": origin}])
    tab = context.new_page()
    tab.goto(f"{origin}/gradio/streams/")
    expect(tab.get_by_role("button", name="Run")).to_be_visible()
    return tab


def asks(tab: Page, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    options: dict[str, Any] = {"headers": headers}
    if body is not None:
        headers["content-type"] = "application/json"
        options |= {"method": "POST", "body": json.dumps(body)}
    status, text = tab.evaluate(ASK, [path, options])
    return status, text


@pytest.mark.asvs("8.2.2", "8.4.1")
def test_an_account_cannot_reach_the_tab_of_another(origin: str, new_browser: NewBrowser) -> None:
    john = opens(new_browser(), origin, "john@test.com")
    jane = opens(new_browser(), origin, "jane@test.com")
    with john.expect_response(re.compile("queue/join")) as joined:
        john.get_by_role("button", name="Run").click()
    event_id = joined.value.json()["event_id"]
    asked: Any = joined.value.request.post_data_json
    tab = asked["session_hash"]
    session_id = john.evaluate("fetch('/api/v1/me').then(a => a.json()).then(me => me.session.id)")
    path = john.evaluate(
        """async api => {
          const form = new FormData();
          form.append("files", new Blob(["of John"]), "a.txt");
          return (await (await fetch(`${api}/upload?upload_id=up`, {method: "POST", body: form})).json())[0];
        }""",
        API,
    )
    assert asks(john, f"{API}/file={path}") == (200, "of John")
    leaked = (tab, f"{tab}.{session_id}", f"{tab}.{session_id.replace('-', '')}")

    tried = [
        asks(jane, f"{API}/file={path}"),
        asks(jane, f"{API}/file=/tmp/..{path}"),
        asks(
            jane,
            f"{API}/cancel",
            {"event_id": event_id, "fn_index": 1, "session_hash": tab},
        ),
        asks(jane, f"{API}/stream/{event_id}/close", {}),
        asks(jane, f"{API}/call/endless/{event_id}"),
        asks(
            jane,
            f"{API}/component_server",
            {"session_hash": tab, "component_id": 1, "fn_name": "ls", "data": []},
        ),
        asks(
            jane,
            f"{API}/queue/join",
            {"session_hash": "x", "fn_index": 0, "data": [{"path": path}]},
        ),
        asks(jane, f"{API}/queue/join", {"session_hash": "x", "fn_index": 99, "data": []}),
        asks(jane, f"{API}/run/nothing", {"data": []}),
        asks(jane, f"{API}/deep_link?session_hash={tab}"),
        asks(jane, f"{API}/mcp/", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    ]
    assert {status for status, _ in tried} <= {400, 404}, [(s, t[:60]) for s, t in tried]
    # The stream of her own upload with this name may begin later.
    assert "a.txt" not in asks(jane, f"{API}/upload_progress?upload_id=up")[1]
    for name in leaked:
        told = asks(jane, f"{API}/queue/data?session_hash={name}")
        assert "number" not in told[1], told
        asks(jane, f"{API}/heartbeat/{name}")
    assert asks(jane, f"{API}/info", authorization="Bearer gapp_x")[0] == 401

    stranger = new_browser().new_page()
    for address in (f"file={path}", f"queue/data?session_hash={tab}", f"heartbeat/{tab}", "info"):
        stranger.goto(f"{origin}{API}/{address}")
        assert "/login?next=" in stranger.url

    now = john.get_by_label("Now").input_value()
    assert re.fullmatch(r"number \d+", now)
    expect(john.get_by_label("Now")).not_to_have_value(now)  # The event continues.
