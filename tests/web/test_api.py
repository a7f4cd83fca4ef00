"""The JSON API: the caller's own account, and accounts for admins."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from anyio.to_thread import current_default_thread_limiter

from tests.web.conftest import BROWSER, PASSWORD, Door

NEW = "battery staple"


@pytest.fixture
async def ada(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with await door.signed_in() as client:
        yield client


@pytest.fixture
async def root(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with await door.signed_in("root@example.org", "admin") as client:
        yield client


async def test_a_caller_sees_their_own_account_and_session(ada: httpx.AsyncClient) -> None:
    me = (await ada.get("/api/v1/me")).json()

    assert me["email"] == "ada@example.org"
    assert me["session"]["created_at"] == "2026-01-02T12:00:00Z"
    assert me["session"]["idle_at"] == "2026-01-02T12:30:00Z"
    assert me["session"]["ends_at"] == "2026-01-03T00:00:00Z"
    assert not {"password_hash", "secret_hash"} & set(me)


async def test_the_times_of_a_session_come_with_the_servers_own(
    door: Door, ada: httpx.AsyncClient
) -> None:
    door.passes(minutes=20)
    passive = (await ada.get("/api/v1/me", headers={"x-gradioapp-passive": "1"})).json()
    active = (await ada.get("/api/v1/me")).json()

    assert passive["now"] == active["now"] == "2026-01-02T12:20:00Z"
    assert passive["session"]["idle_at"] == "2026-01-02T12:30:00Z"
    assert active["session"]["idle_at"] == "2026-01-02T12:50:00Z"


async def test_a_request_needs_no_thread(ada: httpx.AsyncClient) -> None:
    limiter, holders = current_default_thread_limiter(), [object() for _ in range(100)]
    for holder in holders[: int(limiter.available_tokens)]:
        limiter.acquire_on_behalf_of_nowait(holder)
    assert not limiter.available_tokens

    async with asyncio.timeout(10):
        seen = await ada.get("/api/v1/me")
        changed = await ada.post("/api/v1/me/password", json={"current": PASSWORD})

    assert (seen.status_code, changed.status_code) == (200, 422)


@pytest.mark.asvs("V7.4.3", "V6.2.2")
async def test_a_new_password_ends_the_other_sessions_of_the_account(
    door: Door, ada: httpx.AsyncClient
) -> None:
    async with await door.signed_in() as phone:
        answer = await ada.post("/api/v1/me/password", json={"current": PASSWORD, "new": NEW})
        statuses = [(await client.get("/api/v1/me")).status_code for client in (ada, phone)]

    assert (answer.status_code, answer.json()) == (200, {"ended": 1, "revoked_tokens": 0})
    assert statuses == [200, 401]


@pytest.mark.asvs("V2.2.1", "V2.2.3")
async def test_an_unsuitable_password_is_refused_and_not_repeated(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for change, status in [
        ({"current": "wrong password", "new": NEW}, 403),
        ({"current": PASSWORD, "new": PASSWORD}, 422),
        ({"current": PASSWORD, "new": "short"}, 422),
        ({"current": PASSWORD, "new": "x" * 4096}, 422),
        ({"current": "x" * 5000, "new": NEW}, 422),
        ({"current": PASSWORD, "new": "hunter2\0hunter2"}, 422),
        ({"current": PASSWORD}, 422),
        ({"current": PASSWORD, "new": 12345678}, 422),
        ({"current": PASSWORD, "new": NEW, "hunter2": 1}, 422),
        ([], 422),
        ("hunter2", 422),
    ]:
        with subtests.test(change=change, status=status):
            answer = await ada.post("/api/v1/me/password", json=change)

            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert "hunter2" not in answer.text.replace("body.hunter2", "")
            assert PASSWORD not in answer.text


async def test_invalid_json_is_refused(ada: httpx.AsyncClient, subtests: pytest.Subtests) -> None:
    headers = {"content-type": "application/json"}

    for body in [
        b'{"current": "\\ud800", "new": "\\ud800\\ud800"}',
        b'{"\\ud800": 1}',
        b"{",
        b"",
        b"\xff",
        b"[" * 60_000,
        b"null",
        b"NaN",
    ]:
        with subtests.test(body=body):
            answer = await ada.post("/api/v1/me/password", content=body, headers=headers)

            assert answer.status_code in {400, 422}
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.asvs("V3.5.2")
async def test_a_content_type_that_a_form_can_send_is_refused(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    body = b'{"current": "correct horse", "new": "battery staple"}'

    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ]:
        with subtests.test(content_type=content_type):
            answer = await ada.post(
                "/api/v1/me/password", content=body, headers={"content-type": content_type}
            )

            assert answer.status_code == 415


@pytest.mark.asvs("V7.5.2")
async def test_a_caller_sees_their_sessions_in_pages(door: Door, ada: httpx.AsyncClient) -> None:
    for _ in range(3):
        door.passes(seconds=1)
        await door.opened()

    first = (await ada.get("/api/v1/me/sessions?limit=3")).json()
    rest = (await ada.get("/api/v1/me/sessions", params={"after": first["next"]})).json()

    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [3, 1, None]
    assert rest["items"][0]["is_current"] is True
    assert first["items"][0]["agent"] == "Laptop"


@pytest.mark.asvs("V7.5.2")
async def test_a_caller_ends_their_sessions(door: Door, ada: httpx.AsyncClient) -> None:
    phone = await door.opened()
    await door.opened()

    one = await ada.delete(f"/api/v1/me/sessions/{phone.session.id}")
    others = await ada.delete("/api/v1/me/sessions")
    mine = (await ada.get("/api/v1/me")).json()["session"]["id"]
    last = await ada.delete(f"/api/v1/me/sessions/{mine}")
    gone = await ada.get("/api/v1/me")

    assert (one.status_code, others.json(), last.status_code) == (204, {"ended": 1}, 204)
    assert "Max-Age=0" in last.headers["set-cookie"]
    assert gone.status_code == 401


@pytest.mark.asvs("V8.2.2")
async def test_a_session_of_another_account_is_not_found(
    door: Door, ada: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    await door.has("eve@example.org")
    other = await door.opened("eve@example.org")

    answers = [
        await client.delete(f"/api/v1/me/sessions/{session_id}")
        for client in (ada, root)
        for session_id in (other.session.id, uuid4())
    ]

    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.asvs("V8.2.1", "V8.3.1")
async def test_accounts_are_only_for_admins(door: Door, ada: httpx.AsyncClient) -> None:
    other = f"/api/v1/users/{(await door.has('eve@example.org')).id}"

    answers = [
        await ada.get("/api/v1/users"),
        await ada.post("/api/v1/users", json={"email": "new@example.org"}),
        await ada.get(other),
        await ada.patch(other, json={"roles": ["admin"]}),
        await ada.delete(f"{other}/sessions"),
    ]

    assert {answer.status_code for answer in answers} == {403}


async def test_an_admin_creates_and_finds_accounts(root: httpx.AsyncClient) -> None:
    created = await root.post(
        "/api/v1/users",
        json={"email": "Grace@Example.org", "name": "Grace", "password": NEW, "roles": ["analyst"]},
    )
    there = await root.get(created.headers["location"])
    first = (await root.get("/api/v1/users?limit=1")).json()
    second = (await root.get(f"/api/v1/users?limit=1&after={first['next']}")).json()
    found = (await root.get("/api/v1/users?search=GRA")).json()

    assert created.status_code == 201
    assert there.json() == created.json()
    assert created.json()["email"] == "grace@example.org"
    assert created.json()["has_password"] is True
    assert [user["email"] for user in first["items"] + second["items"]] == [
        "grace@example.org",
        "root@example.org",
    ]
    assert second["next"] is None
    assert [user["name"] for user in found["items"]] == ["Grace"]


async def test_an_invalid_account_is_refused(
    root: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for user, status in [
        ({"email": "root@example.org"}, 409),
        ({"email": "no address"}, 422),
        ({"email": "a@b", "roles": ["Not A Role"]}, 422),
        ({"email": "a@b", "roles": ["x"] * 51}, 422),
        ({"email": "a@b", "password": "short"}, 422),
        ({"email": "a@b", "name": "x\u0000"}, 422),
        ({"email": "a@b", "is_admin": True}, 422),
        ({}, 422),
    ]:
        with subtests.test(user=user, status=status):
            assert (await root.post("/api/v1/users", json=user)).status_code == status


async def test_an_admin_changes_an_account(door: Door, root: httpx.AsyncClient) -> None:
    user = await door.has("eve@example.org", "analyst", "admin")
    there = f"/api/v1/users/{user.id}"
    opened = await door.opened("eve@example.org")

    changed = await root.patch(
        there, json={"name": "Eve", "is_active": False, "roles": ["analyst", "editor"]}
    )
    back = await root.patch(there, json={"is_active": True})

    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["roles"]) == ("Eve", ["analyst", "editor"])
    assert (changed.json()["is_active"], back.json()["is_active"]) == (False, True)
    async with door.client(cookie=f"{door.cookie}={opened.signed_token}") as eve:
        assert (await eve.get("/api/v1/me")).status_code == 401


async def test_the_last_admin_can_be_neither_demoted_nor_disabled(root: httpx.AsyncClient) -> None:
    me = (await root.get("/api/v1/me")).json()["id"]

    changes: list[dict[str, Any]] = [{"roles": []}, {"is_active": False}]

    answers = [await root.patch(f"/api/v1/users/{me}", json=change) for change in changes]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert (await root.get(f"/api/v1/users/{me}")).json()["roles"] == ["admin"]


@pytest.mark.asvs("V2.2.1")
async def test_values_of_another_type_and_unknown_fields_are_refused(
    door: Door, root: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    user = await door.has("eve@example.org")

    for change in [
        {"is_active": 1},
        {"is_active": "yes"},
        {"name": 1},
        {"roles": "admin"},
        {"email": "a@b"},
    ]:
        with subtests.test(change=change):
            assert (await root.patch(f"/api/v1/users/{user.id}", json=change)).status_code == 422


async def test_an_admin_can_demote_and_disable_themselves(
    door: Door, root: httpx.AsyncClient
) -> None:
    await door.has("grace@example.org", "admin")
    me = (await root.get("/api/v1/me")).json()["id"]
    there = f"/api/v1/users/{me}"

    back = await root.patch(there, json={"roles": ["a"], "name": "Former", "is_active": False})

    assert back.status_code == 200
    assert (back.json()["roles"], back.json()["name"]) == (["a"], "Former")
    assert (await root.get("/api/v1/me")).status_code == 401


@pytest.mark.asvs("V7.4.5")
async def test_an_admin_ends_all_sessions_of_an_account(
    door: Door, root: httpx.AsyncClient
) -> None:
    user = await door.has("eve@example.org")
    await door.opened("eve@example.org")
    await door.opened("eve@example.org")

    answer = await root.delete(f"/api/v1/users/{user.id}/sessions")

    assert answer.json() == {"ended": 2, "revoked_tokens": 0}


@pytest.mark.asvs("V1.4.2")
async def test_invalid_parameters_are_refused_with_the_field(
    root: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in [
        "/api/v1/users?limit=0",
        "/api/v1/users?limit=101",
        "/api/v1/users?limit=x",
        "/api/v1/users?after=x",
        "/api/v1/users?search=%00",
        "/api/v1/users?limit=99999999999999999999999",
        "/api/v1/users/x",
        "/api/v1/me/sessions?limit=-1",
    ]:
        with subtests.test(path=path):
            answer = await root.get(path)

            assert answer.status_code == 422
            assert answer.json()["errors"][0]["field"]


async def test_the_api_describes_itself_without_foreign_assets(ada: httpx.AsyncClient) -> None:
    document = (await ada.get("/api/v1/openapi.json")).json()
    page = await ada.get("/api/v1/docs", headers=BROWSER)

    assert len(document["paths"]) == 12
    for path, methods in document["paths"].items():
        assert path in page.text
        assert all(method.upper() in page.text for method in methods)
    assert "https://" not in page.text.replace("https://www.rfc", "")
    assert "<script" not in page.text


async def test_the_description_of_the_api_is_only_for_signed_in_callers(door: Door) -> None:
    async with door.client() as client:
        answers = [await client.get(f"/api/v1/{path}") for path in ("openapi.json", "docs")]

    assert {answer.status_code for answer in answers} == {401}
