"""Several sign-ins at a provider that one browser has begun at the same time, in tabs of its own."""

from typing import Final

import httpx

from tests.lying_provider import LyingProvider
from tests.web.acts import ADA, new_browser
from tests.web.conftest import PASSWORD, MakeDoor
from tests.web.houses import House, begun, provider
from tests.web.pages import token_of

LONGEST: Final = 4096
"""Characters of all cookies of begun sign-ins together: proxies take lines of 8 KiB."""


async def test_sign_ins_in_two_tabs_are_both_finished_in_any_order(house: House) -> None:
    await house.door.has(ADA)
    for order in (0, 1), (1, 0):
        async with new_browser(house.door) as browser:
            starts = [await browser.get(f"/login/corp?next=/gradio/{tab}") for tab in (0, 1)]
            backs = [house.comes_back(sent) for sent in starts]
            answers = [await browser.get(backs[tab]) for tab in order]

        places = [answer.headers.get("location") for answer in answers]
        assert places == [f"/gradio/{tab}" for tab in order]
        assert not begun(browser)


async def test_a_refusal_in_one_tab_does_not_end_the_sign_in_of_another(house: House) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as browser:
        first, second = [await browser.get("/login/corp") for _ in "12"]
        denied = await browser.get(house.comes_back(first, code=None, error="access_denied"))
        forged = await browser.get("/login/corp/callback?code=x&state=y")
        let_in = await browser.get(house.comes_back(second))

    assert [denied.status_code, forged.status_code, let_in.status_code] == [401, 401, 303]
    assert not begun(browser)


async def test_a_finished_sign_in_cannot_be_finished_again_in_another_tab(house: House) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as browser:
        first, second = [await browser.get("/login/corp") for _ in "12"]
        back = house.comes_back(first)
        answers = [await browser.get(back), await browser.get(back)]
        mixed = house.comes_back(second, state=dict(httpx.URL(back).params)["state"])
        answers.append(await browser.get(mixed))

    assert [answer.status_code for answer in answers] == [303, 401, 401]


async def test_sign_ins_at_two_providers_are_both_finished(
    make_door: MakeDoor, liar: LyingProvider
) -> None:
    door = make_door(oidc=(provider(liar, "corp"), provider(liar, "lab", issuer=liar.issuer + "/")))
    liar.clock = door.clock
    house = House(door, liar)
    await door.has(ADA)
    async with new_browser(door) as browser:
        back = house.comes_back(await browser.get("/login/corp"))
        await browser.get("/login/lab")
        elsewhere = back.replace("/login/corp/", "/login/lab/")
        assert (await browser.get(elsewhere)).status_code == 401
        answer = await browser.get(back)

    # The state was used at the wrong provider, which ended its sign-in.
    assert answer.status_code == 401


async def test_the_newest_of_many_begun_sign_ins_are_kept(house: House) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as browser:
        for tab in range(30):
            sent = await browser.get(f"/login/corp?next=/gradio/{tab}")
            assert sum(map(len, begun(browser).values())) <= LONGEST
        many = len(begun(browser))
        long = await browser.get(f"/login/corp?next=/gradio/{'x' * 900}")
        assert sum(map(len, begun(browser).values())) <= LONGEST
        answers = [await browser.get(house.comes_back(one)) for one in (sent, long)]

    assert many >= 3
    assert [answer.status_code for answer in answers] == [303, 303]


async def test_a_password_may_be_typed_while_another_tab_begins_a_sign_in(house: House) -> None:
    await house.door.has(ADA, "admin")
    async with new_browser(house.door) as browser:
        page = await house.signs_in(browser)
        await browser.get("/login/corp")
        form = {"csrf_token": token_of(page), "password": PASSWORD}
        linked = await browser.post("/login/corp/link", data=form)

    assert linked.status_code == 303


async def test_a_cookie_of_another_state_opens_nothing(house: House) -> None:
    await house.door.has(ADA)
    async with new_browser(house.door) as ada, new_browser(house.door) as attacker:
        theirs = house.comes_back(await attacker.get("/login/corp"))
        [name] = begun(attacker)
        await ada.get("/login/corp")
        [mine] = begun(ada).values()
        ada.cookies.clear()
        ada.cookies.set(name, mine)
        answer = await ada.get(theirs)

    assert answer.status_code == 401
    assert "This sign-in was started in another browser" in answer.text
