"""The form that asks the user to confirm who they are, in the tabs Account and Users."""

from collections.abc import Callable
from dataclasses import replace
from inspect import unwrap
from typing import Any, Final

import pytest
from pydantic import SecretStr

from application.settings import ProviderSettings
from domain.model.caller import Caller
from domain.model.user import User, UserId
from entrypoints.ui.pages import account, account_tokens, confirmation_form, home, tokens, users
from tests.builders import an_identity
from tests.ui.conftest import PASSWORD, Browser, House, Mounts, completed

ADA: Final = "ada@example.org"
CORP: Final = ProviderSettings(
    name="corp",
    issuer="https://id.example.org",
    client_id="us",
    client_secret=SecretStr("hush"),
    label="Corp & Sons",
)
UNCHANGED: Final = {"__type__": "update"}


@pytest.fixture
async def house(mounted: Mounts) -> House:
    house = await mounted(home.build().demo, oidc=(CORP,))
    await house.has(ADA, "Ada", "analyst")
    await house.has("root@example.org", "Root", "admin")
    return house


async def answers(browser: Browser, fn: Any, *data: Any, number: int = 0) -> dict[str, Any]:
    """Return the output of the private event with this function; `number` counts events with the same function."""
    events = [i for i, one in browser.demo.fns.items() if one.fn and unwrap(one.fn) is fn]
    joined = await browser.http.post(
        "/gradio/gradio_api/queue/join",
        json={"data": data, "fn_index": events[number], "session_hash": "tab"},
    )
    assert joined.status_code == 200, joined.text
    output: dict[str, Any] = completed(await browser.told("tab"))["output"]
    return output


def form_in(output: dict[str, Any]) -> tuple[bool, str, bool, bool, str]:
    """Return whether the form, its password and its button are shown, its text, and the act that waits."""
    frame, text, password, button, act = output["data"][-5:]
    return (
        frame["visible"],
        text.get("value", ""),
        password.get("visible", True),
        button.get("visible", True),
        act,
    )


async def confirms(browser: Browser, password: str) -> dict[str, Any]:
    return await answers(browser, confirmation_form.confirm, password)


def made_tokens(house: House) -> int:
    return len(house.container.store().tables.access_tokens)


async def test_shortly_after_the_sign_in_nothing_is_asked(house: House) -> None:
    ada = await house.signed_in()
    await answers(ada, tokens.show)

    output = await answers(ada, tokens.create, "Nightly", 7, [])

    assert form_in(output)[0] is False
    assert made_tokens(house) == 1


async def test_a_late_act_shows_the_form_and_leaves_what_was_typed(house: House) -> None:
    ada = await house.signed_in()
    await answers(ada, tokens.show)
    house.passes(minutes=11)

    output = await answers(ada, tokens.create, "Nightly", 7, ["analyst"])

    is_shown, text, has_password, has_button, act = form_in(output)
    assert (is_shown, has_password, has_button, act) == (True, True, True, "1")
    assert "What you have typed stays" in text
    assert output["data"][:-5] == [UNCHANGED] * (len(output["data"]) - 5)
    assert made_tokens(house) == 0


async def test_after_the_confirmation_the_act_goes_on(house: House) -> None:
    ada = await house.signed_in()
    await answers(ada, tokens.show)
    house.passes(minutes=11)
    late = await answers(ada, tokens.create, "Nightly", 7, ["analyst"])

    confirmed = await confirms(ada, PASSWORD)
    done = await answers(ada, tokens.create, form_in(late)[4], "Nightly", 7, ["analyst"], number=1)

    assert confirmed["data"][0]["visible"] is False
    assert confirmed["data"][1] == ""
    assert form_in(done)[0] is False
    value = str(done["data"][1]["value"])
    program = await house.use_cases.recognise_token(value, activity=False)
    assert program.user.roles == {"analyst"}


async def test_an_act_that_does_not_wait_does_not_go_on(house: House) -> None:
    ada = await house.signed_in()
    await answers(ada, tokens.show)

    for waiting in ("", "2"):
        output = await answers(ada, tokens.create, waiting, "Nightly", 7, [], number=1)

        assert output["data"] == [UNCHANGED] * len(output["data"])
    assert made_tokens(house) == 0


