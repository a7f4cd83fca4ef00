"""The bar above every page: its menus, the sign-out form, and the name of the account."""

import re
from typing import Any

import pytest

from entrypoints.ui.pages import account, home
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed

ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture
async def house(mounted: Mounts) -> House:
    return await mounted(home.build().demo)


async def test_the_form_in_the_bar_signs_out_with_one_request(house: House) -> None:
    ada = await house.signed_in()
    token = await bar_token(ada)

    answer = await ada.http.post("/logout", data={"csrf_token": token})

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert (await ada.http.get("/api/v1/me")).status_code == 401


@pytest.mark.asvs("3.5.1")
async def test_the_sign_out_form_of_another_session_is_refused(house: House) -> None:
    ada, elsewhere, bob = [await house.signed_in(who) for who in (ADA, ADA, BOB)]

    for token in (await bar_token(elsewhere), await bar_token(bob), ""):
        answer = await ada.http.post("/logout", data={"csrf_token": token})
        assert answer.status_code == 403
        assert "Please confirm once more" in answer.text

    assert (await ada.http.get("/api/v1/me")).status_code == 200


async def bar_token(browser: Browser) -> str:
    page = (await browser.http.get(f"{GRADIO}/")).text
    found = re.search(
        r'action="/logout"><input type="hidden" name="csrf_token" value="([^"]+)"', page
    )
    assert found
    return found[1]


async def test_a_new_name_is_sent_to_the_bar(house: House) -> None:
    ada = await house.signed_in()

    output = await runs(ada, account.rename, "Countess")

    assert output["gradioapp_new_name"] == "Countess"


async def test_a_page_has_no_menu_of_apps_when_there_are_none(mounted: Mounts) -> None:
    house = await mounted(home.build().demo)
    ada = await house.signed_in()

    page = (await ada.http.get(f"{GRADIO}/")).text

    assert 'popovertarget="account"' in page
    assert 'popovertarget="pages"' not in page


async def runs(browser: Browser, fn: Any, *data: Any, tab: str = "tab") -> dict[str, Any]:
    """Run a private event, which is found by its number."""
    index = next(i for i, one in browser.demo.fns.items() if one.fn is fn)
    joined = await browser.http.post(
        f"{GRADIO}/gradio_api/queue/join",
        json={"data": data, "fn_index": index, "session_hash": tab},
    )
    assert joined.status_code == 200, joined.text
    output: dict[str, Any] = completed(await browser.told(tab))["output"]
    return output
