"""Confirming a session over the JSON API and at a provider, and what is refused without it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from adapters.system.clock import StoppedClock
from application.settings import ProviderSettings
from domain.services.auth import PER_SESSION
from tests.lying_provider import CLIENT, SECRET, LyingProvider, lying_provider
from tests.web.conftest import BROWSER, PASSWORD, Door, Lines, MakeDoor

CONFIRMATION: Final = "/api/v1/me/confirmation"
TOKENS: Final = "/api/v1/me/tokens"
NEEDED: Final = "urn:gradioapp:problem:confirmation-needed"


@pytest.fixture
async def ada(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with await door.signed_in() as client:
        yield client


async def makes_token(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post(TOKENS, json={"name": "Nightly"}, headers={"sec-fetch-mode": "cors"})


@pytest.mark.asvs("V7.5.1")
async def test_without_a_confirmation_the_problem_names_the_address_for_it(
    door: Door, ada: httpx.AsyncClient
) -> None:
    door.passes(minutes=11)

    refused = await makes_token(ada)
    problem = refused.json()
    confirmed = await ada.post(problem["confirm"], json={"password": PASSWORD})
    made = await makes_token(ada)

    assert (refused.status_code, problem["type"]) == (403, NEEDED)
    assert refused.headers["content-type"] == "application/problem+json"
    assert problem["confirm"] == CONFIRMATION
    assert problem["detail"].startswith("You last proved who you are more than 10 minutes ago.")
    assert confirmed.json() == {
        "confirmed_until": "2026-01-02T12:21:00Z",
        "takes_password": True,
        "providers": [],
    }
    assert made.status_code == 201


async def test_the_address_of_the_confirmation_is_below_the_path_of_the_service(
    make_door: MakeDoor,
) -> None:
    door = make_door(public_url="http://localhost/tools")
    async with await door.signed_in() as client:
        door.passes(minutes=11)
        refused = await client.post("/tools/api/v1/me/tokens", json={"name": "Nightly"})

    assert refused.json()["confirm"] == f"/tools{CONFIRMATION}"


async def test_the_state_of_the_session_can_be_read(door: Door, ada: httpx.AsyncClient) -> None:
    fresh = (await ada.get(CONFIRMATION)).json()
    door.passes(minutes=10)
    later = (await ada.get(CONFIRMATION)).json()

    assert fresh["confirmed_until"] == "2026-01-02T12:10:00Z"
    assert later["confirmed_until"] is None


async def test_wrong_passwords_are_refused_and_then_throttled_like_those_of_a_sign_in(
    door: Door, ada: httpx.AsyncClient
) -> None:
    door.passes(minutes=11)
    burst, _ = PER_SESSION

    wrong = [await ada.post(CONFIRMATION, json={"password": "wrong"}) for _ in range(burst)]
    throttled = await ada.post(CONFIRMATION, json={"password": PASSWORD})
    still = await makes_token(ada)

    assert {answer.status_code for answer in wrong} == {403}
    assert wrong[0].json()["type"] == "urn:gradioapp:problem:wrong-password"
    assert throttled.status_code == 429
    assert 1 <= int(throttled.headers["retry-after"]) <= 30
    assert still.json()["type"] == NEEDED


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"password": ""}, 422), ({"password": "x" * 4097}, 422), ({"password": 1}, 422)],
)
async def test_a_body_without_a_password_is_invalid(
    ada: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    assert (await ada.post(CONFIRMATION, json=body)).status_code == status


async def test_a_form_of_another_site_cannot_confirm(door: Door, ada: httpx.AsyncClient) -> None:
    door.passes(minutes=11)

    form = await ada.post(CONFIRMATION, data={"password": PASSWORD})
    foreign = await ada.post(
        CONFIRMATION, json={"password": PASSWORD}, headers={"origin": "https://evil.example"}
    )

    assert (form.status_code, foreign.status_code) == (415, 403)
    assert (await makes_token(ada)).status_code == 403


async def test_a_token_cannot_confirm_and_is_told_to_use_a_browser(door: Door) -> None:
    await door.has("root@example.org", "admin")
    bob = await door.has("bob@example.org")
    made = await door.makes_token("root@example.org")
    there = f"/api/v1/users/{bob.id}"

    async with door.program(made) as program:
        answers = [
            await program.get(CONFIRMATION),
            await program.post(CONFIRMATION, json={"password": PASSWORD}),
            await makes_token(program),
            await program.patch(there, json={"roles": ["analyst"]}),
            await program.post("/api/v1/users", json={"email": "e@x.org", "roles": ["analyst"]}),
            await program.get(f"{there}/tokens"),
            await program.delete(f"{there}/tokens"),
            await program.delete(f"{there}/tokens/{made.token.id}"),
        ]
        off = await program.patch(there, json={"is_active": False})
        on = await program.patch(there, json={"is_active": True})

    assert [answer.status_code for answer in [*answers, on]] == [403] * 9
    assert {answer.json()["type"] for answer in [*answers, on]} == {
        "urn:gradioapp:problem:not-allowed"
    }
    assert {answer.json()["detail"] for answer in answers} == {
        "An access token may not do this. Sign in with a browser."
    }
    assert off.status_code == 200


async def test_an_admin_confirms_before_changes_of_roles_and_not_before_ending_things(
    door: Door,
) -> None:
    bob = await door.has("bob@example.org")
    made = await door.makes_token("bob@example.org")
    there = f"/api/v1/users/{bob.id}"
    async with await door.signed_in("root@example.org", "admin") as root:
        door.passes(minutes=11)
        refused = [
            await root.patch(there, json={"roles": ["analyst"]}),
            await root.post("/api/v1/users", json={"email": "e@x.org", "password": PASSWORD}),
        ]
        listed = await root.get(f"{there}/tokens")
        one = await root.delete(f"{there}/tokens/{made.token.id}")
        again = await root.delete(f"{there}/tokens/{made.token.id}")
        rest = await root.delete(f"{there}/tokens")
        await root.post(CONFIRMATION, json={"password": PASSWORD})
        changed = await root.patch(there, json={"roles": ["analyst"]})

    assert [answer.json()["type"] for answer in refused] == [NEEDED, NEEDED]
    assert [item["name"] for item in listed.json()["items"]] == ["Nightly"]
    assert made.value not in listed.text
    assert (one.status_code, again.status_code, rest.json()) == (204, 404, {"revoked": 0})
    assert changed.json()["roles"] == ["analyst"]


async def test_a_token_is_revoked_only_below_its_own_account(door: Door) -> None:
    bob = await door.has("bob@example.org")
    made = await door.makes_token("bob@example.org")
    async with await door.signed_in("root@example.org", "admin") as root:
        mine = await root.delete(f"{TOKENS}/{made.token.id}")
        me = (await root.get("/api/v1/me")).json()["id"]
        other = await root.delete(f"/api/v1/users/{me}/tokens/{made.token.id}")
        his = await root.delete(f"/api/v1/users/{bob.id}/tokens/{made.token.id}")

    assert [answer.status_code for answer in (mine, other, his)] == [404, 404, 204]


async def test_the_tokens_of_an_account_are_paged_like_ones_own(door: Door) -> None:
    bob = await door.has("bob@example.org")
    for name in ("0", "1", "2"):
        await door.makes_token("bob@example.org", name=name)
        door.passes(seconds=1)
    async with await door.signed_in("root@example.org", "admin") as root:
        there = f"/api/v1/users/{bob.id}/tokens"
        first = (await root.get(there, params={"limit": 2})).json()
        last = (await root.get(there, params={"limit": 2, "after": first["next"]})).json()

    assert [[item["name"] for item in page["items"]] for page in (first, last)] == [
        ["2", "1"],
        ["0"],
    ]
    assert last["next"] is None


@pytest.mark.parametrize("revokes", [None, True, False])
async def test_a_new_password_and_the_end_of_everything_revoke_tokens_unless_told_not_to(
    door: Door, ada: httpx.AsyncClient, *, revokes: bool | None
) -> None:
    wanted = {} if revokes is None else {"revoke_tokens": revokes}
    await makes_token(ada)
    change = {"current": PASSWORD, "new": "battery staple", **wanted}
    changed = (await ada.post("/api/v1/me/password", json=change)).json()
    left = len((await ada.get(TOKENS)).json()["items"])
    me = (await ada.get("/api/v1/me")).json()["id"]
    if not left:
        await makes_token(ada)
    async with await door.signed_in("root@example.org", "admin") as root:
        query = {name: str(value).lower() for name, value in wanted.items()}
        ended = (await root.delete(f"/api/v1/users/{me}/sessions", params=query)).json()

    revoked = 0 if revokes is False else 1
    assert changed == {"ended": 0, "revoked_tokens": revoked}
    assert left == 1 - revoked
    assert ended == {"ended": 1, "revoked_tokens": revoked}


# At a provider


class House:
    """An account without a password, whose person signs in at a provider."""

    def __init__(self, door: Door, liar: LyingProvider) -> None:
        self.door, self.liar = door, liar

    def comes_back(self, sent: httpx.Response, **changed: str) -> str:
        address = sent.headers["location"]
        wanted = dict(parse_qsl(urlsplit(address).query))
        query = {"code": self.liar.signs_in(address), "state": wanted["state"], **changed}
        return str(httpx.URL(wanted["redirect_uri"], params=query))

    async def signs_in(self, browser: httpx.AsyncClient, start: str) -> httpx.Response:
        return await browser.get(self.comes_back(await browser.get(start)))

    async def is_confirmed(self, browser: httpx.AsyncClient) -> bool:
        return (await browser.get(CONFIRMATION)).json()["confirmed_until"] is not None


def attempts_in(browser: httpx.AsyncClient) -> dict[str, str]:
    """Return the cookies of sign-ins that the browser has begun."""
    return {name: value for name, value in browser.cookies.items() if "gradioapp-sso" in name}


@pytest.fixture
def house(make_door: MakeDoor) -> Iterator[House]:
    with lying_provider(StoppedClock()) as liar:
        corp = ProviderSettings(
            name="corp",
            issuer=liar.issuer,
            client_id=CLIENT,
            client_secret=SecretStr(SECRET),
            domains="example.org",
            create="true",
        )
        door = make_door(oidc=(corp,))
        liar.clock = door.clock
        yield House(door, liar)


@pytest.fixture
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Return the browser of somebody who signed in at the provider eleven minutes ago."""
    async with house.door.client(**BROWSER) as browser:
        assert (await house.signs_in(browser, "/login/corp")).status_code == 303
        house.door.passes(minutes=11)
        assert not await house.is_confirmed(browser)
        yield browser


