"""Single sign-on: which account a sign-in at a provider opens, and with which roles."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from adapters.system.clock import StoppedClock
from application.settings import ProviderSettings
from domain.errors import (
    DomainError,
    IdentityRefused,
    IdentityTaken,
    LastBreakGlass,
    LinkNeedsPassword,
    NotAllowed,
    PasswordSignInOff,
    ProviderNotFound,
    SessionEnded,
    SignInRefused,
    SignInThrottled,
)
from domain.model.audit import Act, Entry
from domain.model.caller import Caller
from domain.model.identity import Origin, Profile
from domain.model.user import User, canonical_email
from domain.services.auth import PER_ACCOUNT_AND_ADDRESS, PER_DEVICE
from domain.services.identities import Attempt, Unproven
from domain.services.sessions import Opened
from tests.compositions import composition
from tests.use_cases.conftest import CORP, LAPTOP, PASSWORD, SETTINGS, House

ADA: Final = "ada@example.org"
OPERATOR: Final = Caller.operator()
ISSUER: Final = CORP.issuer
OPEN: Final = replace(CORP, name="open", issuer="https://open.example.org", create="true")
PLAIN: Final = ProviderSettings(name="plain", issuer="https://plain.example.org", client_id="us")


@pytest.fixture
def house() -> Iterator[House]:
    clock = StoppedClock()
    with composition(SETTINGS.replaced(oidc=(CORP, OPEN, PLAIN)), clock) as container:
        yield House(container, clock)


def a_profile(**said: Any) -> Profile:
    usual: dict[str, Any] = {
        "issuer": ISSUER,
        "subject": "1",
        "email": ADA,
        "is_email_verified": True,
        "name": "Ada at Corp",
    }
    return Profile(**(usual | said))


async def opens(
    house: House, profile: Profile | None = None, *, name: str = "corp", **more: Any
) -> Opened:
    found = profile or a_profile()
    return await house.use_cases.sign_in_by_identity(name, found, LAPTOP, **more)


async def user_of(house: House, opened: Opened) -> User:
    return (await house.use_cases.recognise(opened.signed_token, activity=False)).user


async def roles_after(house: House, *granted: str) -> frozenset[str]:
    opened = await opens(house, a_profile(granted=frozenset(granted)))
    return (await user_of(house, opened)).roles


async def count(house: House) -> int:
    return len(await house.use_cases.list_users(OPERATOR))


async def test_a_first_sign_in_opens_the_account_with_the_verified_email(house: House) -> None:
    ada = await house.has(ADA)

    opened = await opens(house, a_profile(email=" Ada@Example.ORG", sid="s1"))
    other = await house.has("\u00e4rger@example.org")
    in_parts = await opens(house, a_profile(email="A\u0308rger@example.org".lower(), subject="2"))

    assert await user_of(house, opened) == ada
    assert opened.session.origin == Origin(issuer=ISSUER, subject="1", sid="s1")
    assert await user_of(house, in_parts) == other
    assert await count(house) == 2


async def test_afterwards_the_account_is_found_by_issuer_and_subject_and_never_by_email(
    house: House,
) -> None:
    ada, bob = await house.has(ADA), await house.has("bob@example.org")
    await opens(house)

    moved = await opens(house, a_profile(email="bob@example.org"))
    unverified = await opens(house, a_profile(email="", is_email_verified=False))

    assert await user_of(house, moved) == ada
    assert await user_of(house, unverified) == ada
    assert bob.id != ada.id


@pytest.mark.parametrize(
    ("said", "name", "sentence"),
    [
        ({"is_email_verified": False}, "corp", "has not verified your e-mail address"),
        ({"email": ""}, "corp", "did not say your e-mail address"),
        ({"email": "ada"}, "corp", "did not say your e-mail address"),
        ({"email": "ada@example.org.evil.test"}, "corp", "Nobody with the e-mail address"),
        ({"email": "ada@sub.example.org"}, "corp", "Nobody with the e-mail address"),
        ({"email": "nobody@example.org"}, "corp", "There is no account for nobody@example.org"),
        ({"issuer": "https://plain.example.org"}, "plain", "Nobody with the e-mail address"),
        ({"issuer": "https://plain.example.org"}, "corp", "This sign-in was not accepted"),
    ],
)
async def test_a_first_sign_in_is_refused_in_one_sentence(
    house: House, said: dict[str, Any], name: str, sentence: str
) -> None:
    await house.has(ADA)

    with pytest.raises(IdentityRefused, match=sentence) as refused:
        await opens(house, a_profile(**said), name=name)

    assert refused.value.reason
    assert await count(house) == 1
    assert not await house.use_cases.list_all_sessions(OPERATOR)


@pytest.mark.parametrize(
    "written",
    [
        "strau\u00df@example.org",
        "\u017ftrauss@example.org",
        "\u212aim@example.org",
        "strauss@e\u00df.example.org",
        "\u00c4rger@example.org",
    ],
)
async def test_a_provider_vouches_only_for_the_address_that_it_writes(
    house: House, written: str
) -> None:
    await house.has(canonical_email(written))

    with pytest.raises(IdentityRefused, match="letters that stand for others"):
        await opens(house, a_profile(email=written))

    assert not await house.use_cases.list_all_sessions(OPERATOR)


async def test_an_account_is_made_only_where_the_provider_may_make_one(house: House) -> None:
    profile = a_profile(issuer=OPEN.issuer, granted=frozenset({"analyst"}))

    made = await user_of(house, await opens(house, profile, name="open"))
    again = await user_of(house, await opens(house, profile, name="open"))

    assert (made.email, made.name) == (ADA, "Ada at Corp")
    assert made.roles == {"analyst"}
    assert made.password_hash is None
    assert again.id == made.id
    assert await count(house) == 1


@pytest.mark.parametrize(("name", "shown"), [("", "ada"), ("\n\0", "ada"), ("x" * 300, "x" * 200)])
async def test_a_name_that_cannot_be_used_becomes_the_local_part(
    house: House, name: str, shown: str
) -> None:
    profile = a_profile(issuer=OPEN.issuer, name=name)

    made = await user_of(house, await opens(house, profile, name="open"))

    assert made.name == shown


@pytest.mark.parametrize("said", [{"is_email_verified": False}, {"email": "ada@example.com"}])
async def test_no_account_is_made_for_an_email_that_the_provider_does_not_vouch_for(
    house: House, said: dict[str, Any]
) -> None:
    with pytest.raises(IdentityRefused):
        await opens(house, a_profile(issuer=OPEN.issuer, **said), name="open")

    assert await count(house) == 0


async def test_a_second_person_with_the_same_email_does_not_get_the_account(house: House) -> None:
    await house.has(ADA)
    await opens(house)

    with pytest.raises(IdentityTaken):
        await opens(house, a_profile(subject="2"))

    assert len(await house.use_cases.list_all_sessions(OPERATOR)) == 1


async def test_an_unlinked_account_can_be_linked_to_another_person(house: House) -> None:
    ada = await house.has(ADA)
    await opens(house)

    removed = await house.use_cases.unlink_identities(OPERATOR, ada.id)

    assert removed == 1
    assert (await user_of(house, await opens(house, a_profile(subject="2")))).id == ada.id


async def test_only_an_admin_unlinks(house: House) -> None:
    ada = await house.has(ADA)
    me = await house.sign_in(ADA)

    with pytest.raises(NotAllowed):
        await house.use_cases.unlink_identities(me.caller, ada.id)


async def test_an_admin_proves_the_password_once(house: House) -> None:
    ada = await house.has(ADA, roles={"admin"})
    profile = a_profile(granted=frozenset({"admin"}))

    with pytest.raises(LinkNeedsPassword):
        await opens(house, profile)
    with pytest.raises(SignInRefused):
        await opens(house, profile, password="wrong horse")
    before = await house.use_cases.list_all_sessions(OPERATOR)
    proven = await opens(house, profile, password=PASSWORD)
    again = await opens(house, profile)

    assert before == []
    assert (await user_of(house, proven)).id == (await user_of(house, again)).id == ada.id


async def test_the_password_of_another_account_proves_nothing(house: House) -> None:
    await house.has("bob@example.org", roles={"admin"})
    await house.has(ADA, roles={"admin"})
    profile = a_profile(issuer=OPEN.issuer, email="bob@example.org")
    ada = house.use_cases.list_users(OPERATOR, search=ADA)
    service, units = house.container.identities(), house.container.units_of_work()
    provider = house.container.settings().providers.named("open")

    async with units.writing() as work:
        with pytest.raises(LinkNeedsPassword):
            await service.account_of(
                provider,
                profile,
                users=work.users,
                identities=work.identities,
                entry=Entry(act=Act.SIGN_IN, by=None),
                proven=(await ada)[0].id,
            )


async def test_an_admin_without_a_password_is_not_asked_for_it_but_told_how_to_get_one(
    house: House,
) -> None:
    ada = await house.use_cases.create_user(OPERATOR, email=ADA, password=None, roles={"admin"})

    with pytest.raises(IdentityRefused, match=f"gradioapp users set-password {ADA}") as refused:
        await opens(house)
    with pytest.raises(SignInRefused):
        await opens(house, password="")
    await house.use_cases.set_password(OPERATOR, ada.id, PASSWORD)
    with pytest.raises(LinkNeedsPassword):
        await opens(house)

    assert refused.value.reason == "no password"
    assert (await user_of(house, await opens(house, password=PASSWORD))).id == ada.id


async def test_an_unlinked_admin_without_a_password_is_told_how_to_get_one(house: House) -> None:
    profile = a_profile(issuer=OPEN.issuer)
    ada = await user_of(house, await opens(house, profile, name="open"))
    await house.use_cases.grant_role(OPERATOR, ada.id, "admin")
    assert await opens(house, profile, name="open")

    await house.use_cases.unlink_identities(OPERATOR, ada.id)

    with pytest.raises(IdentityRefused, match=f"gradioapp users set-password {ADA}"):
        await opens(house, profile, name="open")


async def test_wrong_passwords_of_an_admin_count_against_the_limits_of_sign_in(
    house: House,
) -> None:
    await house.has(ADA, roles={"admin"})
    for _ in range(PER_ACCOUNT_AND_ADDRESS[0]):
        with pytest.raises(SignInRefused):
            await opens(house, password="wrong horse")

    with pytest.raises(SignInThrottled):
        await opens(house, password=PASSWORD)


async def test_strangers_do_not_keep_an_admin_from_the_first_sign_in_in_a_known_browser(
    house: House,
) -> None:
    await house.has(ADA, roles={"admin"})
    cookie = (await house.opens(ADA)).device_token
    for _ in range(PER_ACCOUNT_AND_ADDRESS[0]):
        with pytest.raises(SignInRefused):
            await opens(house, password="wrong horse")

    with pytest.raises(SignInThrottled):
        await opens(house, password=PASSWORD)
    assert await opens(house, password=PASSWORD, device_token=cookie)
    for _ in range(PER_DEVICE[0]):
        with pytest.raises(SignInRefused):
            await opens(house, password="wrong horse", device_token=cookie)
    with pytest.raises(SignInThrottled):
        await opens(house, password=PASSWORD, device_token=cookie)


async def test_a_disabled_account_is_refused_at_the_first_sign_in_and_later(house: House) -> None:
    ada = await house.has(ADA)
    await house.use_cases.disable_user(OPERATOR, ada.id)
    with pytest.raises(IdentityRefused, match="Your account is disabled"):
        await opens(house)
    await house.use_cases.enable_user(OPERATOR, ada.id)
    await opens(house)
    await house.use_cases.disable_user(OPERATOR, ada.id)

    with pytest.raises(IdentityRefused, match="Your account is disabled"):
        await opens(house)

    assert not await house.use_cases.list_all_sessions(OPERATOR)


async def test_claims_give_and_take_only_the_roles_that_the_mapping_names(house: House) -> None:
    await house.has(ADA, roles={"writer"})

    given = await roles_after(house, "analyst")
    taken = await roles_after(house)
    beyond = await roles_after(house, "owner")

    assert [given, taken, beyond] == [{"writer", "analyst"}, {"writer"}, {"writer"}]


async def test_a_role_of_the_mapping_that_was_given_here_is_taken_at_the_next_sign_in(
    house: House,
) -> None:
    await house.has(ADA, roles={"analyst", "writer"})

    assert await roles_after(house) == {"writer"}


async def test_other_sessions_see_the_changed_roles_at_once(house: House) -> None:
    await house.has(ADA)
    before = await opens(house)
    await user_of(house, before)

    await opens(house, a_profile(granted=frozenset({"analyst"})))

    assert (await user_of(house, before)).roles == {"analyst"}


async def test_claims_do_not_take_the_role_of_the_last_admin(house: House) -> None:
    await house.has(ADA)
    await opens(house)
    made = await roles_after(house, "admin")
    kept = await roles_after(house)
    await house.has("grace@example.org", roles={"admin"})

    taken = await roles_after(house)

    assert [made, kept, taken] == [{"admin"}, {"admin"}, set()]


async def test_the_browsers_previous_session_ends(house: House) -> None:
    await house.has(ADA)
    before = await house.sign_in(ADA)

    opened = await opens(house, replacing=before)

    sessions = await house.use_cases.list_all_sessions(OPERATOR)
    assert [session.id for session, _ in sessions] == [opened.session.id]


async def test_a_provider_that_is_not_configured_opens_nothing(house: House) -> None:
    with pytest.raises(ProviderNotFound):
        await opens(house, name="other")


def attempt(house: House, wanted: str = "") -> tuple[Attempt, str]:
    begun: tuple[Attempt, str] = house.container.identities().begin(
        house.container.settings().providers.named("corp"), wanted
    )
    return begun


def test_an_attempt_is_resumed_with_its_state_at_its_provider_within_ten_minutes(
    house: House,
) -> None:
    begun, cookie = attempt(house, "/gradio/?tab=2")
    corp, other = house.container.settings().providers.all[:2]
    resume = house.container.identities().resume

    assert resume(corp, cookie, begun.state) == begun
    for provider, text, state in [
        (corp, cookie, ""),
        (corp, cookie, "\ud800"),
        (corp, cookie, attempt(house)[0].state),
        (other, cookie, begun.state),
        (corp, None, begun.state),
        (corp, f"{cookie}x", begun.state),
    ]:
        with pytest.raises(IdentityRefused, match="another browser or more than 10 minutes ago"):
            resume(provider, text, state)
    house.passes(minutes=10)
    with pytest.raises(IdentityRefused):
        resume(corp, cookie, begun.state)


def test_the_secrets_of_two_attempts_differ_and_none_equals_another(house: House) -> None:
    secrets = [
        secret
        for begun, _ in (attempt(house), attempt(house))
        for secret in (begun.state, begun.nonce, begun.verifier)
    ]

    assert len(set(secrets)) == 6
    assert {len(secret) for secret in secrets} == {43}


def test_the_cookie_stays_below_the_limit_of_browsers(house: House) -> None:
    longest, cookie = attempt(house, "/" + "x" * 999)
    too_long, _ = attempt(house, "/" + "x" * 1000)

    assert len(cookie) < 4000
    assert longest.wanted
    assert too_long.wanted == ""


def test_a_sign_in_that_waits_for_the_password_is_bound_to_its_provider(house: House) -> None:
    service = house.container.identities()
    corp, other = house.container.settings().providers.all[:2]
    profile = a_profile(granted=frozenset({"a"}), name="")
    kept = Unproven(provider="corp", profile=profile, wanted="/x")
    token = service.keep_unproven(kept)

    assert service.unproven(corp, token) == kept
    for provider, text in [(other, token), (corp, None), (corp, attempt(house)[1])]:
        with pytest.raises(IdentityRefused):
            service.unproven(provider, text)
    house.passes(minutes=10)
    with pytest.raises(IdentityRefused):
        service.unproven(corp, token)


def test_the_longest_sign_in_that_waits_is_read_again(house: House) -> None:
    service, corp = house.container.identities(), house.container.settings().providers.all[0]
    profile = a_profile(subject="s" * 255, sid="i" * 255, name="ü" * 200, email="a" * 254)

    kept = Unproven(provider="corp", profile=profile, wanted="/" + "x" * 999)

    assert service.unproven(corp, service.keep_unproven(kept)).wanted == ""


async def test_an_attempts_token_opens_no_session(house: House) -> None:
    await house.has(ADA)

    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(attempt(house)[1], activity=False)


@pytest.fixture
def enforced() -> Iterator[House]:
    clock = StoppedClock()
    settings = SETTINGS.replaced(oidc=(CORP,), password_sign_in=False)
    with composition(settings, clock) as container:
        yield House(container, clock)


async def test_without_passwords_every_failure_and_a_right_password_look_the_same(
    enforced: House,
) -> None:
    await enforced.has(ADA)
    await enforced.has("admin@example.org", roles={"admin"})

    for email, password in [
        (ADA, PASSWORD),
        (ADA, "wrong horse"),
        ("admin@example.org", PASSWORD),
        ("nobody@example.org", PASSWORD),
    ]:
        with pytest.raises(PasswordSignInOff):
            await enforced.opens(email, password=password)
    assert not await enforced.use_cases.list_all_sessions(OPERATOR)


async def test_without_passwords_the_break_glass_admin_signs_in_as_long_as_it_is_marked(
    enforced: House,
) -> None:
    admin = await enforced.has(ADA, roles={"admin"})
    await enforced.has("grace@example.org", roles={"admin"})
    mark = enforced.use_cases.mark_break_glass

    await mark(OPERATOR, admin.id, is_marked=True)
    assert await enforced.opens(ADA)
    with pytest.raises(PasswordSignInOff):
        await enforced.opens(ADA, password="wrong horse")
    await mark(OPERATOR, admin.id, is_marked=False)
    with pytest.raises(PasswordSignInOff):
        await enforced.opens(ADA)
    assert await enforced.use_cases.find_break_glass(OPERATOR) == []


async def test_a_mark_from_before_opens_nothing_for_an_account_that_is_no_admin_any_more(
    house: House,
) -> None:
    admin = await house.has(ADA, roles={"admin"})
    await house.has("grace@example.org", roles={"admin"})
    await house.use_cases.mark_break_glass(OPERATOR, admin.id, is_marked=True)

    await house.use_cases.revoke_role(OPERATOR, admin.id, "admin")

    marked = await house.use_cases.get_user(OPERATOR, admin.id)
    without = replace(house.container.auth(), password_sign_in=False)
    assert marked.is_break_glass
    assert not without.allows_password(marked)
    assert await house.use_cases.find_break_glass(OPERATOR) == []


async def test_claims_do_not_take_the_role_of_the_break_glass_account(enforced: House) -> None:
    ada = await enforced.has(ADA, roles={"admin", "analyst"})
    await enforced.has("grace@example.org", roles={"admin"})
    await opens(enforced, password=PASSWORD, profile=a_profile(granted=frozenset({"admin"})))
    mark = enforced.use_cases.mark_break_glass
    await mark(OPERATOR, ada.id, is_marked=True)

    kept = await roles_after(enforced)
    assert await enforced.opens(ADA)
    await mark(OPERATOR, ada.id, is_marked=False)
    taken = await roles_after(enforced)

    assert [kept, taken] == [{"admin"}, set()]


@pytest.mark.parametrize("is_operator", [True, False])
async def test_the_break_glass_account_stays_an_active_admin_until_another_is_marked(
    enforced: House, *, is_operator: bool
) -> None:
    ada = await enforced.has(ADA, roles={"admin"})
    grace = await enforced.has("grace@example.org", roles={"admin"})
    cases, by = enforced.use_cases, OPERATOR
    await cases.mark_break_glass(OPERATOR, grace.id, is_marked=True)
    if not is_operator:
        opened = await enforced.opens("grace@example.org")
        by = (await cases.recognise(opened.signed_token, activity=False)).caller
    await cases.mark_break_glass(OPERATOR, ada.id, is_marked=True)

    for change in (
        cases.revoke_role(by, ada.id, "admin"),
        cases.change_user(by, ada.id, roles={"analyst"}),
        cases.change_user(by, ada.id, is_active=False),
        cases.disable_user(by, ada.id),
    ):
        with pytest.raises(LastBreakGlass, match="gradioapp users break-glass EMAIL"):
            await change
    assert await enforced.opens(ADA)
    changed = await cases.change_user(by, ada.id, name="Ada L.", roles={"admin", "analyst"})
    assert changed.roles == {"admin", "analyst"}
    await cases.mark_break_glass(OPERATOR, grace.id, is_marked=True)
    assert not (await cases.disable_user(by, ada.id)).is_active


async def test_marking_another_account_takes_the_mark_from_the_first(enforced: House) -> None:
    ada, grace = [
        await enforced.has(email, roles={"admin"}) for email in (ADA, "grace@example.org")
    ]

    for user in (ada, grace):
        await enforced.use_cases.mark_break_glass(OPERATOR, user.id, is_marked=True)

    marked = await enforced.use_cases.find_break_glass(OPERATOR)
    assert [user.email for user in marked] == ["grace@example.org"]
    with pytest.raises(PasswordSignInOff):
        await enforced.opens(ADA)


async def test_only_the_operator_marks_and_only_an_active_admin_with_a_password(
    house: House,
) -> None:
    admin = await house.has(ADA, roles={"admin"})
    other = await house.has("bob@example.org")
    disabled = await house.has("eve@example.org", roles={"admin"})
    await house.use_cases.disable_user(OPERATOR, disabled.id)
    without = await house.use_cases.create_user(
        OPERATOR, email="joe@example.org", password=None, roles={"admin"}
    )
    me = await house.sign_in(ADA)
    mark = house.use_cases.mark_break_glass

    with pytest.raises(NotAllowed):
        await mark(me.caller, admin.id, is_marked=True)
    for user in (other, disabled, without):
        with pytest.raises(NotAllowed, match="must be an active admin with a password"):
            await mark(OPERATOR, user.id, is_marked=True)
    assert await house.use_cases.find_break_glass(OPERATOR) == []


async def test_without_passwords_an_admin_still_proves_the_password_at_the_first_sign_in(
    enforced: House,
) -> None:
    await enforced.has(ADA, roles={"admin"})

    with pytest.raises(SignInRefused):
        await opens(enforced, password="wrong horse")

    assert await opens(enforced, password=PASSWORD)


async def test_without_passwords_the_setup_link_still_makes_the_first_admin(
    enforced: House,
) -> None:
    token = await enforced.use_cases.offer_setup()
    assert token is not None

    opened = await enforced.use_cases.set_up(
        token, email=ADA, name="", password=PASSWORD, device=LAPTOP
    )

    assert (await user_of(enforced, opened)).is_admin


async def test_each_sign_in_at_a_provider_is_one_line_done_or_refused(house: House) -> None:
    ada = await house.has(ADA)

    with capture_logs() as lines:
        opened = await opens(house, a_profile(granted=frozenset({"analyst"})))
        with pytest.raises(IdentityTaken):
            await opens(house, a_profile(subject="2"))
        with pytest.raises(IdentityRefused):
            await opens(house, a_profile(subject="3", is_email_verified=False))
        with pytest.raises(IdentityRefused):
            await house.use_cases.finish_at_provider(
                "corp",
                address="192.0.2.1",
                signed_token=None,
                state="",
                code="",
                error="",
                issuer=None,
                redirect_uri="",
            )

    done, taken, refused, forged = lines
    assert (done["event"], done["how"], done["provider"]) == (
        "authn_login_success",
        "provider",
        "corp",
    )
    assert (done["of"], done["opened"]) == (str(ada.id), str(opened.session.id))
    assert done["granted"] == "analyst"
    assert {line["event"] for line in (taken, refused, forged)} == {"authn_login_fail"}
    assert [line["reason"] for line in (taken, refused, forged)] == [
        *("IdentityTaken", "IdentityRefused", "IdentityRefused"),
    ]
    assert [line.get("why") for line in (taken, refused, forged)] == [
        *(None, "e-mail not verified", "no attempt"),
    ]
    assert "example.org" not in str(lines).replace(ISSUER, "")


async def test_marking_and_unlinking_are_lines_in_the_log(house: House) -> None:
    ada = await house.has(ADA, roles={"admin"})

    with capture_logs() as lines:
        await house.use_cases.mark_break_glass(OPERATOR, ada.id, is_marked=True)
        await house.use_cases.unlink_identities(OPERATOR, ada.id)

    marked, unlinked = lines
    assert (marked["event"], marked["break_glass"], marked["of"]) == (
        *("user_updated", True, str(ada.id)),
    )
    assert (unlinked["event"], unlinked["identities"]) == ("user_updated", "unlinked")


async def line_of(house: House, refusal: type[DomainError], **more: Any) -> dict[str, Any]:
    """Return the audit line of a single sign-on that is refused."""
    with capture_logs() as lines, pytest.raises(refusal):
        await opens(house, **more)
    [line] = lines
    return dict(line)


async def test_a_refused_sign_in_names_the_account_as_soon_as_it_is_found(house: House) -> None:
    admin = await house.has("admin@example.org", roles={"admin"})
    ada = await house.has(ADA)
    await opens(house)
    its = a_profile(subject="2", email="admin@example.org")

    lines = [
        await line_of(house, IdentityTaken, profile=a_profile(subject="3")),
        await line_of(house, LinkNeedsPassword, profile=its),
        *[
            await line_of(house, SignInRefused, profile=its, password="wrong horse")
            for _ in range(PER_ACCOUNT_AND_ADDRESS[0])
        ],
        await line_of(house, SignInThrottled, profile=its, password=PASSWORD),
    ]
    await house.use_cases.disable_user(OPERATOR, ada.id)
    lines += [
        # Its e-mail is another one by now.
        await line_of(house, IdentityRefused, profile=a_profile(email="new@example.org")),
        await line_of(house, IdentityRefused, profile=a_profile(subject="3")),
    ]

    expected = [ada, *[admin] * (len(lines) - 3), ada, ada]
    assert [line.get("of") for line in lines] == [str(user.id) for user in expected]
    assert not any("typed" in line for line in lines)


async def test_a_refused_sign_in_without_an_account_has_the_same_mark_as_its_email_when_typed(
    house: House,
) -> None:
    await house.has(ADA)
    with capture_logs() as typed, pytest.raises(SignInRefused):
        await house.opens("eve@example.org")

    eve = a_profile(email="eve@example.org")

    lines = [
        await line_of(house, IdentityRefused, profile=profile, name=name)
        for profile, name in [
            (replace(eve, email=" Eve@Example.org"), "corp"),
            (replace(eve, is_email_verified=False), "corp"),
            (replace(eve, issuer=PLAIN.issuer), "plain"),
            (replace(eve, issuer="https://other.example.org"), "corp"),
        ]
    ]
    nameless = await line_of(house, IdentityRefused, profile=a_profile(email=""))

    assert [line["typed"] for line in lines] == [typed[0]["typed"]] * len(lines)
    assert not any("of" in line for line in lines)
    assert "typed" not in nameless


async def test_the_line_of_a_sign_in_says_how_many_sessions_it_has_ended(house: House) -> None:
    await house.has(ADA)
    at_most = house.container.settings().sessions_per_user

    with capture_logs() as lines:
        before = await house.sign_in(ADA)
        await opens(house, replacing=before)
        for _ in range(at_most):
            await opens(house)
        last = await house.use_cases.log_in(ADA, PASSWORD, LAPTOP)
        me = await house.use_cases.recognise(last.signed_token, activity=False)
        await house.use_cases.log_in(ADA, PASSWORD, LAPTOP, replacing=me)

    ended = [line.get("sessions_ended") for line in lines]
    assert ended == [None, 1, *[None] * (at_most - 1), 1, 1, 1]
