"""What a provider of OpenID Connect says is checked, against one that lies."""

import asyncio
import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import OKPKey, RSAKey

from adapters.oidc.fetching import LARGEST
from adapters.oidc.providers import OidcProviders
from adapters.oidc.tokens import LOGOUT
from adapters.system.clock import StoppedClock
from domain.errors import DomainError, IdentityRefused, ProviderUnavailable
from domain.model.identity import Profile, Provider, RoleRule
from domain.model.provider_tokens import Redeemed
from domain.services.identities import Attempt
from tests.lying_provider import CLIENT, SECRET, LyingProvider, Reply, as_json, key, lying_provider

BACK: Final = "https://app.example.org/login/corp/callback"
ATTEMPT: Final = Attempt(
    provider="corp", state="s" * 43, nonce="n" * 43, verifier="v" * 43, wanted=""
)


class Side:
    """Our side, in front of a provider that lies."""

    def __init__(self, liar: LyingProvider, clock: StoppedClock) -> None:
        self.liar = liar
        self.clock = clock
        self.us = OidcProviders(clock, total=4)
        self.provider = Provider(
            name="corp",
            label="Corp",
            issuer=liar.issuer,
            client_id=CLIENT,
            client_secret=SECRET,
            rules=(RoleRule(claim="groups", value="it", role="admin"),),
        )

    async def starts(self) -> str:
        return await self.us.authorization_address(
            self.provider,
            redirect_uri=BACK,
            state=ATTEMPT.state,
            nonce=ATTEMPT.nonce,
            challenge=ATTEMPT.challenge,
        )

    async def signs_in(self, **changed: Any) -> Profile:
        if "code" not in changed:
            changed["code"] = self.liar.signs_in(await self.starts())
        usual: dict[str, Any] = {
            "issuer": None,
            "redirect_uri": BACK,
            "verifier": ATTEMPT.verifier,
            "nonce": ATTEMPT.nonce,
        }
        return (await self.redeems(usual | changed)).profile

    async def redeems(self, arguments: dict[str, Any]) -> Redeemed:
        return await self.us.redeem(self.provider, **arguments)

    async def error(self, **changed: Any) -> IdentityRefused | ProviderUnavailable:
        try:
            await self.signs_in(**changed)
        except (IdentityRefused, ProviderUnavailable) as error:
            return error
        pytest.fail("nothing was refused")

    async def is_refused(self, **changed: Any) -> str:
        """Return the reason for the log."""
        error = await self.error(**changed)
        assert error.sentence.count(". ") <= 2
        assert "Corp" in error.sentence or "Start again." in error.sentence
        return error.reason


@pytest.fixture
def side() -> Iterator[Side]:
    clock = StoppedClock()
    with lying_provider(clock) as liar:
        yield Side(liar, clock)


async def test_a_person_signs_in_by_code_and_pkce(side: Side) -> None:
    side.liar.claims = {"groups": ["it"], "sid": "session 7"}

    address = await side.starts()
    profile = await side.signs_in()

    assert dict(parse_qsl(urlsplit(address).query)) == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "scope": "openid profile email",
        "state": ATTEMPT.state,
        "nonce": ATTEMPT.nonce,
        "code_challenge": ATTEMPT.challenge,
        "code_challenge_method": "S256",
    }
    assert profile == Profile(
        issuer=side.liar.issuer,
        subject="1",
        sid="session 7",
        email="ada@example.org",
        is_email_verified=True,
        name="Ada at Corp",
        granted=frozenset({"admin"}),
    )
    assert side.liar.asked == ["/.well-known/openid-configuration", "/token", "/keys"]


async def test_document_and_keys_are_asked_for_once_an_hour(side: Side) -> None:
    await side.signs_in()
    await side.signs_in()
    asked = list(side.liar.asked)
    side.clock.forward(timedelta(hours=1))
    await side.signs_in()

    assert asked == ["/.well-known/openid-configuration", "/token", "/keys", "/token"]
    assert side.liar.asked[4:] == ["/.well-known/openid-configuration", "/token", "/keys"]


