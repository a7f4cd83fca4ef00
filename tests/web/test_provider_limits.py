"""Strangers can send only so many requests to the addresses for providers, and keep nobody else from signing in."""

import httpx

from domain.services.auth import LOGOUTS, PER_ADDRESS, RETURNS, STARTS
from tests.lying_provider import key
from tests.web.acts import ADA, new_browser
from tests.web.conftest import BROWSER, PASSWORD
from tests.web.houses import House, begun
from tests.web.pages import sign_in

STRANGER = "198.51.100.1"


def stranger(house: House) -> httpx.AsyncClient:
    return house.door.client(peer=STRANGER, **BROWSER)


async def test_an_address_begins_only_so_many_sign_ins_at_once(house: House) -> None:
    await house.door.has(ADA)
    burst, every = STARTS
    async with stranger(house) as client, new_browser(house.door) as ada:
        starts = [await client.get("/login/corp") for _ in range(burst)]
        refused = await client.get("/login/corp?next=/gradio/x")
        let_in = await house.signs_in(ada)
        house.door.passes(seconds=every.total_seconds())
        again = await client.get("/login/corp")

    assert {start.status_code for start in starts} == {303}
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "Too many attempts" in refused.text
    assert 'href="/login/corp?next=/gradio/x"' in refused.text
    assert (let_in.status_code, again.status_code) == (303, 303)


async def test_an_address_sends_only_so_many_codes_to_the_provider_that_it_refuses(
    house: House,
) -> None:
    await house.door.has(ADA)
    burst, _ = RETURNS
    async with stranger(house) as client, new_browser(house.door) as ada:
        for _ in range(burst):
            forged = await house.signs_in(client, code="forged")
            assert forged.status_code == 401
        asked = house.liar.asked.count("/token")
        back = house.comes_back(await client.get("/login/corp"))
        refused = await client.get(back)
        waits = begun(client)
        let_in = await house.signs_in(ada)
        house.door.passes(seconds=2)
        later = await client.get(back)

    assert asked == burst
    assert refused.status_code == 429
    assert house.liar.asked.count("/token") == burst + 2
    assert len(waits) == 1
    assert (let_in.status_code, later.status_code) == (303, 303)


async def test_a_return_without_a_begun_sign_in_costs_nothing_and_does_not_count(
    house: House,
) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada:
        for _ in range(RETURNS[0] + 1):
            assert (await ada.get("/login/corp/callback?code=x&state=y")).status_code == 401
        let_in = await house.signs_in(ada)

    assert let_in.status_code == 303


async def test_sign_ins_that_succeed_do_not_count_nor_those_while_the_provider_is_down(
    house: House,
) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada:
        for _ in range(RETURNS[0] + 1):
            assert (await house.signs_in(ada)).status_code == 303
        house.liar.replies["/token"] = lambda: (503, {}, b"")
        house.door.passes(minutes=2)
        for _ in range(RETURNS[0] + 1):
            assert (await house.signs_in(ada)).status_code == 424
        del house.liar.replies["/token"]
        house.door.passes(seconds=6)
        let_in = await house.signs_in(ada)

    assert let_in.status_code == 303


async def test_providers_and_passwords_do_not_use_up_each_others_limits(house: House) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada:
        for number in range(PER_ADDRESS[0]):
            await sign_in(ada, f"user{number}@example.org", "wrong horse")
        throttled = await sign_in(ada, ADA, PASSWORD)
        by_provider = await house.signs_in(ada)

    assert (throttled.status_code, by_provider.status_code) == (429, 303)


async def test_an_address_sends_only_so_many_logout_tokens_that_are_not_valid(
    house: House,
) -> None:
    burst, every = LOGOUTS
    right = house.liar.signs_with
    house.liar.signs_with = key("another")
    forged = house.logout_token(jti="forged")
    house.liar.signs_with = right
    path = "/login/corp/backchannel"
    async with (
        house.door.client(peer=STRANGER) as client,
        house.door.client(peer="192.0.2.7") as server,
    ):
        del client.headers["origin"], server.headers["origin"]
        for _ in range(burst):
            assert (await client.post(path, data=forged)).status_code == 400
        refused = await client.post(path, data=house.logout_token(jti="one"))
        told = await server.post(path, data=house.logout_token(jti="two"))
        house.door.passes(seconds=every.total_seconds())
        later = await client.post(path, data=house.logout_token(jti="one"))

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error_description"].startswith("Too many attempts")
    assert (told.status_code, later.status_code) == (200, 200)


async def test_valid_logout_tokens_do_not_count(house: House) -> None:
    async with house.door.client() as server:
        del server.headers["origin"]
        answers = [
            await server.post("/login/corp/backchannel", data=house.logout_token(jti=f"{number}"))
            for number in range(LOGOUTS[0] + 1)
        ]

    assert {answer.status_code for answer in answers} == {200}