async def test_the_act_itself_asks_whether_the_session_is_confirmed(house: House) -> None:
    """Whoever sends the event that follows a confirmation, without one, gets the form."""
    ada = await house.signed_in()
    await answers(ada, tokens.show)
    house.passes(minutes=11)

    output = await answers(ada, tokens.create, "1", "Nightly", 7, [], number=1)

    assert form_in(output)[0] is True
    assert made_tokens(house) == 0


async def test_a_wrong_or_missing_password_is_a_pop_up_and_the_form_stays(house: House) -> None:
    ada = await house.signed_in()
    house.passes(minutes=11)

    wrong, missing = await confirms(ada, "wrong"), await confirms(ada, "")

    assert "The current password is wrong" in wrong["error"]
    assert "not confirmed yet" in missing["error"]


async def test_an_account_of_a_provider_gets_a_link_instead_of_a_password(house: House) -> None:
    ada = await house.signed_in()
    assert ada.session is not None
    await answers(ada, tokens.show)
    await links(house, ada.session.user_id, has_password=False)
    house.passes(minutes=11)

    late = await answers(ada, tokens.create, "Nightly", 7, [])
    before = await confirms(ada, "")
    async with house.container.units_of_work().writing() as work:
        # As the way back from the provider does it, in another tab.
        await work.sessions.confirm(ada.session.id, house.clock.now())
        await work.commit()
    after = await confirms(ada, "")

    is_shown, text, has_password, has_button, _ = form_in(late)
    assert (is_shown, has_password, has_button) == (True, False, True)
    assert "[Sign in again at Corp \\& Sons](/login/corp/again)" in text
    assert "not confirmed yet" in before["error"]
    assert after["data"][0]["visible"] is False


async def test_an_account_with_both_may_choose(house: House) -> None:
    ada = await house.signed_in()
    assert ada.session is not None
    await answers(ada, tokens.show)
    await links(house, ada.session.user_id, has_password=True)
    house.passes(minutes=11)

    _, text, has_password, _, _ = form_in(await answers(ada, tokens.create, "Nightly", 7, []))

    assert has_password
    assert "Type your password, or: [Sign in again at" in text


async def links(house: House, user_id: UserId, *, has_password: bool) -> None:
    async with house.container.units_of_work().writing() as work:
        user = await work.users.get(user_id)
        await work.identities.add(an_identity(of=user, issuer=CORP.issuer))
        if not has_password:
            await work.users.save(without_password(user))
        await work.commit()


def without_password(user: User) -> User:
    return replace(user, password_hash=None)


async def test_an_account_without_any_way_is_told_what_to_do(house: House) -> None:
    ada = await house.signed_in()
    assert ada.session is not None
    await answers(ada, tokens.show)
    async with house.container.units_of_work().writing() as work:
        await work.users.save(without_password(await work.users.get(ada.session.user_id)))
        await work.commit()
    house.passes(minutes=11)

    is_shown, text, has_password, has_button, _ = form_in(
        await answers(ada, tokens.create, "Nightly", 7, [])
    )

    assert (is_shown, has_password, has_button) == (True, False, False)
    assert "ask an admin" in text


# The Users tab


async def root_and_ada(house: House) -> tuple[Browser, str]:
    """Return a browser of the admin that signed in eleven minutes ago, and the id of the other account."""
    root = await house.signed_in("root@example.org")
    ada = await house.use_cases.find_user(Caller.operator(), ADA)
    await answers(root, users.show, "", None)
    house.passes(minutes=11)
    return root, str(ada.id)


async def roles(house: House) -> frozenset[str]:
    return (await house.use_cases.find_user(Caller.operator(), ADA)).roles


