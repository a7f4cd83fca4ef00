"""Who gets the token of a provider, and how it is refreshed, against a provider that lies."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from dependency_injector import providers
from pydantic import SecretStr
from structlog.testing import capture_logs

from adapters.oidc.providers import OidcProviders
from adapters.oidc.tokens import LOGOUT
from adapters.system.clock import StoppedClock
from application.settings import ProviderSettings
from domain.errors import ProviderTokenMissing, ProviderUnavailable
from domain.model.caller import Caller, SignedIn
from domain.model.provider_tokens import ProviderTokens
from domain.services.sessions import Opened
from tests.compositions import composition
from tests.lying_provider import CLIENT, SECRET, LyingProvider, Reply, as_json, lying_provider
from tests.use_cases.conftest import LAPTOP, SETTINGS, House

ADA: Final = "ada@example.org"
BACK: Final = "https://app.example.org/login/corp/callback"
SCOPES: Final = {"corp": frozenset({"files.read"})}
GIVEN: Final = {"refresh_token": "refresh", "expires_in": 300, "scope": "openid files.read"}
CORP: Final = ProviderSettings(
    name="corp", client_id=CLIENT, client_secret=SecretStr(SECRET), domains="example.org"
)


@dataclass(frozen=True, slots=True)
class Side:
    house: House
    liar: LyingProvider

    async def signs_in(self, *scopes: str) -> SignedIn:
        use_cases, wanted = self.house.use_cases, scopes or ("files.read",)
        started = await use_cases.start_at_provider(
            "corp", redirect_uri=BACK, wanted="", address=LAPTOP.address, scopes=wanted
        )
        returned = await use_cases.finish_at_provider(
            "corp",
            address=LAPTOP.address,
            signed_token=started.signed_token,
            state=dict(parse_qsl(urlsplit(started.address).query))["state"],
            code=self.liar.signs_in(started.address),
            error="",
            issuer=None,
            redirect_uri=BACK,
            scopes=wanted if scopes != ("",) else (),
        )
        opened = await use_cases.sign_in_by_identity(
            "corp", returned.profile, LAPTOP, tokens=returned.tokens
        )
        return await self.recognises(opened)

    async def recognises(self, opened: Opened) -> SignedIn:
        return await self.house.use_cases.recognise(opened.signed_token, activity=False)

    async def token_of(
        self, me: SignedIn, scopes: Mapping[str, frozenset[str]] = SCOPES
    ) -> ProviderTokens:
        return await self.house.use_cases.find_provider_token(me, scopes)

    async def why_none(
        self, me: SignedIn, scopes: Mapping[str, frozenset[str]] = SCOPES
    ) -> tuple[str, str]:
        with pytest.raises(ProviderTokenMissing) as refusal:
            await self.token_of(me, scopes)
        return refusal.value.reason, refusal.value.sentence

    def kept(self) -> dict[Any, Any]:
        kept: dict[Any, Any] = self.house.container.store().tables.provider_tokens
        return kept


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    clock = StoppedClock()
    with lying_provider(clock) as liar:
        settings = SETTINGS.replaced(oidc=(replace(CORP, issuer=liar.issuer),))
        with composition(settings, clock) as container:
            container.identity_providers.override(providers.Object(OidcProviders(clock, limit=4)))
            side = Side(House(container, clock), liar)
            liar.grants = dict(GIVEN)
            await side.house.has(ADA)
            yield side


async def test_a_page_that_names_scopes_gets_the_token_of_its_callers_sign_in(side: Side) -> None:
    token = await side.token_of(await side.signs_in())

    assert token == ProviderTokens(
        access_token="access",
        refresh_token="refresh",
        scopes=frozenset({"openid", "files.read"}),
        expires_at=side.house.clock.now() + timedelta(seconds=300),
    )
    assert side.liar.scopes == ["openid profile email files.read"]
    assert "access" not in repr(token).replace("access_token", "")


async def test_tokens_are_kept_only_encrypted_and_only_where_a_page_names_scopes(
    side: Side,
) -> None:
    side.liar.grants |= {"access_token": "a-secret-access", "refresh_token": "a-secret-refresh"}
    side.liar.claims = {"at_hash": None}
    with capture_logs() as lines:
        me = await side.signs_in()
        await side.token_of(me)
        without = await side.signs_in("")

    assert list(side.kept()) == [me.session.id]
    assert without.session.id not in side.kept()
    kept = side.house.container.provider_tokens().unsealed(
        me.session.id, side.kept()[me.session.id].sealed
    )
    assert kept is not None
    assert kept.access_token == "a-secret-access"
    for secret in ("a-secret-access", "a-secret-refresh"):
        assert secret not in f"{side.kept()} {lines} {me}"


async def test_tokens_of_one_session_are_worth_nothing_in_another(side: Side) -> None:
    first, second = await side.signs_in(), await side.signs_in()
    kept = side.kept()
    kept[second.session.id] = kept[first.session.id]

    assert (await side.token_of(first)).access_token == "access"
    assert (await side.why_none(second))[0] == "none kept"


async def test_everybody_else_is_refused_in_one_sentence_that_says_what_to_do(side: Side) -> None:
    me = await side.signs_in()
    by_password = await side.house.sign_in(ADA)
    await side.house.has("bob@example.org")
    bob = await side.house.sign_in("bob@example.org")
    made = await side.house.use_cases.create_token(by_password.caller, name="Nightly")
    program = await side.house.use_cases.recognise_token(made.value, activity=False)
    disguised = replace(bob, session=replace(bob.session, origin=me.session.origin))

    found = [
        await side.why_none(me, {}),
        await side.why_none(me, {"corp": frozenset()}),
        await side.why_none(me, {"other": frozenset({"files.read"})}),
        await side.why_none(me, {"corp": frozenset({"files.read", "files.write"})}),
        await side.why_none(by_password),
        await side.why_none(bob),
        await side.why_none(program),
        await side.why_none(disguised),
    ]

    assert [reason for reason, _ in found] == [
        *("no scopes", "no scopes", "no scopes", "scopes not granted"),
        *("another sign-in", "another sign-in", "access token", "none kept"),
    ]
    assert all(sentence.count(". ") == 1 for _, sentence in found), found


async def test_an_expired_token_is_refreshed_and_the_new_refresh_token_is_kept(side: Side) -> None:
    me = await side.signs_in()
    tokens = []
    for _ in range(3):
        side.house.passes(seconds=241)  # A token counts as expired a minute early.
        tokens.append(await side.token_of(me))

    assert [token.access_token for token in tokens] == ["access-1", "access-2", "access-3"]
    assert side.liar.refreshed == 3
    assert (await side.token_of(me)).access_token == "access-3"


async def test_a_provider_may_leave_refresh_token_and_scope_as_they_are(side: Side) -> None:
    me = await side.signs_in()
    side.liar.replies["/token"] = lambda: as_json({"access_token": "new", "token_type": "bearer"})
    side.house.passes(minutes=5)

    token = await side.token_of(me)

    assert (token.access_token, token.refresh_token) == ("new", "refresh")
    assert "files.read" in token.scopes


async def test_events_at_once_share_one_refresh_also_in_two_processes(side: Side) -> None:
    me = await side.signs_in()
    one = side.house.use_cases.find_provider_token
    other = replace(one, _refreshing={})
    side.house.passes(minutes=5)

    tokens = await asyncio.gather(*(find(me, SCOPES) for find in [one, other] * 10))

    assert {token.access_token for token in tokens} == {"access-1"}
    assert side.liar.refreshed == 1


async def test_a_cancelled_event_does_not_lose_the_new_refresh_token(side: Side) -> None:
    me = await side.signs_in()
    side.house.passes(minutes=5)

    event = asyncio.create_task(side.token_of(me))
    while side.liar.refreshed == 0:  # noqa: ASYNC110 -- The provider is another thread.
        await asyncio.sleep(0.001)
    event.cancel()
    await asyncio.gather(event, return_exceptions=True)

    assert (await side.token_of(me)).access_token == "access-1"
    assert side.liar.refreshed == 1


async def test_a_refresh_that_never_ends_is_waited_for_only_for_seconds(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = await side.signs_in()
    side.house.passes(minutes=5)
    find = side.house.use_cases.find_provider_token
    assert await find._takes_turn(me.session.id)  # Another process, which says nothing more.
    monkeypatch.setattr("application.use_cases.provider_tokens._LOOK_EVERY", 0.001)

    with pytest.raises(ProviderUnavailable):
        await side.token_of(me)
    refreshed_meanwhile = side.liar.refreshed
    side.house.passes(seconds=15)

    assert refreshed_meanwhile == 0
    assert (await side.token_of(me)).access_token == "access-1"


def slow() -> Reply:
    time.sleep(6)
    return as_json({})


def rotated(side: Side) -> None:
    side.liar.grants["refresh_token"] = "another, because somebody has used ours"


def replying(reply: Callable[[], Reply]) -> Callable[[Side], None]:
    return lambda side: side.liar.replies.update({"/token": reply})


def of_another_person(side: Side) -> None:
    side.liar.grants["id_token"] = side.liar.token(sub="2")


def forged(side: Side) -> None:
    side.liar.grants["id_token"] = side.liar.token(sub="1")[:-8] + "AAAAAAAA"


@pytest.mark.parametrize("lie", [rotated, of_another_person, forged])
async def test_a_refused_refresh_ends_the_token_and_says_to_sign_in_again(
    side: Side, lie: Callable[[Side], None]
) -> None:
    me = await side.signs_in()
    side.house.passes(minutes=5)
    lie(side)

    _, sentence = await side.why_none(me)

    assert sentence.endswith("Sign out, and sign in with Corp again.")
    assert not side.kept()
    side.liar.grants = dict(GIVEN)
    again = await side.signs_in()
    assert (await side.token_of(again)).access_token == "access"


@pytest.mark.parametrize(
    "lie",
    [
        replying(slow),
        replying(lambda: as_json({}, 500)),
        replying(lambda: as_json({})),
        replying(lambda: as_json({"access_token": "x", "token_type": "mac"})),
        replying(lambda: as_json({"access_token": "a b\n", "token_type": "bearer"})),
        replying(lambda: as_json({"access_token": ["x"], "token_type": "bearer"})),
        replying(lambda: (200, {"content-type": "application/json"}, b"nonsense")),
        replying(lambda: as_json({"error": "invalid_client"}, 401)),
    ],
)
async def test_a_provider_that_is_slow_or_broken_keeps_the_token_for_later(
    side: Side, lie: Callable[[Side], None]
) -> None:
    me = await side.signs_in()
    side.house.passes(minutes=5)
    lie(side)

    began = time.monotonic()
    for _ in range(20):  # Nobody waits again at once for a provider that fails.
        with pytest.raises(ProviderUnavailable):
            await side.token_of(me)
    took = time.monotonic() - began

    assert took < 8  # Twice would be at least that.
    side.liar.replies.clear()
    side.house.passes(seconds=6)
    assert (await side.token_of(me)).access_token == "access-1"


async def test_one_persons_refusal_does_not_stop_the_refreshes_of_others(side: Side) -> None:
    ada = await side.signs_in()
    side.house.passes(minutes=5)
    side.liar.replies["/token"] = lambda: as_json({"error": "invalid_scope"}, 400)
    with pytest.raises(ProviderUnavailable):
        await side.token_of(ada)
    side.liar.replies.clear()

    assert (await side.token_of(ada)).access_token == "access-1"


async def test_without_a_refresh_token_an_expired_token_is_over(side: Side) -> None:
    side.liar.grants.pop("refresh_token")
    me = await side.signs_in()
    assert (await side.token_of(me)).access_token == "access"
    side.house.passes(minutes=5)

    assert (await side.why_none(me))[0] == "no refresh token"
    assert not side.kept()


@pytest.mark.parametrize("way", ["sign-out", "everywhere", "provider", "unlinked", "disabled"])
async def test_the_token_is_gone_with_its_sign_in(side: Side, way: str) -> None:
    me, other = await side.signs_in(), await side.signs_in()
    use_cases, operator = side.house.use_cases, Caller.operator()
    assert len(side.kept()) == 2

    if way == "sign-out":
        await use_cases.log_out(me.caller)
        await use_cases.log_out(other.caller)
    elif way == "everywhere":
        await use_cases.revoke_all_sessions(operator, me.user.id)
    elif way == "provider":
        side.liar.claims = {"sub": "1", "jti": "1", "events": {LOGOUT: {}}}
        await use_cases.end_by_provider("corp", side.liar.token(), address=LAPTOP.address)
    elif way == "unlinked":
        await use_cases.unlink_identities(operator, me.user.id)
    else:
        await use_cases.disable_user(operator, me.user.id)

    assert not side.kept()
    assert (await side.why_none(me))[0] == "none kept"


async def test_a_refresh_during_the_end_of_the_session_keeps_nothing(side: Side) -> None:
    me = await side.signs_in()
    side.house.passes(minutes=5)
    loop = asyncio.get_running_loop()

    def ends_meanwhile() -> Reply:
        ending = side.house.use_cases.revoke_all_sessions(Caller.operator(), me.user.id)
        asyncio.run_coroutine_threadsafe(ending, loop).result(timeout=5)
        return as_json({"access_token": "late", "token_type": "bearer"})

    side.liar.replies["/token"] = ends_meanwhile

    assert (await side.why_none(me))[0] == "removed meanwhile"
    assert not side.kept()


async def test_an_account_that_proves_a_password_keeps_no_token_in_its_cookie(side: Side) -> None:
    side.liar.grants |= {"access_token": "a-secret-access"}
    side.liar.claims = {"at_hash": None}
    use_cases = side.house.use_cases
    started = await use_cases.start_at_provider(
        "corp", redirect_uri=BACK, wanted="", address=LAPTOP.address, scopes=["files.read"]
    )
    returned = await use_cases.finish_at_provider(
        "corp",
        address=LAPTOP.address,
        signed_token=started.signed_token,
        state=dict(parse_qsl(urlsplit(started.address).query))["state"],
        code=side.liar.signs_in(started.address),
        error="",
        issuer=None,
        redirect_uri=BACK,
        scopes=["files.read"],
    )

    again = use_cases.keep_unproven.read("corp", use_cases.keep_unproven.keep("corp", returned))

    assert returned.tokens is not None
    assert again.tokens is None
