"""A request whose body is held back does nothing after its session or access token has ended."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import pytest

from domain.model.caller import Caller
from domain.model.user import UserId
from entrypoints.web.limits import CHECKED_EVERY
from tests.web.conftest import BROWSER, Door
from tests.web.pages import token_of

LATE = CHECKED_EVERY + 0.1
"""Seconds after which the session of a body is checked again."""


async def held(body: bytes, ended: asyncio.Event, late: float = LATE) -> AsyncIterator[bytes]:
    """Yield a part of the body, and the rest after the session has ended."""
    yield body[:5]
    await ended.wait()
    await asyncio.sleep(late)
    yield body[5:]


async def sends(
    client: httpx.AsyncClient,
    ended: asyncio.Event,
    method: str,
    path: str,
    body: Any,
    late: float = LATE,
) -> httpx.Response:
    return await client.request(
        method,
        path,
        content=held(json.dumps(body).encode(), ended, late),
        headers={"content-type": "application/json"},
    )


ACTS = {
    "disable": ("PATCH", "/api/v1/users/{bob}", {"is_active": False}),
    "rename": ("PATCH", "/api/v1/users/{bob}", {"name": "Bobby"}),
    "create": ("POST", "/api/v1/users", {"email": "eve@example.org"}),
}


@pytest.mark.parametrize("late", [0, LATE])
@pytest.mark.parametrize("by", ["session", "token"])
@pytest.mark.parametrize("act", ACTS)
async def test_it_is_refused_and_changes_nothing(
    door: Door, act: str, by: str, late: float
) -> None:
    method, path, body = ACTS[act]
    bob = await door.has("bob@example.org")
    async with await door.signed_in("ada@example.org", "admin") as admin:
        me = (await admin.get("/api/v1/me")).json()
        made = (
            await admin.post("/api/v1/me/tokens", json={"name": "t", "roles": ["admin"]})
        ).json()
        if by == "token":
            admin.cookies.clear()
            admin.headers["authorization"] = f"Bearer {made['token']}"
        ended = asyncio.Event()
        sending = asyncio.create_task(
            sends(admin, ended, method, path.format(bob=bob.id), body, late)
        )
        await asyncio.sleep(0.1)
        await door.use_cases.revoke_all_sessions(Caller.operator(), UserId(UUID(me["id"])))
        ended.set()
        answer = await sending

    assert answer.status_code == 401
    kind = "access-token-ended" if by == "token" else "session-ended"
    assert answer.json()["type"] == f"urn:gradioapp:problem:{kind}"
    if by == "session":
        assert answer.json()["login"] == "/login"
    accounts = await door.use_cases.list_users(Caller.operator())
    assert {(one.email, one.name, one.is_active) for one in accounts if one.id == bob.id} == {
        (bob.email, bob.name, True)
    }
    assert "eve@example.org" not in {one.email for one in accounts}


async def test_a_slow_body_of_a_live_session_arrives(door: Door) -> None:
    bob = await door.has("bob@example.org")
    async with await door.signed_in("ada@example.org", "admin") as admin:
        ended = asyncio.Event()
        ended.set()
        answer = await sends(admin, ended, "PATCH", f"/api/v1/users/{bob.id}", {"name": "Bobby"})

    assert (answer.status_code, answer.json()["name"]) == (200, "Bobby")


async def test_an_app_behind_the_gate_does_not_get_the_body_either(door: Door) -> None:
    async with await door.signed_in() as ada:
        me = (await ada.get("/api/v1/me")).json()
        ended = asyncio.Event()
        sending = asyncio.create_task(sends(ada, ended, "POST", "/gradio/size", {"a": 1}))
        await asyncio.sleep(0.1)
        await door.use_cases.revoke_all_sessions(Caller.operator(), UserId(UUID(me["id"])))
        ended.set()
        answer = await sending

    assert answer.status_code == 401
    assert answer.json()["error"] == "Connection errored out. "


async def test_a_slow_sign_out_of_a_session_that_ends_meanwhile_is_no_error(door: Door) -> None:
    async with await door.signed_in() as ada:
        me = (await ada.get("/api/v1/me")).json()
        form = {"csrf_token": token_of(await ada.get("/logout", headers=BROWSER))}
        ended = asyncio.Event()
        sending = asyncio.create_task(
            ada.post(
                "/logout",
                content=held(urlencode(form).encode(), ended),
                headers={"content-type": "application/x-www-form-urlencoded", **BROWSER},
            )
        )
        await asyncio.sleep(0.1)
        await door.use_cases.revoke_all_sessions(Caller.operator(), UserId(UUID(me["id"])))
        ended.set()
        answer = await sending

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