Data = Callable[[str], list[Any]]
ACTS: Final[dict[str, tuple[Any, Data]]] = {
    "grant": (users.grant, lambda ada: [ada, "boss", ""]),
    "revoke": (users.revoke, lambda ada: [ada, "analyst", ""]),
    "enable": (users.enable, lambda ada: [ada, ""]),
    "create": (users.create, lambda _: ["eve@example.org", "Eve", PASSWORD, "", ""]),
}


@pytest.mark.parametrize("name", ACTS)
async def test_each_act_of_an_admin_waits_for_the_confirmation(house: House, name: str) -> None:
    root, ada = await root_and_ada(house)
    fn, data = ACTS[name]

    late = await answers(root, fn, *data(ada))
    before = (await roles(house), len(house.container.store().tables.users))
    await confirms(root, PASSWORD)
    act = form_in(late)[4]
    done = await answers(root, fn, act, *data(ada), number=1)

    assert form_in(late)[0] is True
    assert (set(before[0]), before[1]) == ({"analyst"}, 2)
    assert form_in(done)[0] is False, done
    after = (await roles(house), len(house.container.store().tables.users))
    assert (after != before) == (name != "enable")


async def test_acts_that_share_a_form_do_not_go_on_for_each_other(house: House) -> None:
    root, ada = await root_and_ada(house)
    late = [form_in(await answers(root, fn, *data(ada)))[4] for fn, data in ACTS.values()]
    await confirms(root, PASSWORD)

    await answers(root, users.grant, late[1], ada, "boss", "", number=1)

    assert len(set(late[:3])) == 3
    assert await roles(house) == {"analyst"}


async def test_ending_everything_needs_no_confirmation_and_revokes_tokens(house: House) -> None:
    made = await house.makes_token(ADA)
    root, ada = await root_and_ada(house)

    output = await answers(root, users.end_everything, ada, "")

    assert "error" not in output
    assert str(made.token.id) not in str(house.container.store().tables.access_tokens)


async def test_an_admin_sees_and_revokes_the_tokens_of_an_account(house: House) -> None:
    kept, gone = (
        await house.makes_token(ADA, name="Kept"),
        await house.makes_token(ADA, name="Gone"),
    )
    root, ada = await root_and_ada(house)

    listed = await answers(root, account_tokens.show, ada)
    revoked = await answers(root, account_tokens.revoke, str(gone.token.id))
    emptied = await answers(root, account_tokens.revoke_all, ada)

    assert "Access tokens of ada" in str(listed["data"][1])
    assert {"Kept", "Gone"} == {row[0] for row in listed["data"][2]["value"]["data"]}
    assert kept.value not in str(listed)
    assert [row[0] for row in revoked["data"][2]["value"]["data"]] == ["Kept"]
    assert "has no access token" in str(emptied["data"][1])
    assert made_tokens(house) == 0


async def test_nobody_else_sees_or_revokes_the_tokens_of_an_account(house: House) -> None:
    made = await house.makes_token("root@example.org", name="Hidden")
    bob = await house.signed_in("bob@example.org")

    for output in (
        await answers(bob, account_tokens.show, str(made.token.user_id)),
        await answers(bob, account_tokens.revoke, str(made.token.id)),
        await answers(bob, account_tokens.revoke_all, str(made.token.user_id)),
        await answers(bob, account_tokens.show, None),
        await answers(bob, account_tokens.show, "x"),
    ):
        assert output["error"]
        assert "Hidden" not in str(output)
    assert made_tokens(house) == 1


# The Account tab


@pytest.mark.parametrize("revokes", [True, False])
async def test_a_new_password_revokes_the_tokens_if_the_box_is_ticked(
    house: House, *, revokes: bool
) -> None:
    await house.makes_token(ADA)
    ada = await house.signed_in()

    output = await answers(
        ada, account.change_password, PASSWORD, "a b c d e f", "a b c d e f", revokes
    )

    assert output["data"] == ["", "", ""]
    assert made_tokens(house) == (0 if revokes else 1)


async def test_the_box_is_ticked_at_first(house: House) -> None:
    boxes = [
        b for b in house.demo.blocks.values() if "access tokens too" in str(getattr(b, "label", ""))
    ]

    assert [getattr(box, "value", None) for box in boxes] == [True]