def minutes(count: float) -> Callable[[Side], int]:
    return lambda side: int((side.clock.now() + timedelta(minutes=count)).timestamp())


LIES: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "another issuer": ({"iss": "https://evil.example"}, "issuer"),
    "an issuer with a slash more": ({"iss": lambda side: f"{side.liar.issuer}/"}, "issuer"),
    "no issuer": ({"iss": None}, "issuer"),
    "another audience": ({"aud": "them"}, "audience"),
    "no audience": ({"aud": None}, "audience"),
    "a list without us": ({"aud": ["them", "others"]}, "audience"),
    "an audience that contains us": ({"aud": "usual"}, "audience"),
    "two audiences without a party": ({"aud": [CLIENT, "them"]}, "authorized party"),
    "another party": ({"aud": [CLIENT, "them"], "azp": "them"}, "authorized party"),
    "another party alone": ({"azp": "them"}, "authorized party"),
    "expired": ({"exp": minutes(-1)}, "expired"),
    "no expiry": ({"exp": None}, "exp"),
    "an expiry that is no number": ({"exp": "tomorrow"}, "exp"),
    "an expiry that is true": ({"exp": True}, "exp"),
    "an expiry beyond all time": ({"exp": 1e300}, "exp"),
    "of the future": ({"iat": minutes(1.1)}, "issued in the future"),
    "no time of issue": ({"iat": None}, "iat"),
    "not yet valid": ({"nbf": minutes(1.1)}, "not yet valid"),
    "another nonce": ({"nonce": "m" * 43}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "a nonce that is a list": ({"nonce": [ATTEMPT.nonce]}, "nonce"),
    "another at_hash": ({"at_hash": "x" * 22}, "at_hash"),
    "an at_hash that is a number": ({"at_hash": 1}, "at_hash"),
    "no subject": ({"sub": None}, "sub"),
    "an empty subject": ({"sub": ""}, "sub"),
    "a subject that is a number": ({"sub": 1}, "sub"),
    "a subject with a zero byte": ({"sub": "1\0"}, "sub"),
    "a long subject": ({"sub": "1" * 256}, "sub"),
    "a subject beyond ASCII": ({"sub": "ä"}, "sub"),
    "a sid that is a list": ({"sid": ["1"]}, "sid"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_token_that_lies_is_refused(side: Side, lie: str) -> None:
    claims, reason = LIES[lie]
    side.liar.claims = {
        name: value(side) if callable(value) else value for name, value in claims.items()
    }

    assert await side.is_refused() == reason


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": minutes(-0.9)},
        {"iat": minutes(0.9)},
        {"nbf": minutes(0.9)},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "them"], "azp": CLIENT},
        {"at_hash": None},
        {"sid": None},
    ],
)
async def test_what_the_standard_allows_and_a_clock_a_minute_off_are_accepted(
    side: Side, claims: dict[str, Any]
) -> None:
    side.liar.claims = {
        name: value(side) if callable(value) else value for name, value in claims.items()
    }

    assert (await side.signs_in()).subject == "1"


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        *(("RS256", "RSA"), ("RS384", "RSA"), ("RS512", "RSA"), ("PS256", "RSA")),
        *(("ES256", "P-256"), ("ES384", "P-384"), ("ES512", "P-521")),
    ],
)
async def test_asymmetric_signatures_are_accepted(side: Side, algorithm: str, kind: str) -> None:
    side.liar.header = {"alg": algorithm, "kid": kind}
    side.liar.signs_with = key(kind, kind)
    side.liar.offers = [key("one"), key(kind, kind)]
    side.liar.claims = {"at_hash": None}

    assert (await side.signs_in()).subject == "1"