async def test_a_new_sign_in_at_the_provider_confirms_the_session_and_leads_back(
    house: House, browser: httpx.AsyncClient, lines: Lines
) -> None:
    session = browser.cookies[house.door.cookie]
    ways = (await browser.get(CONFIRMATION)).json()
    [way] = ways["providers"]
    house.liar.claims = {"auth_time": int(house.door.clock.now().timestamp())}

    sent = await browser.get(way["address"], params={"next": "/gradio/?tab=account"})
    back = await browser.get(house.comes_back(sent))
    made = await makes_token(browser)

    assert not ways["takes_password"]
    assert (way["name"], way["label"], way["address"]) == ("corp", "Corp", "/login/corp/again")
    asked = dict(httpx.URL(sent.headers["location"]).params)
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    assert (back.status_code, back.headers["location"]) == (303, "/gradio/?tab=account")
    assert made.status_code == 201
    assert browser.cookies[house.door.cookie] == session
    assert not attempts_in(browser)
    assert [line["how"] for line in lines if line.get("how") == "provider again"]


async def test_without_a_page_to_return_to_the_window_closes_itself(
    house: House, browser: httpx.AsyncClient
) -> None:
    back = await house.signs_in(browser, "/login/corp/again?next=https://evil.example/")

    assert back.headers["location"] == "/login/done"
    assert await house.is_confirmed(browser)


