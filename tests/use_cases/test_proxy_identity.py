"""Sign-in by a proxy in front: which session may be used with which proof, and who is signed in."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from adapters.system.clock import StoppedClock
from domain.errors import (
    IdentityRefused,
    LinkNeedsPassword,
    ProviderNotFound,
    ProviderUnavailable,
    SessionEnded,
    SessionExpired,
    SessionReplaced,
)
from domain.model.caller import Caller
from domain.model.identity import PROXY, Origin, Profile, Proof
from domain.services.sessions import Opened
from tests.compositions import composition
from tests.use_cases.conftest import CORP, LAPTOP, PASSWORD, SETTINGS, House

ADA: Final = "ada@example.org"
OPERATOR: Final = Caller.operator()
ISSUER: Final = "https://proxy.example.org"
REFUSED: Final = IdentityRefused(reason="expired")
UNAVAILABLE: Final = ProviderUnavailable("Corp", reason="down")
OF_PROXY: Final = {
    "proxy_identity_header": "X-Jwt",
    "proxy_identity_issuer": ISSUER,
    "proxy_identity_audience": "us",
    "proxy_identity_jwks_url": f"{ISSUER}/keys",
    "proxy_identity_domains": "example.org",
    "proxy_identity_sign_out_url": "/out",
}


@pytest.fixture
def house() -> Iterator[House]:
    clock = StoppedClock()
    with composition(SETTINGS.replaced(**OF_PROXY), clock) as container:
        yield House(container, clock)


def a_profile(subject: str = "ada", **said: Any) -> Profile:
    usual = {"issuer": ISSUER, "email": f"{subject}@example.org", "is_email_verified": True}
    return Profile(subject=subject, **{**usual, **said})


async def opens(house: House, profile: Profile, **more: Any) -> Opened:
    return await house.use_cases.sign_in_by_identity(PROXY, profile, LAPTOP, **more)


async def recognised(house: House, opened: Opened, proof: Proof) -> bool:
    found = await house.use_cases.recognise_behind_proxy(opened.signed_token, proof, activity=True)
    return found.session.id == opened.session.id


async def test_a_session_is_recognised_with_the_proof_with_which_it_began(house: House) -> None:
    await house.has(ADA)
    opened = await opens(house, a_profile(sid="first"))

    assert opened.session.origin == Origin(issuer=ISSUER, subject="ada", sid="first")
    # The sign-in at the proxy may be another one, and the e-mail too.
    assert await recognised(house, opened, a_profile(sid="second", email="new@example.org"))


@pytest.mark.parametrize(
    "proof", [a_profile("bob"), a_profile("ADA"), a_profile(issuer="https://other.example.org")]
)
async def test_another_person_ends_the_session(house: House, proof: Profile) -> None:
    ada = await house.has(ADA)
    opened = await opens(house, a_profile())

    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(SessionEnded) as refused:
                await recognised(house, opened, proof)
        with pytest.raises(SessionEnded):
            await recognised(house, opened, a_profile())

    assert not isinstance(refused.value, SessionReplaced)
    assert [(line["event"], line["of"], line["why"]) for line in lines] == [
        ("session_expired", str(ada.id), "the proxy names another person")
    ]


@pytest.mark.parametrize(
    ("proof", "error"),
    [(None, IdentityRefused), (REFUSED, IdentityRefused), (UNAVAILABLE, ProviderUnavailable)],
)
async def test_without_a_proof_the_session_cannot_be_used_and_stays(
    house: House, proof: Proof, error: type[Exception]
) -> None:
    await house.has(ADA)
    opened = await opens(house, a_profile())
    house.passes(minutes=29)

    with pytest.raises(error):
        await recognised(house, opened, proof)

    assert await recognised(house, opened, a_profile())


async def test_a_request_without_a_proof_is_no_activity(house: House) -> None:
    await house.has(ADA)
    opened = await opens(house, a_profile())
    house.passes(minutes=29)
    with pytest.raises(IdentityRefused):
        await recognised(house, opened, None)
    house.passes(minutes=2)

    with pytest.raises(SessionExpired):
        await recognised(house, opened, a_profile())


@pytest.mark.parametrize("proof", [None, REFUSED, UNAVAILABLE])
async def test_another_way_to_sign_in_works_without_a_proof_only(
    house: House, proof: Proof
) -> None:
    await house.has(ADA)
    by_password = await house.opens(ADA)
    said = a_profile(issuer=CORP.issuer)
    by_provider = await house.use_cases.sign_in_by_identity(CORP.name, said, LAPTOP)

    for opened in (by_password, by_provider):
        assert await recognised(house, opened, proof)
        with pytest.raises(SessionReplaced):
            await recognised(house, opened, a_profile())


async def test_without_a_proxy_no_proof_is_looked_at() -> None:
    clock = StoppedClock()
    with composition(SETTINGS, clock) as container:
        house = House(container, clock)
        await house.has(ADA)
        opened = await house.opens(ADA)

        assert await recognised(house, opened, a_profile("bob"))
        with pytest.raises(IdentityRefused):
            await house.use_cases.read_proxy_identity("a.b.c")
        with pytest.raises(ProviderNotFound):
            await opens(house, a_profile())


async def test_the_proof_of_a_refused_header_is_recorded(house: House) -> None:
    with capture_logs() as lines:
        for proof in (REFUSED, UNAVAILABLE, None):
            with pytest.raises((IdentityRefused, ProviderUnavailable)):
                await house.use_cases.finish_at_proxy(proof)
        assert await house.use_cases.finish_at_proxy(a_profile()) == a_profile()

    assert [(line["event"], line["how"], line["why"]) for line in lines] == [
        ("authn_login_fail", "proxy", why) for why in ("expired", "down", "no header")
    ]


async def test_an_admin_proves_the_password_at_the_first_sign_in(house: House) -> None:
    await house.has(ADA, roles={"admin"})

    with pytest.raises(LinkNeedsPassword):
        await opens(house, a_profile())
    proven = await opens(house, a_profile(), password=PASSWORD)
    again = await opens(house, a_profile())

    assert proven.session.user_id == again.session.user_id


async def test_a_header_confirms_a_session_only_if_it_says_when_the_person_proved_it(
    house: House,
) -> None:
    await house.has(ADA, roles={"admin"})
    now = house.clock.now()

    with_password = await opens(house, a_profile(), password=PASSWORD)
    silent = await opens(house, a_profile())
    recent = await opens(house, a_profile(authenticated_at=now))

    assert with_password.session.confirmed_at == now
    assert silent.session.confirmed_at is None
    assert recent.session.confirmed_at == now


async def test_the_proxy_is_no_provider_to_which_people_are_sent(house: House) -> None:
    use_cases = house.use_cases
    with pytest.raises(ProviderNotFound):
        await use_cases.start_at_provider(PROXY, redirect_uri="x", wanted="", address="192.0.2.1")
    with pytest.raises(ProviderNotFound):
        await use_cases.finish_at_provider(
            PROXY,
            address="192.0.2.1",
            signed_token=None,
            state="",
            code="",
            error="",
            issuer=None,
            redirect_uri="x",
        )
    with pytest.raises(ProviderNotFound):
        await use_cases.end_by_provider(PROXY, "a.b.c", address="192.0.2.1")


async def test_leaving_leads_to_the_sign_out_of_the_proxy(house: House) -> None:
    await house.has(ADA)
    opened = await opens(house, a_profile())

    assert await house.use_cases.leave_provider(opened.session, back="x") == (
        "Single sign-on",
        "/out",
    )


async def test_both_lines_of_a_sign_in_through_the_proxy_say_so(house: House) -> None:
    await house.has("admin@example.org", roles={"admin"})
    admin = a_profile("admin")

    with capture_logs() as lines:
        with pytest.raises(IdentityRefused):
            await house.use_cases.finish_at_proxy(REFUSED)
        with pytest.raises(LinkNeedsPassword):
            await opens(house, admin)
        await opens(house, admin, password=PASSWORD)
        await opens(house, admin)

    assert [line["how"] for line in lines] == ["proxy", "proxy", "proxy and password", "proxy"]
    assert {line["provider"] for line in lines} == {PROXY}