async def test_a_signature_of_ed25519_is_accepted(side: Side) -> None:
    ed = OKPKey.generate_key("Ed25519", {"kid": "ed"})
    side.liar.header, side.liar.signs_with, side.liar.offers = {"alg": "Ed25519"}, ed, [ed]
    side.liar.claims = {"at_hash": None}

    assert (await side.signs_in()).subject == "1"


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(
    ("header", "signs_with", "reason"),
    [
        ({"alg": "HS256", "kid": "one"}, ("one", "oct"), "algorithm"),
        ({"alg": "HS512"}, ("one", "oct"), "algorithm"),
        ({"alg": "none"}, ("one", "EC"), "algorithm"),
        ({"alg": "ES256", "kid": "one"}, ("another", "EC"), "signature"),
        ({"alg": "ES256"}, ("another", "EC"), "signature"),
        ({"alg": "ES256", "kid": "another"}, ("another", "EC"), "signature"),
        ({"alg": "RS256", "kid": "one"}, ("one", "RSA"), "signature"),
        ({"alg": "ES256", "kid": "one", "crit": ["exp"], "exp": 1}, ("one", "EC"), "signature"),
    ],
)
async def test_other_algorithms_and_keys_are_refused(
    side: Side, header: dict[str, Any], signs_with: tuple[str, str], reason: str
) -> None:
    side.liar.header = header
    side.liar.signs_with = key(*signs_with)

    assert await side.is_refused() == reason


async def test_a_key_in_the_header_of_the_token_is_not_used(side: Side) -> None:
    other = key("other")
    for more in ({"jwk": other.as_dict(private=False)}, {"jku": f"{side.liar.issuer}/evil"}):
        side.liar.header = {"alg": "ES256", **more}
        side.liar.signs_with = other

        assert await side.is_refused() == "signature"
    assert "/evil" not in side.liar.asked


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_keys_for_encryption_and_short_keys_are_not_used(side: Side) -> None:
    short, good = RSAKey.generate_key(1024, {"kid": "short"}), key("good")
    offered = {**good.as_dict(private=False), "kid": "good"}
    for algorithm, signs_with, offer in [
        ("RS256", short, {**short.as_dict(private=False), "kid": "good"}),
        ("ES256", good, {**offered, "use": "enc"}),
        ("ES256", good, {**offered, "alg": "ES384"}),
        ("ES256", good, {**offered, "kid": "another"}),
    ]:
        side.liar.header = {"alg": algorithm, "kid": "good"}
        side.liar.signs_with = signs_with
        side.liar.replies["/keys"] = partial(as_json, {"keys": [offer]})
        side.clock.forward(timedelta(minutes=1))

        assert await side.is_refused() == "signature"


async def test_rotated_keys_are_fetched_once_and_at_most_once_a_minute(side: Side) -> None:
    await side.signs_in()
    side.liar.signs_with = key("two")
    side.liar.header = {"alg": "ES256", "kid": "two"}
    side.liar.offers = [key("two")]

    at_once = await side.is_refused()
    side.clock.forward(timedelta(minutes=1))
    later = await side.signs_in()
    side.liar.header = {"alg": "ES256", "kid": "three"}
    unknown = [await side.is_refused() for _ in range(5)]

    assert at_once == "signature"
    assert later.subject == "1"
    assert unknown == ["signature"] * 5
    assert side.liar.asked.count("/keys") == 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"code": "invented"}, "invalid_grant"),
        ({"code": ""}, "code"),
        ({"code": "x" * 2049}, "code"),
        ({"code": "ä"}, "code"),
        ({"verifier": "w" * 43}, "invalid_grant"),
        ({"redirect_uri": "https://app.example.org/login/other/callback"}, "invalid_grant"),
        ({"issuer": "https://evil.example"}, "issuer of the code"),
    ],
)
async def test_a_code_that_is_not_of_this_sign_in_is_refused(
    side: Side, changed: dict[str, str], reason: str
) -> None:
    assert await side.is_refused(**changed) == reason