async def test_an_ordinary_sign_in_does_not_ask_the_provider_for_a_new_one(
    house: House, browser: httpx.AsyncClient
) -> None:
    asked = dict(httpx.URL((await browser.get("/login/corp")).headers["location"]).params)

    assert {"prompt", "max_age"}.isdisjoint(asked)


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"auth_time": -120}, "has not asked you to sign in again"),
        ({"auth_time": "now"}, "could not be verified"),
        ({"sub": "2"}, "as somebody else"),
        ({"nonce": "another"}, "could not be verified"),
    ],
)
async def test_an_answer_that_is_old_or_of_somebody_else_confirms_nothing(
    house: House, browser: httpx.AsyncClient, claims: dict[str, Any], says: str
) -> None:
    if isinstance(claims.get("auth_time"), int):
        now = int(house.door.clock.now().timestamp())
        claims = {"auth_time": now + claims["auth_time"]}
    house.liar.claims = claims

    page = await house.signs_in(browser, "/login/corp/again")

    assert page.status_code == 401
    assert says in page.text
    assert "You are still signed in as" in page.text
    assert not attempts_in(browser)
    assert not await house.is_confirmed(browser)


async def test_an_attempt_confirms_only_the_session_that_began_it(
    house: House, browser: httpx.AsyncClient
) -> None:
    begun = house.comes_back(await browser.get("/login/corp/again"))
    [(name, attempt)] = attempts_in(browser).items()
    async with house.door.client(**BROWSER) as other:
        await house.signs_in(other, "/login/corp")
        house.door.passes(minutes=9)
        other.cookies.set(name, attempt)
        page = await other.get(begun)

    assert page.status_code == 401
    assert "another session" in page.text
    assert not await house.is_confirmed(browser)


