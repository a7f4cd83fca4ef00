"""A provider that changes its keys while it is down: nobody is let in by a wrong key, and all is well once it is back."""

import pytest

from tests.lying_provider import LyingProvider, key
from tests.web.acts import ADA, new_browser
from tests.web.conftest import Lines
from tests.web.houses import House

DOWN = ("/.well-known/openid-configuration", "/token", "/keys", "/userinfo")
BACKCHANNEL = "/login/corp/backchannel"


def goes_down(liar: LyingProvider) -> None:
    liar.replies |= dict.fromkeys(DOWN, lambda: (503, {}, b""))


def rotates(liar: LyingProvider, name: str) -> None:
    """Replace all keys by a new one."""
    liar.offers, liar.signs_with = [key(name)], key(name)
    liar.header = {"alg": "ES256", "kid": name}


async def test_sign_in_works_again_when_the_provider_is_back_with_new_keys(house: House) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada:
        before = await house.signs_in(ada)
        goes_down(house.liar)
        rotates(house.liar, "two")
        house.door.passes(minutes=2)
        while_down = await house.signs_in(ada)
        house.liar.replies.clear()
        at_once = await house.signs_in(ada)
        house.door.passes(seconds=5)
        later = await house.signs_in(ada)

    assert [one.status_code for one in (before, while_down, at_once, later)] == [
        *(303, 424),
        303,  # Its token endpoint answered, and the key set has been fetched anew.
        303,
    ]
    assert house.liar.asked.count("/keys") == 2


async def test_a_sign_in_that_began_before_the_outage_is_finished_after_it(house: House) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada:
        await house.signs_in(ada)
        house.door.passes(minutes=2)
        sent = await ada.get("/login/corp")
        goes_down(house.liar)
        rotates(house.liar, "two")
        house.liar.replies.clear()
        house.door.passes(minutes=9)
        answer = await ada.get(house.comes_back(sent))

    assert answer.status_code == 303


async def test_the_old_key_opens_nothing_after_the_rotation_is_known(house: House) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada:
        await house.signs_in(ada)
        rotates(house.liar, "two")
        house.door.passes(minutes=2)
        assert (await house.signs_in(ada)).status_code == 303
        house.liar.signs_with, house.liar.header = key("one"), {"alg": "ES256", "kid": "one"}
        house.door.passes(minutes=2)
        stolen = await house.signs_in(ada)

    assert stolen.status_code == 401


@pytest.mark.parametrize("kid", ["two", "one", None])
async def test_a_stranger_signs_nobody_in_or_out_while_the_provider_is_down(
    house: House, kid: str | None, lines: Lines
) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada, house.door.client() as server:
        del server.headers["origin"]
        await house.signs_in(ada)
        house.door.passes(minutes=2)
        goes_down(house.liar)
        del house.liar.replies["/token"]
        house.liar.signs_with = key("stranger")
        house.liar.header = {"alg": "ES256"} | ({} if kid is None else {"kid": kid})
        signed_in = await house.signs_in(ada)
        house.door.passes(seconds=6)
        out = await server.post(BACKCHANNEL, data=house.logout_token())
        is_still_in = (await ada.get("/gradio/")).status_code == 200

    assert signed_in.status_code == 424
    assert out.status_code == 400
    assert is_still_in
    assert "stranger" not in str(lines)


async def test_a_logout_token_of_the_known_key_counts_while_the_provider_is_down(
    house: House,
) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada, house.door.client() as server:
        del server.headers["origin"]
        await house.signs_in(ada)
        goes_down(house.liar)
        house.door.passes(minutes=20)
        out = await server.post(BACKCHANNEL, data=house.logout_token())
        is_still_in = (await ada.get("/gradio/")).status_code == 200

    assert out.status_code == 200
    assert not is_still_in


async def test_a_provider_that_is_down_is_asked_once_in_five_seconds(house: House) -> None:
    goes_down(house.liar)
    async with new_browser(house.door) as ada:
        for _ in range(20):
            assert (await ada.get("/login/corp")).status_code == 424
        asked = len(house.liar.asked)
        house.door.passes(seconds=5)
        await ada.get("/login/corp")

    assert (asked, len(house.liar.asked)) == (1, 2)


async def test_tokens_of_unknown_keys_fetch_the_key_set_once_a_minute(house: House) -> None:
    house.liar.signs_with, house.liar.header = key("stranger"), {"alg": "ES256", "kid": "x"}
    async with house.door.client() as server:
        del server.headers["origin"]
        for number in range(30):
            answer = await server.post(BACKCHANNEL, data=house.logout_token(jti=f"{number}"))
            assert answer.status_code == 400
        asked = house.liar.asked.count("/keys")
        house.door.passes(minutes=1)
        await server.post(BACKCHANNEL, data=house.logout_token(jti="later"))

    assert (asked, house.liar.asked.count("/keys")) == (1, 2)
