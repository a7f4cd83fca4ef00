"""Values that outlive a request."""

import asyncio

import pytest

from domain.errors import NotAllowed, SessionEnded, StateInvalid
from domain.model.caller import Caller, SignedIn
from domain.model.state import LARGEST_TOTAL, REMOVED, Entry, JsonValue
from tests.use_cases.conftest import House


async def a_caller(house: House) -> Caller:
    await house.has()
    return (await house.sign_in()).caller


def one_more(value: JsonValue) -> JsonValue:
    return (value if isinstance(value, int) else 0) + 1


async def test_two_writers_of_different_keys_both_keep_their_write(house: House) -> None:
    caller = await a_caller(house)

    await asyncio.gather(
        house.use_cases.change_account_state(caller, {"a": 1, "b": 1}),
        house.use_cases.change_account_state(caller, {"c": [3]}),
    )
    await house.use_cases.change_account_state(caller, {"a": {"x": None}, "b": REMOVED})

    assert await house.use_cases.read_account_state(caller) == {
        "a": Entry(value={"x": None}, version=2),
        "c": Entry(value=[3], version=1),
    }


async def test_no_update_of_a_value_is_lost(house: House) -> None:
    caller = await a_caller(house)

    await asyncio.gather(
        *(house.use_cases.change_account_state(caller, {}, {"n": [one_more]}) for _ in range(100))
    )

    assert (await house.use_cases.read_account_state(caller))["n"].value == 100


async def test_account_state_is_the_same_on_every_device(house: House) -> None:
    laptop = await a_caller(house)
    await house.use_cases.change_account_state(laptop, {"draft": "hello"})

    phone = (await house.sign_in()).caller

    assert (await house.use_cases.read_account_state(phone))["draft"].value == "hello"


async def test_session_data_belongs_to_one_sign_in_and_ends_with_it(house: House) -> None:
    caller = await a_caller(house)
    token = (await house.opens()).signed_token
    mine = await house.use_cases.recognise(token, activity=True)
    await house.use_cases.change_session_data(mine.caller, {"note": "x"})

    def note(signed_in: SignedIn) -> object:
        return {key: entry.value for key, entry in signed_in.data.items()}

    assert note(await house.use_cases.recognise(token, activity=True)) == {"note": "x"}
    assert note(await house.sign_in()) == {}
    await house.use_cases.log_out(mine.caller)
    with pytest.raises(SessionEnded):
        await house.use_cases.change_session_data(mine.caller, {"note": "y"})
    assert caller


async def test_users_see_their_own_writes_at_once_and_never_those_of_others(house: House) -> None:
    await a_caller(house)
    await house.has("bob@example.org")
    token = (await house.opens()).signed_token
    mine = await house.use_cases.recognise(token, activity=True)

    for n in range(3):
        await house.use_cases.change_session_data(mine.caller, {"n": n})
        assert (await house.use_cases.recognise(token, activity=True)).data["n"].value == n

    bob = await house.sign_in("bob@example.org")
    assert not bob.data
    assert not await house.use_cases.read_account_state(bob.caller)


async def test_a_change_with_an_invalid_value_stores_nothing(house: House) -> None:
    caller = await a_caller(house)

    with pytest.raises(StateInvalid):
        await house.use_cases.change_account_state(caller, {"good": 1, "bad": object()})  # type: ignore[dict-item]

    assert not await house.use_cases.read_account_state(caller)


async def test_the_total_size_of_an_owners_values_is_limited(house: House) -> None:
    caller = await a_caller(house)
    piece = "x" * 60_000
    for n in range(LARGEST_TOTAL // 60_002):
        await house.use_cases.change_account_state(caller, {f"k{n}": piece})

    with pytest.raises(StateInvalid, match=str(LARGEST_TOTAL)):
        await house.use_cases.change_account_state(caller, {"one more": piece})

    await house.use_cases.change_account_state(caller, {"k0": REMOVED})
    await house.use_cases.change_account_state(caller, {"one more": piece})


async def test_the_operator_has_no_state(house: House) -> None:
    with pytest.raises(NotAllowed):
        await house.use_cases.read_account_state(Caller.operator())
    with pytest.raises(SessionEnded):
        await house.use_cases.change_session_data(Caller.operator(), {"a": 1})