async def test_without_a_session_the_way_leads_to_sign_in(
    house: House, browser: httpx.AsyncClient
) -> None:
    begun = house.comes_back(await browser.get("/login/corp/again?next=/gradio/"))
    browser.cookies.delete(house.door.cookie)

    start, back = await browser.get("/login/corp/again?next=/gradio/"), await browser.get(begun)

    assert start.headers["location"] == "/login?next=/gradio/"
    assert back.headers["location"] == "/login?next=/gradio/"
    assert house.door.cookie not in browser.cookies


async def test_a_code_that_was_used_or_refused_confirms_nothing(
    house: House, browser: httpx.AsyncClient
) -> None:
    denied = await browser.get(
        house.comes_back(await browser.get("/login/corp/again"), error="access_denied")
    )

    assert denied.status_code == 401
    assert "You did not sign in with Corp" in denied.text
    assert not await house.is_confirmed(browser)


async def test_an_unknown_provider_is_404(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/login/nobody/again")).status_code == 404


def from_a_page_of(site: str) -> dict[str, str]:
    return {"sec-fetch-site": site, "sec-fetch-dest": "document"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_cannot_send_somebody_to_confirm(
    house: House, browser: httpx.AsyncClient, site: str
) -> None:
    refused = await browser.get("/login/corp/again", headers=from_a_page_of(site))
    ours = await browser.get("/login/corp/again", headers=from_a_page_of("same-origin"))

    assert refused.status_code == 401
    assert "Another site has sent you here" in refused.text
    assert ours.headers["location"].startswith(house.liar.issuer)


@pytest.mark.parametrize(
    ("site", "who", "says", "confirms"),
    [
        ("cross-site", "nobody", {}, "nothing"),
        ("same-site", "nobody", {}, "nothing"),
        ("cross-site", "nobody", {"auth_time": 0}, "the session"),
        ("same-origin", "nobody", {}, "the session"),
        ("none", "nobody", {}, "the session"),
        # Such as by a text of another user.
        ("same-origin", "signed in", {}, "nothing"),
        ("none", "signed in", {}, "nothing"),
        ("same-origin", "signed in", {"auth_time": 0}, "the session"),
    ],
)
async def test_a_sign_in_that_somebody_else_may_have_begun_confirms_only_with_the_time_of_a_proof(
    house: House,
    browser: httpx.AsyncClient,
    site: str,
    who: str,
    says: dict[str, int],
    confirms: str,
) -> None:
    if who == "nobody":
        browser.cookies.clear()
    now = int(house.door.clock.now().timestamp())
    house.liar.claims = {name: now + value for name, value in says.items()}

    sent = await browser.get("/login/corp", headers=from_a_page_of(site))
    back = await browser.get(house.comes_back(sent))

    assert back.status_code == 303
    assert await house.is_confirmed(browser) is (confirms == "the session")