async def test_a_code_works_once(side: Side) -> None:
    code = side.liar.signs_in(await side.starts())
    await side.signs_in(code=code)

    assert await side.is_refused(code=code) == "invalid_grant"


async def test_a_provider_that_promises_its_issuer_with_the_code_must_keep_it(side: Side) -> None:
    side.liar.document = {"authorization_response_iss_parameter_supported": True}

    assert (await side.signs_in(issuer=side.liar.issuer)).subject == "1"
    assert await side.is_refused() == "issuer of the code"


def nonsense(body: bytes, **headers: str) -> Callable[[], Reply]:
    return lambda: (200, {"content-type": "application/json", **headers}, body)


def slowly() -> Reply:
    time.sleep(6)
    return as_json({})


NONSENSE: Final[dict[str, Callable[[], Reply]]] = {
    "not JSON": nonsense(b"<html>"),
    "nothing": nonsense(b""),
    "a list": nonsense(b"[]"),
    "no text": nonsense(b"\xff\xfe\xfd"),
    "very deep JSON": nonsense(b"[" * 100_000),
    "too much": nonsense(b'{"a": "' + b"x" * LARGEST + b'"}'),
    "compressed": nonsense(b"\x1f\x8b", **{"content-encoding": "gzip"}),
    "an error": lambda: (500, {}, b"{}"),
    "a redirect to another host": lambda: (302, {"location": "http://127.0.0.2:1/"}, b""),
    "a redirect to itself": lambda: (307, {"location": "/keys"}, b""),
    "nothing in time": slowly,
}
PATHS: Final = ("/.well-known/openid-configuration", "/token", "/keys", "/userinfo")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("said", NONSENSE)
async def test_a_provider_that_answers_nonsense_cannot_be_used(
    side: Side, path: str, said: str
) -> None:
    side.liar.info, side.liar.claims = {}, {"email": None}
    side.liar.replies[path] = NONSENSE[said]

    with pytest.raises(ProviderUnavailable) as refused:
        await side.signs_in()

    assert refused.value.sentence == "Corp cannot be used at the moment. Try again in a minute."
    assert refused.value.reason


async def test_a_provider_that_is_down_cannot_be_used_and_is_not_asked_again_at_once(
    side: Side,
) -> None:
    side.liar.replies[PATHS[0]] = lambda: (503, {}, b"")
    with pytest.raises(ProviderUnavailable, match="cannot be used"):
        await side.starts()
    done = await asyncio.gather(*(side.starts() for _ in range(20)), return_exceptions=True)
    asked = len(side.liar.asked)
    del side.liar.replies[PATHS[0]]
    side.clock.forward(timedelta(seconds=5))

    assert {type(error) for error in done} == {ProviderUnavailable}
    assert asked == 1
    assert await side.starts()


async def test_a_provider_that_nobody_listens_for_cannot_be_used(side: Side) -> None:
    side.provider = replace(side.provider, issuer="http://127.0.0.1:1")

    with pytest.raises(ProviderUnavailable):
        await side.starts()


async def test_the_total_time_is_bounded(side: Side) -> None:
    side.liar.replies["/token"] = slowly

    began = time.monotonic()
    assert "4 seconds" in await side.is_refused()

    assert time.monotonic() - began < 5.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", "https://evil.example"),
        ("issuer", None),
        ("authorization_endpoint", None),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "http://evil.example/token"),
        ("token_endpoint", "https://me:pw@id.example.org/token"),
        ("token_endpoint", "file:///etc/passwd"),
        ("token_endpoint", "https://id.example.org:port/"),
        ("jwks_uri", ["https://id.example.org/keys"]),
        ("jwks_uri", "https://id.example.org/keys\r\nx: y"),
        ("userinfo_endpoint", "ftp://id.example.org/"),
        ("end_session_endpoint", "data:text/html,hello"),
    ],
)
async def test_a_discovery_document_with_another_issuer_or_an_unsafe_address_is_not_used(
    side: Side, name: str, value: object
) -> None:
    side.liar.document = {name: value}

    with pytest.raises(ProviderUnavailable):
        await side.starts()


