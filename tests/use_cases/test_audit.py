"""Each act that concerns security is one line in the log, done or refused, with ids and without secrets."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from domain.errors import DomainError
from domain.model.caller import Caller
from domain.model.user import User
from domain.services.auth import PER_ACCOUNT_AND_ADDRESS
from tests.use_cases.conftest import LAPTOP, PASSWORD, House

OPERATOR: Final = Caller.operator()
NEW: Final = "battery staple"

Acts = Callable[[House, Caller, User], Awaitable[Any]]


async def changes_password(house: House, me: Caller, _: User) -> None:
    await house.use_cases.change_password(me, current=PASSWORD, new=NEW)


async def revokes_a_token(house: House, me: Caller, _: User) -> None:
    made = await house.use_cases.create_token(me, name="nightly", days=9)
    await house.use_cases.revoke_token(me, made.token.id)


async def revokes_a_token_of_another(house: House, me: Caller, other: User) -> None:
    theirs = (await house.sign_in(other.email)).caller
    made = await house.use_cases.create_token(theirs, name="nightly")
    await house.use_cases.revoke_token(me, made.token.id)


async def ends_a_session(house: House, me: Caller, other: User) -> None:
    opened = await house.opens(other.email)
    await house.use_cases.revoke_session(me, opened.session.id, of=other.id)


async def forgets_a_device(house: House, me: Caller, _: User) -> None:
    [device] = await house.use_cases.list_known_devices(me)
    await house.use_cases.forget_device(me, device.id)


DONE: Final[dict[str, tuple[Acts, str, dict[str, Any]]]] = {
    "sign-in": (
        lambda house, _, other: house.opens(other.email),
        "authn_login_success",
        {"how": "password"},
    ),
    "sign-out": (
        lambda house, me, _: house.use_cases.log_out(me),
        "session_expired",
        {"why": "signed out"},
    ),
    "a new account": (
        lambda house, me, _: house.use_cases.create_user(
            me, email="eve@example.org", password=NEW, roles=["boss", "admin"]
        ),
        "user_created",
        {"granted": "admin boss"},
    ),
    "another name": (
        lambda house, me, other: house.use_cases.rename_user(me, other.id, "Bobby"),
        "user_updated",
        {},
    ),
    "a role granted": (
        lambda house, me, other: house.use_cases.grant_role(me, other.id, "boss"),
        "authz_change",
        {"granted": "boss"},
    ),
    "a role revoked": (
        lambda house, me, other: house.use_cases.revoke_role(me, other.id, "analyst"),
        "authz_change",
        {"revoked": "analyst"},
    ),
    "roles changed together": (
        lambda house, me, other: house.use_cases.change_user(me, other.id, roles=["boss"]),
        "authz_change",
        {"granted": "boss", "revoked": "analyst"},
    ),
    "disabled": (
        lambda house, me, other: house.use_cases.disable_user(me, other.id),
        "user_archived",
        {},
    ),
    "disabled with a change": (
        lambda house, me, other: house.use_cases.change_user(me, other.id, is_active=False),
        "user_archived",
        {},
    ),
    "enabled": (
        lambda house, me, other: house.use_cases.enable_user(me, other.id),
        "user_updated",
        {"is_active": True},
    ),
    "own password": (
        changes_password,
        "authn_password_change",
        {"sessions_ended": 0, "tokens_revoked": 0},
    ),
    "password of another": (
        lambda house, me, other: house.use_cases.set_password(me, other.id, NEW),
        "authn_password_change",
        {"sessions_ended": 0, "tokens_revoked": 0},
    ),
    "a token": (
        lambda house, me, _: house.use_cases.create_token(me, name="nightly", days=9),
        "authn_token_created",
        {"days": 9},
    ),
    "a token revoked": (revokes_a_token, "authn_token_revoked", {}),
    "a device forgotten": (forgets_a_device, "user_updated", {}),
    "a session ended": (ends_a_session, "session_expired", {}),
    "other sessions ended": (
        lambda house, me, _: house.use_cases.revoke_other_sessions(me),
        "session_expired",
        {"sessions": 0},
    ),
    "everything ended": (
        lambda house, me, other: house.use_cases.revoke_all_sessions(me, other.id),
        "session_expired",
        {"sessions": 0, "tokens": 0},
    ),
    "tokens of another listed": (
        lambda house, me, other: house.use_cases.list_tokens_of(me, other.id),
        "sensitive_read",
        {"what": "access tokens"},
    ),
    "tokens of another revoked": (
        lambda house, me, other: house.use_cases.revoke_all_tokens(me, other.id),
        "authn_token_revoked",
        {"tokens": 0},
    ),
    "a token of another revoked": (revokes_a_token_of_another, "authn_token_revoked", {}),
    "confirmed": (
        lambda house, me, _: house.use_cases.confirm_by_password(me, PASSWORD),
        "authn_login_success",
        {"how": "password again"},
    ),
}

WITHOUT_CALLER: Final = frozenset({"sign-in"})
OF_OWN_ACCOUNT: Final = frozenset(
    {
        *("sign-out", "own password", "a token", "a token revoked", "a device forgotten"),
        *("other sessions ended", "confirmed"),
    }
)
OF_NEW_ACCOUNT: Final = frozenset({"a new account"})


@pytest.mark.parametrize("name", DONE)
async def test_an_act_is_one_line_that_says_who_and_of_whom(name: str, house: House) -> None:
    act, event, details = DONE[name]
    await house.has(roles={"admin"})
    other = await house.has("bob@example.org", roles={"analyst"})
    me = (await house.sign_in()).caller

    with capture_logs() as lines:
        await act(house, me, other)

    line = lines[-1]
    assert [one["event"] for one in lines].count(event) == 1
    assert (line["event"], line["audit"], line["outcome"]) == (event, True, "done")
    assert details.items() <= line.items()
    if name not in WITHOUT_CALLER:
        assert (line["by"], line["session_id"]) == (str(me.user_id), str(me.session_id))
    of = str(me.user_id) if name in OF_OWN_ACCOUNT else str(other.id)
    if name not in OF_NEW_ACCOUNT:
        assert line["of"] == of
    assert not [word for word in (PASSWORD, NEW, "example.org", "gra_") if word in str(lines)]


async def test_an_act_that_is_refused_is_one_line_that_says_why(house: House) -> None:
    await house.has()
    other = await house.has("bob@example.org")
    me = (await house.sign_in()).caller
    admins_only = [
        (name, act)
        for name, (act, _, _) in DONE.items()
        if name not in WITHOUT_CALLER | OF_OWN_ACCOUNT
        if name not in {"a session ended", "a token of another revoked"}
    ]
    assert len(admins_only) == 12

    for name, act in admins_only:
        with capture_logs() as lines, pytest.raises(DomainError):
            await act(house, me, other)

        [line] = lines
        assert (line["event"], line["outcome"]) == ("authz_fail", "refused"), name
        assert (line["reason"], line["tried"]) == ("NotAllowed", DONE[name][1]), name
        assert line["by"] == str(me.user_id), name


async def test_a_wrong_password_is_recorded_with_the_account(house: House) -> None:
    ada = await house.has()

    with capture_logs() as lines, pytest.raises(DomainError):
        await house.opens(password="wrong")

    [line] = lines
    assert (line["event"], line["reason"]) == ("authn_login_fail", "SignInRefused")
    assert line["of"] == str(ada.id)
    assert "typed" not in line


async def test_an_unknown_account_is_recorded_as_a_keyed_hash_only(house: House) -> None:
    with capture_logs() as lines:
        for typed in ("mallory@example.org", " MALLORY@example.org", "my secret password"):
            with suppress(DomainError):
                await house.opens(typed)

    marks = [line["typed"] for line in lines]
    assert marks[0] == marks[1] != marks[2]
    assert {len(mark) for mark in marks} == {43}
    assert "mallory" not in str(lines).lower()
    assert "secret" not in str(lines)


async def test_a_throttled_sign_in_has_a_name_of_its_own(house: House) -> None:
    await house.has()
    burst, _ = PER_ACCOUNT_AND_ADDRESS

    with capture_logs() as lines:
        for _ in range(burst + 1):
            with suppress(DomainError):
                await house.opens(password="wrong")

    assert [line["event"] for line in lines] == ["authn_login_fail"] * burst + [
        "authn_login_fail_max"
    ]


async def test_a_refused_password_change_has_a_name_of_its_own(house: House) -> None:
    await house.has()
    me = (await house.sign_in()).caller

    with capture_logs() as lines, pytest.raises(DomainError):
        await house.use_cases.change_password(me, current="wrong", new=NEW)

    assert [line["event"] for line in lines] == ["authn_password_change_fail"]


async def test_a_program_is_recorded_with_its_token(house: House) -> None:
    await house.has(roles={"admin"})
    other = await house.has("bob@example.org")
    me = (await house.sign_in()).caller
    made = await house.use_cases.create_token(me, name="nightly")
    program = (await house.use_cases.recognise_token(made.value, activity=False)).caller

    with capture_logs() as lines:
        await house.use_cases.disable_user(program, other.id)

    [line] = lines
    assert (line["token_id"], "session_id" in line) == (str(made.token.id), False)


async def test_an_act_that_lacks_a_confirmation_is_recorded_as_refused(house: House) -> None:
    await house.has()
    me = (await house.sign_in()).caller
    house.passes(minutes=10)

    with capture_logs() as lines:
        for act in (
            house.use_cases.create_token(me, name="nightly"),
            house.use_cases.confirm_by_password(me, "wrong"),
        ):
            with pytest.raises(DomainError):
                await act

    assert [(line["event"], line["outcome"], line["reason"]) for line in lines] == [
        ("authn_token_created", "refused", "ConfirmationNeeded"),
        ("authn_login_fail", "refused", "WrongPassword"),
    ]
    assert {line["session_id"] for line in lines} == {str(me.session_id)}


async def test_the_set_up_records_the_first_admin(house: House) -> None:
    link = await house.use_cases.offer_setup()
    assert link is not None

    with capture_logs() as lines:
        opened = await house.use_cases.set_up(
            link, email="ada@example.org", name="", password=PASSWORD, device=LAPTOP
        )

    [line] = lines
    assert (line["event"], line["how"], line["granted"]) == ("user_created", "set-up link", "admin")
    assert (line["of"], line["opened"]) == (str(opened.session.user_id), str(opened.session.id))
    assert link not in str(lines)
