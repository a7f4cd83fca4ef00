"""Lines about security have the request's id, the client's address and the way of the act."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from tests.web.conftest import PASSWORD, Door, Lines

CLIENT: Final = "192.0.2.7"


@pytest.fixture
def audited(lines: Lines) -> Iterator[Lines]:
    """Capture the log with the context of the logger, as it is written."""
    assert not lines
    with capture_logs(processors=[merge_contextvars]) as captured:
        yield captured


async def test_a_sign_in_by_page_is_recorded_with_where_it_came_from(
    door: Door, audited: Lines
) -> None:
    ada = await door.has()
    async with door.client(peer=CLIENT, accept="text/html") as browser:
        form = re.search(r'name="csrf_token" value="([^"]+)"', (await browser.get("/login")).text)
        assert form
        sent = {"username": "ada@example.org", "csrf_token": form.group(1)}
        wrong = await browser.post("/login", data={**sent, "password": "wrong"})
        right = await browser.post("/login", data={**sent, "password": PASSWORD})

    assert (wrong.status_code, right.status_code) == (401, 303)
    refused, done = [line for line in audited if line["event"].startswith("authn_login")]
    for line, response in ((refused, wrong), (done, right)):
        assert (line["of"], line["address"], line["via"]) == (str(ada.id), CLIENT, "page")
        assert line["request_id"] == response.headers["x-request-id"]


async def test_an_act_by_api_is_recorded_with_the_same_fields(door: Door, audited: Lines) -> None:
    async with await door.signed_in(peer=CLIENT) as browser:
        made = await browser.post("/api/v1/me/tokens", json={"name": "Nightly"})

    assert made.status_code == 201
    [line] = [line for line in audited if line["event"] == "authn_token_created"]
    assert (line["address"], line["via"]) == (CLIENT, "api")
    assert line["request_id"] == made.headers["x-request-id"]
    assert made.json()["token"] not in str(audited)


async def test_lines_outside_of_a_request_have_no_origin(door: Door, audited: Lines) -> None:
    async with await door.signed_in(peer=CLIENT) as browser:
        await browser.get("/api/v1/me")
    audited.clear()
    await door.has("bob@example.org")

    assert [("address" in line, "request_id" in line) for line in audited] == [(False, False)]