@pytest.mark.parametrize("keys", [None, {}, "keys", [{}] * 101])
async def test_a_key_set_that_is_none_cannot_be_used(side: Side, keys: object) -> None:
    side.liar.replies["/keys"] = lambda: as_json({"keys": keys})

    with pytest.raises(ProviderUnavailable):
        await side.signs_in()


async def test_a_compressed_response_is_not_decoded(side: Side) -> None:
    keys = json.dumps({"keys": [key("one").as_dict(private=False)]}).encode()
    zipped = nonsense(gzip.compress(keys), **{"content-encoding": "gzip"})
    side.liar.replies["/keys"] = zipped

    assert await side.is_refused() == "the response is not JSON"


async def test_odd_keys_beside_the_right_one_are_ignored(side: Side) -> None:
    odd: list[object] = [{}, None, {"kty": "XX"}, {"kty": "RSA", "n": "A", "e": "A"}, {"kty": "EC"}]
    right = key("one").as_dict(private=False)
    side.liar.replies["/keys"] = lambda: as_json({"keys": [*odd, right]})

    assert (await side.signs_in()).subject == "1"


@pytest.mark.parametrize(
    "answer", [{}, {"id_token": None}, {"id_token": "x.y.z"}, {"id_token": "é"}, {"id_token": [1]}]
)
async def test_a_token_response_without_a_token_is_refused(
    side: Side, answer: dict[str, object]
) -> None:
    side.liar.replies["/token"] = lambda: as_json(answer)

    assert await side.is_refused() == "no token"


@pytest.mark.parametrize("error", ["invalid_client", {"a": 1}, None, "x\n" * 100])
async def test_an_error_of_the_token_endpoint_goes_to_the_log_and_not_to_the_person(
    side: Side, error: object
) -> None:
    side.liar.replies["/token"] = lambda: as_json({"error": error}, 400)

    reason = await side.is_refused()

    assert reason.startswith("the token endpoint says ")
    assert reason.isprintable()


async def test_the_secret_goes_into_the_form_where_the_provider_takes_no_basic(side: Side) -> None:
    side.liar.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert (await side.signs_in()).subject == "1"


async def test_claims_that_the_token_lacks_come_from_the_userinfo_of_the_same_person(
    side: Side,
) -> None:
    side.liar.claims = {"email": None, "email_verified": None}
    side.liar.info = {
        "sub": "1",
        "email": "ada@example.org",
        "email_verified": "true",
        "groups": ["it"],
    }
    profile = await side.signs_in()
    side.liar.info["sub"] = "2"

    reason = await side.is_refused()

    assert (profile.email, profile.is_email_verified) == ("ada@example.org", True)
    assert profile.granted == {"admin"}
    assert reason == "subject of the userinfo"


async def test_an_email_is_verified_only_by_the_source_that_names_it(side: Side) -> None:
    side.liar.claims = {"email": "grace@example.org", "email_verified": None}
    side.liar.info = {"sub": "1", "email_verified": True}

    profile = await side.signs_in()

    assert (profile.email, profile.is_email_verified) == ("grace@example.org", False)


@pytest.mark.parametrize("said", [False, None, 1, 1.0, 1.5, "yes", "True", [True]])
async def test_only_true_means_verified(side: Side, said: object) -> None:
    side.liar.claims = {"email_verified": said}

    assert not (await side.signs_in()).is_email_verified


