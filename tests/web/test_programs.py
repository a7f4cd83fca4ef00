"""A program with an access token at the gate, and the API for the token's owner."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.web.conftest import BROWSER, PASSWORD, Door, Lines, MakeDoor

TOKENS = "/api/v1/me/tokens"
ME = "/api/v1/me"
SAYS_BEARER = 'Bearer error="invalid_token"'


@pytest.fixture
async def ada(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with await door.signed_in("ada@example.org", "analyst") as client:
        yield client


async def get(door: Door, path: str, *headers: tuple[str, str]) -> httpx.Response:
    async with door.client() as client:
        del client.headers["origin"]
        return await client.get(path, headers=list(headers))


def is_turned_away(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 401
        and answer.headers["content-type"] == "application/problem+json"
        and answer.headers["www-authenticate"] == SAYS_BEARER
        and answer.json()["type"] == "urn:gradioapp:problem:access-token-ended"
        and "set-cookie" not in answer.headers
    )


async def test_a_token_is_accepted_by_the_api_and_below_the_ui_path(door: Door) -> None:
    await door.has("ada@example.org", "analyst")
    made = await door.makes_token()

    async with door.program(made) as program:
        me, seen = await program.get(ME), await program.get("/gradio/")

    assert (me.json()["email"], me.json()["roles"]) == ("ada@example.org", ["analyst"])
    assert me.json()["session"]["id"] == str(made.token.id)
    assert me.json()["session"]["idle_at"] == me.json()["session"]["ends_at"]
    assert seen.json()["email"] == "ada@example.org"
    assert seen.json()["again"] == me.json()["id"]


@pytest.mark.asvs("V14.2.1", "V16.2.5")
async def test_the_authorization_header_is_neither_passed_on_nor_logged(
    door: Door, lines: Lines
) -> None:
    await door.has()
    made = await door.makes_token()

    async with door.program(made) as program:
        seen = await program.get("/gradio/")
        failed = await program.get("/gradio/boom")
    refused = await get(
        door, "/gradio/", ("authorization", "Basic aHVudGVyMg=="), ("cookie", "a=b")
    )

    assert [answer.status_code for answer in (seen, failed, refused)] == [200, 500, 401]
    assert [line["status"] for line in lines if line["event"] == "request"] == [200, 500, 401]
    assert made.value not in seen.text
    assert "authorization" not in seen.json()["headers"]
    assert made.value[5:-6] not in str(lines)
    assert "aHVudGVyMg" not in str(lines)


async def test_the_log_line_has_the_id_of_the_token(door: Door, lines: Lines) -> None:
    user = await door.has()
    made = await door.makes_token()

    async with door.program(made) as program:
        await program.get(ME)
    async with await door.signed_in() as browser:
        await browser.get(ME)

    of_program, of_browser = [line for line in lines if line["event"] == "request"]
    assert (of_program["user_id"], of_program["token_id"], of_program["session_id"]) == (
        str(user.id),
        str(made.token.id),
        None,
    )
    assert "token_id" not in of_browser


@pytest.mark.parametrize("path", [ME, "/gradio/", "/gradio/size"])
async def test_an_invalid_token_is_401_even_for_a_browser(door: Door, path: str) -> None:
    await door.has()
    made, expired = await door.makes_token(), await door.makes_token(days=1)
    opened = await door.opened()
    me = await door.use_cases.recognise(opened.signed_token, activity=False)
    await door.use_cases.revoke_token(me.caller, made.token.id)
    door.passes(days=1)
    values = [
        made.value,
        expired.value,
        expired.value[:-1] + ("a" if expired.value[-1] != "a" else "b"),
        opened.signed_token,
        "",
        "nonsense",
        "x" * 5000,
    ]

    for value in values:
        answer = await get(
            door,
            path,
            ("authorization", f"Bearer {value}"),
            ("accept", BROWSER["accept"]),
            ("sec-fetch-mode", "navigate"),
        )
        assert is_turned_away(answer), (value, answer)


async def test_a_token_takes_precedence_over_the_cookie(door: Door) -> None:
    await door.has()
    await door.has("bob@example.org")
    made = await door.makes_token("bob@example.org")
    cookie = ("cookie", f"{door.cookie}={(await door.opened()).signed_token}")

    both = await get(door, ME, cookie, ("authorization", f"Bearer {made.value}"))
    wrong = await get(door, ME, cookie, ("authorization", "Bearer gapp_wrong"))
    other = await get(door, ME, cookie, ("authorization", "Basic aHVudGVyMg=="))

    assert both.json()["email"] == "bob@example.org"
    assert is_turned_away(wrong)
    assert other.json()["email"] == "ada@example.org"


async def test_two_authorization_headers_are_refused(door: Door) -> None:
    await door.has()
    made, another = await door.makes_token(), await door.makes_token()
    cookie = ("cookie", f"{door.cookie}={(await door.opened()).signed_token}")
    right = ("authorization", f"Bearer {made.value}")

    for first, second in (
        (right, right),
        (right, ("authorization", f"Bearer {another.value}")),
        (right, ("authorization", "Basic aHVudGVyMg==")),
        (("authorization", "Basic aHVudGVyMg=="), right),
        (("authorization", ""), right),
    ):
        assert is_turned_away(await get(door, ME, cookie, first, second)), (first, second)


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
async def test_the_case_of_the_scheme_does_not_matter(door: Door, word: str) -> None:
    await door.has()
    made = await door.makes_token()

    answer = await get(door, ME, ("authorization", f"{word} {made.value}"))

    assert answer.status_code == 200


async def test_a_program_needs_no_origin_but_another_site_is_refused(
    door: Door,
) -> None:
    await door.has()
    made = await door.makes_token()

    async with door.program(made) as program:
        plain = await program.post("/gradio/size", content=b"abc")
        foreign = [
            await program.post("/gradio/size", content=b"abc", headers=headers)
            for headers in (
                {"origin": "https://evil.example"},
                {"sec-fetch-site": "cross-site"},
                {"referer": "https://evil.example/page"},
                {"cookie": f"{door.cookie}=x"},
            )
        ]

    assert plain.json() == {"size": 3}
    assert [answer.status_code for answer in foreign] == [403] * 4


async def test_open_addresses_ignore_token_and_cookie(door: Door) -> None:
    await door.has()
    made = await door.makes_token()
    cookie = ("cookie", f"{door.cookie}={(await door.opened()).signed_token}")

    with_token = await get(door, "/", cookie, ("authorization", f"Bearer {made.value}"))
    health = await get(door, "/healthz", ("authorization", "Bearer whatever"))

    assert with_token.headers["location"].startswith(("/login", "/setup"))
    assert health.status_code == 200


async def test_a_program_may_not_use_routes_that_require_a_session(door: Door) -> None:
    await door.has("ada@example.org", "admin")
    made = await door.makes_token()

    async with door.program(made) as program:
        answers = [
            await program.get(TOKENS),
            await program.post(TOKENS, json={"name": "Another"}),
            await program.delete(f"{TOKENS}/{made.token.id}"),
            await program.get(f"{ME}/sessions"),
            await program.delete(f"{ME}/sessions"),
            await program.delete(f"{ME}/sessions/{made.token.id}"),
            await program.post(
                f"{ME}/password", json={"current": PASSWORD, "new": "another correct horse"}
            ),
        ]
        users = await program.get("/api/v1/users")

    for answer in answers:
        assert answer.status_code == 403, answer.request
        assert answer.json()["type"] == "urn:gradioapp:problem:not-allowed"
        assert "Sign in with a browser" in answer.json()["detail"]
    assert users.status_code == 200


async def test_a_token_without_the_admin_role_cannot_administer(door: Door) -> None:
    await door.has("ada@example.org", "admin", "analyst")
    made = await door.makes_token(roles=["analyst"])

    async with door.program(made) as program:
        me, users = await program.get(ME), await program.get("/api/v1/users")

    assert me.json()["roles"] == ["analyst"]
    assert users.status_code == 403


async def test_only_the_response_to_its_creation_contains_the_token(
    door: Door, ada: httpx.AsyncClient
) -> None:
    made = await ada.post(TOKENS, json={"name": "Nightly", "days": 7, "roles": ["analyst"]})
    listed = await ada.get(TOKENS)

    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    value = made.json()["token"]
    assert value.startswith("gapp_")
    assert value not in listed.text
    (item,) = listed.json()["items"]
    assert made.json() == item | {"token": value}
    assert (item["name"], item["hint"], item["roles"]) == ("Nightly", value[-4:], ["analyst"])
    assert (await get(door, ME, ("authorization", f"Bearer {value}"))).status_code == 200
    assert (await ada.get(TOKENS)).json()["items"][0]["last_used_at"] is not None


async def test_a_token_has_ninety_days_and_all_roles_by_default(
    ada: httpx.AsyncClient,
) -> None:
    made = (await ada.post(TOKENS, json={"name": "Nightly"})).json()

    assert (made["created_at"][:10], made["expires_at"][:10]) == ("2026-01-02", "2026-04-02")
    assert made["roles"] is None
    assert made["last_used_at"] is None


async def test_an_invalid_request_for_a_token_is_422(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for body in [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"name": "x", "days": 0},
        {"name": "x", "days": 366},
        {"name": "x", "days": "7"},
        {"name": "x", "roles": ["admin"]},
        {"name": "x", "roles": ["No Role"]},
        {"name": "x", "roles": "analyst"},
        {"name": "x", "token": "gapp_mine"},
    ]:
        with subtests.test(body=body):
            answer = await ada.post(TOKENS, json=body)

            assert answer.status_code == 422, answer.text
            assert (await ada.get(TOKENS)).json()["items"] == []


async def test_tokens_are_listed_in_pages_with_the_newest_first(
    door: Door, ada: httpx.AsyncClient
) -> None:
    for number in range(5):
        await ada.post(TOKENS, json={"name": str(number)})
        door.passes(seconds=1)

    first = (await ada.get(TOKENS, params={"limit": 2})).json()
    second = (await ada.get(TOKENS, params={"limit": 2, "after": first["next"]})).json()
    last = (await ada.get(TOKENS, params={"limit": 2, "after": second["next"]})).json()

    names = [[item["name"] for item in page["items"]] for page in (first, second, last)]
    assert names == [["4", "3"], ["2", "1"], ["0"]]
    assert last["next"] is None


async def test_a_token_is_revoked_only_by_its_owner_and_then_refused(
    door: Door, ada: httpx.AsyncClient
) -> None:
    made = (await ada.post(TOKENS, json={"name": "Nightly"})).json()
    header = ("authorization", f"Bearer {made['token']}")
    address = f"{TOKENS}/{made['id']}"
    assert (await get(door, ME, header)).status_code == 200

    async with await door.signed_in("bob@example.org") as bob:
        of_bob = await bob.delete(address)
    still = await get(door, ME, header)
    revoked, again = await ada.delete(address), await ada.delete(address)

    assert (of_bob.status_code, still.status_code) == (404, 200)
    assert (revoked.status_code, again.status_code) == (204, 404)
    assert is_turned_away(await get(door, ME, header))


async def test_the_fifty_first_token_is_409(door: Door, ada: httpx.AsyncClient) -> None:
    me = await door.use_cases.recognise(ada.cookies[door.cookie], activity=False)
    for _ in range(49):
        await door.use_cases.create_token(me.caller, name="One")
    last = await ada.post(TOKENS, json={"name": "The fiftieth"})

    answer = await ada.post(TOKENS, json={"name": "One more"})

    assert last.status_code == 201

    assert answer.status_code == 409
    assert "Revoke one first" in answer.json()["detail"]


async def test_the_document_says_which_routes_require_a_session(
    ada: httpx.AsyncClient,
) -> None:
    made = (await ada.get("/api/v1/openapi.json")).json()

    assert made["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
    assert made["security"] == [{"session": []}, {"token": []}]
    in_person = {
        (path, method)
        for path, methods in made["paths"].items()
        for method, told in methods.items()
        if told.get("security") == [{"session": []}]
    }
    assert in_person == {
        (TOKENS, "get"),
        (TOKENS, "post"),
        (f"{TOKENS}/{{token_id}}", "delete"),
        (f"{ME}/password", "post"),
        (f"{ME}/sessions", "get"),
        (f"{ME}/sessions", "delete"),
        (f"{ME}/sessions/{{session_id}}", "delete"),
        (f"{ME}/confirmation", "get"),
        (f"{ME}/confirmation", "post"),
        ("/api/v1/users/{user_id}/tokens", "get"),
        ("/api/v1/users/{user_id}/tokens", "delete"),
        ("/api/v1/users/{user_id}/tokens/{token_id}", "delete"),
    }


async def test_a_token_works_in_prod_under_the_public_host(make_door: MakeDoor, prod: Door) -> None:
    await prod.has()
    made = await prod.makes_token()

    async with prod.program(made, peer="10.0.0.1", base="https://app.example.org") as program:
        answer = await program.get(ME)

    assert answer.status_code == 200
