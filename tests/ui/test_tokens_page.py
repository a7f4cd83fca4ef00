"""The access tokens in the Account tab."""

from inspect import unwrap
from typing import Any

import pytest

from entrypoints.ui.pages import home, tokens
from tests.ui.conftest import Browser, House, Mounts, completed


@pytest.fixture
async def house(mounted: Mounts) -> House:
    house = await mounted(home.build().demo)
    await house.has("ada@example.org", "Ada", "analyst", "trainer")
    return house


async def answers(browser: Browser, fn: Any, *data: Any) -> dict[str, Any]:
    """Return the output of a private event, which is found by its number. All events run in one
    tab, because the tab knows the choices."""
    index = next(i for i, one in browser.demo.fns.items() if one.fn and unwrap(one.fn) is fn)
    joined = await browser.http.post(
        "/gradio/gradio_api/queue/join",
        json={"data": data, "fn_index": index, "session_hash": "tab"},
    )
    assert joined.status_code == 200, joined.text
    output: dict[str, Any] = completed(await browser.told("tab"))["output"]
    return output


def new_value(output: dict[str, Any]) -> str:
    return str(output["data"][1]["value"])


async def test_a_token_is_shown_once_and_works(house: House) -> None:
    ada = await house.signed_in()

    made = await answers(ada, tokens.create, "Nightly", 7, [])
    listed = await answers(ada, tokens.show)

    value = new_value(made)
    program = await house.use_cases.recognise_token(value, activity=False)
    assert (program.session.ends_at - program.session.created_at).days == 7
    assert program.user.roles == {"analyst", "trainer"}
    assert value not in str(listed)
    assert f"…{value[-4:]}" in str(listed)
    assert "1 of at most 50" in str(listed)
    assert len(listed["data"]) == 3


async def test_a_token_has_the_chosen_roles(house: House) -> None:
    ada = await house.signed_in()
    await answers(ada, tokens.show)

    made = await answers(ada, tokens.create, "Nightly", 7, ["analyst"])

    program = await house.use_cases.recognise_token(new_value(made), activity=False)
    assert program.user.roles == {"analyst"}


async def test_the_choices_are_the_roles_of_the_account(house: House) -> None:
    listed = await answers(await house.signed_in(), tokens.show)

    assert [value for _, value in listed["data"][2]["choices"]] == ["analyst", "trainer"]


async def test_a_revoked_token_is_gone_from_the_list(house: House) -> None:
    ada = await house.signed_in()
    kept, gone = await house.makes_token(name="Kept"), await house.makes_token(name="Gone")

    listed = await answers(ada, tokens.show)
    choices = [value for _, value in listed["data"][1]["choices"]]
    revoked = await answers(ada, tokens.revoke, str(gone.token.id))

    assert set(choices) == {str(kept.token.id), str(gone.token.id)}
    assert "Kept" in str(revoked)
    assert "Gone" not in str(revoked)


async def test_invalid_values_are_refused(house: House, subtests: pytest.Subtests) -> None:
    wrong: list[tuple[Any, list[Any], str]] = [
        (tokens.create, ["", 7, []], "1 to 100 characters"),
        (tokens.create, ["Nightly", 366, []], "maximum value 365"),
        (tokens.create, ["Nightly", None, []], "whole number"),
        (tokens.create, ["Nightly", 7, ["admin"]], "not in the list of choices"),
        (tokens.revoke, [None], "Choose a token first"),
    ]

    for fn, data, said in wrong:
        with subtests.test(fn=fn, data=data, said=said):
            output = await answers(await house.signed_in(), fn, *data)

            assert said in output["error"]
            assert not house.container.store().tables.access_tokens


async def test_a_program_can_neither_see_nor_make_tokens_here(house: House) -> None:
    program = house.program(await house.makes_token(name="Hidden"))

    listed = await answers(program, tokens.show)
    refused = await answers(program, tokens.create, "Another", 7, [])

    assert "Hidden" not in str(listed)
    assert "Sign in with a browser" in refused["error"]
    assert len(house.container.store().tables.access_tokens) == 1