async def test_signing_out_leads_to_the_provider_and_back(side: Side) -> None:
    address = await side.us.sign_out_address(side.provider, back="https://app.example.org/login")
    side.clock.forward(timedelta(hours=1))
    side.liar.document = {"end_session_endpoint": None}
    without = await side.us.sign_out_address(side.provider, back="https://app.example.org/login")

    assert address == (
        f"{side.liar.issuer}/leave?client_id=us"
        "&post_logout_redirect_uri=https%3A%2F%2Fapp.example.org%2Flogin"
    )
    assert without is None


async def test_no_reason_and_no_sentence_names_the_secret_or_the_code(side: Side) -> None:
    side.liar.replies["/token"] = lambda: as_json({"error": "invalid_client"}, 401)

    with pytest.raises(DomainError) as refused:
        await side.signs_in(code="a-code")

    told = f"{refused.value!r} {refused.value.sentence} {refused.value.__cause__!r}"
    assert SECRET not in told
    assert "a-code" not in told


NOTICE: Final = {"sub": "1", "sid": "s1", "jti": "j1", "events": {LOGOUT: {}}}


async def test_a_logout_token_names_person_and_session(side: Side) -> None:
    side.liar.header["typ"] = "logout+jwt"

    notice = await side.us.read_logout_token(side.provider, side.liar.token(**NOTICE))
    same = await side.us.read_logout_token(side.provider, side.liar.token(**NOTICE | {"sid": "x"}))
    other = await side.us.read_logout_token(side.provider, side.liar.token(**NOTICE | {"jti": "2"}))

    assert (notice.subject, notice.sid) == ("1", "s1")
    assert notice.key == same.key != other.key
    assert notice.expires_at == side.clock.now() + timedelta(minutes=6)


@pytest.mark.parametrize("one", ["sub", "sid"])
async def test_a_logout_token_needs_only_one_of_person_and_session(side: Side, one: str) -> None:
    left = {name: value for name, value in NOTICE.items() if name not in {"sub", "sid"}}

    notice = await side.us.read_logout_token(side.provider, side.liar.token(**left, **{one: "1"}))

    assert {notice.subject, notice.sid} == {"1", None}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "them"}, "audience"),
        ({"exp": minutes(-1)}, "expired"),
        ({"exp": None}, "exp"),
        ({"iat": minutes(1.1)}, "issued in the future"),
        ({"iat": None}, "iat"),
        ({"jti": None}, "jti"),
        ({"jti": 1}, "jti"),
        ({"events": None}, "events"),
        ({"events": []}, "events"),
        ({"events": {}}, "events"),
        ({"events": {LOGOUT: True}}, "events"),
        ({"nonce": "n"}, "nonce"),
        ({"sub": None, "sid": None}, "neither sub nor sid"),
        ({"sub": 1}, "sub"),
        ({"sid": "s\0"}, "sid"),
    ],
)
async def test_a_logout_token_that_lies_is_refused(
    side: Side, changed: dict[str, Any], reason: str
) -> None:
    said = {name: value(side) if callable(value) else value for name, value in changed.items()}

    with pytest.raises(IdentityRefused) as refused:
        await side.us.read_logout_token(side.provider, side.liar.token(**NOTICE | said))

    assert refused.value.reason == reason


async def test_a_token_of_another_kind_or_key_is_no_logout_token(side: Side) -> None:
    side.liar.header["typ"] = "at+jwt"
    tokens = [side.liar.token(**NOTICE), "", "x.y.z", "é"]
    side.liar.header = {"alg": "ES256", "kid": "one"}
    side.liar.signs_with = key("another")
    tokens.append(side.liar.token(**NOTICE))

    for token in tokens:
        with pytest.raises(IdentityRefused):
            await side.us.read_logout_token(side.provider, token)


async def test_a_logout_token_is_no_token_of_a_sign_in(side: Side) -> None:
    token = side.liar.token(**NOTICE)
    side.liar.replies["/token"] = lambda: as_json({"id_token": token})

    assert await side.is_refused() == "nonce"
