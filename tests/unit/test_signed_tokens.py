"""Signed tokens are accepted only unchanged, in time and for their purpose."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from hashlib import sha256
from typing import Any

import jwt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.security.keys import derived
from adapters.security.signed_tokens import LONGEST_TOKEN, JwtCodec
from adapters.system.clock import StoppedClock
from domain.errors import SignedTokenRefused
from domain.model.signed_token import Claims, Purpose

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
KEY = "the key of the year is 32 bytes!"
OLD_KEY = "the key of last year is 32 bytes"
CLAIMS = Claims(
    subject="ada",
    secret_id="a-secret",
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)
PAYLOAD = {
    "iss": "gradioapp",
    "aud": "gradioapp:session",
    "sub": "ada",
    "sid": "a-secret",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 3600,
}
SESSION_KEY = derived(KEY.encode(), "gradioapp jwt session")


@cache  # Making one derives its keys, and every test here needs one.
def a_codec(*keys: str | bytes, now: datetime = NOW, issuer: str = "gradioapp") -> JwtCodec:
    return JwtCodec(keys or [KEY], StoppedClock(now), issuer)


def base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(
    header: bytes | None = None,
    payload: bytes | None = None,
    *,
    key: bytes = SESSION_KEY,
    digest: str = "sha256",
) -> str:
    """Sign by hand, to make tokens that the codec would never write."""
    text = f"{base64(header or a_header())}.{base64(payload or a_payload())}"
    return f"{text}.{base64(hmac.digest(key, text.encode(), digest))}"


def a_header(**changes: object) -> bytes:
    header = jwt.get_unverified_header(a_codec().encode(Purpose.SESSION, CLAIMS))
    return changed(header, changes)


def a_payload(**changes: object) -> bytes:
    return changed(PAYLOAD, changes)


def changed(of: Mapping[str, Any], changes: Mapping[str, object]) -> bytes:
    both = {**of, **changes}
    return json.dumps({name: value for name, value in both.items() if value is not ...}).encode()


def must_be_refused(token: str, *, codec: JwtCodec | None = None) -> None:
    for purpose in Purpose:
        with pytest.raises(SignedTokenRefused):
            (codec or a_codec()).decode(purpose, token)


@pytest.mark.parametrize("purpose", Purpose)
def test_decoding_returns_the_encoded_claims(purpose: Purpose) -> None:
    codec = a_codec()

    assert codec.decode(purpose, codec.encode(purpose, CLAIMS)) == CLAIMS


def test_a_token_signed_by_hand_the_same_way_is_accepted() -> None:
    # Otherwise a refusal below could have another reason than the one in its name.
    assert a_codec().decode(Purpose.SESSION, signed()) == CLAIMS


def test_times_come_back_in_utc_and_whole_seconds() -> None:
    codec = a_codec()
    paris = timezone(timedelta(hours=2))
    claims = Claims(
        subject="ada",
        secret_id="a-secret",
        issued_at=(NOW + timedelta(microseconds=999_999)).astimezone(paris),
        expires_at=(NOW + timedelta(hours=1, microseconds=999_999)).astimezone(paris),
    )

    decoded = codec.decode(Purpose.SESSION, codec.encode(Purpose.SESSION, claims))

    assert decoded == CLAIMS
    assert (decoded.issued_at.tzinfo, decoded.expires_at.tzinfo) == (UTC, UTC)


@pytest.mark.asvs("V9.2.2", "V9.2.4")
@pytest.mark.parametrize("made_for", Purpose)
def test_a_token_for_one_purpose_is_refused_for_every_other_purpose(made_for: Purpose) -> None:
    codec = a_codec()
    token = codec.encode(made_for, CLAIMS)

    for purpose in set(Purpose) - {made_for}:
        with pytest.raises(SignedTokenRefused):
            codec.decode(purpose, token)


@pytest.mark.asvs("V9.2.4")
def test_every_purpose_and_every_root_has_its_own_key() -> None:
    keys = {
        derived(root.encode(), f"gradioapp jwt {purpose}")
        for root in (KEY, OLD_KEY)
        for purpose in Purpose
    }

    assert len(keys) == 2 * len(Purpose)
    for purpose in Purpose:
        token = a_codec().encode(purpose, CLAIMS)
        jwt.decode(
            token,
            derived(KEY.encode(), f"gradioapp jwt {purpose}"),
            algorithms=["HS256"],
            options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
        )


def test_keys_are_derived_according_to_rfc_5869() -> None:
    # Appendix A.3 of the RFC: no salt, no info.
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"

    assert derived(b"\x0b" * 22, "").hex() == expected


@pytest.mark.asvs("V9.1.1")
def test_a_token_with_any_changed_character_is_refused() -> None:
    token = a_codec().encode(Purpose.SESSION, CLAIMS)

    for place, character in enumerate(token):
        must_be_refused(token[:place] + ("A" if character != "A" else "B") + token[place + 1 :])


@pytest.mark.asvs("V9.1.1")
def test_a_token_signed_with_another_key_is_refused(subtests: pytest.Subtests) -> None:
    for key in [b"", b"x" * 32, KEY.encode(), derived(OLD_KEY.encode(), "gradioapp jwt session")]:
        with subtests.test(key=key):
            must_be_refused(signed(key=key))


@pytest.mark.asvs("V9.1.2")
def test_another_algorithm_is_refused(subtests: pytest.Subtests) -> None:
    for algorithm in [
        "none",
        "None",
        "nOnE",
        "HS384",
        "HS512",
        "RS256",
        "ES256",
        "hs256",
        "",
        None,
        1,
    ]:
        with subtests.test(algorithm=algorithm):
            header = a_header(alg=algorithm)
            unsigned = f"{base64(header)}.{base64(a_payload())}"

            must_be_refused(signed(header))
            must_be_refused(signed(header, digest="sha384"))
            must_be_refused(signed(header, digest="sha512"))
            must_be_refused(f"{unsigned}.")
            must_be_refused(unsigned)


@pytest.mark.asvs("V9.1.3")
def test_a_token_that_contains_or_points_to_a_key_is_refused(subtests: pytest.Subtests) -> None:
    headers: list[dict[str, object]] = [
        {"jku": "https://evil.example/keys"},
        {"jwk": {"kty": "oct", "k": base64(b"x" * 32)}},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"cty": "JWT"},
    ]

    for bringing in headers:
        with subtests.test(bringing=bringing):
            header = a_header(**bringing)

            must_be_refused(signed(header))
            must_be_refused(signed(header, key=b"x" * 32))


@pytest.mark.asvs("V9.1.3")
def test_an_unknown_key_id_is_refused(subtests: pytest.Subtests) -> None:
    kids: list[object] = [..., None, "", "0" * 16, ["a"], {}, 1, "../../etc/passwd"]

    for kid in kids:
        with subtests.test(kid=kid):
            must_be_refused(signed(a_header(kid=kid)))


@pytest.mark.asvs("V9.2.2")
def test_another_type_is_refused(subtests: pytest.Subtests) -> None:
    for typ in [..., None, "", "JWT", "setup+jwt", "SESSION+JWT", ["session+jwt"]]:
        with subtests.test(typ=typ):
            must_be_refused(signed(a_header(typ=typ)))


@pytest.mark.asvs("V9.2.3")
def test_another_audience_is_refused(subtests: pytest.Subtests) -> None:
    for audience in [
        ...,
        None,
        "",
        "gradioapp",
        "gradioapp:setup",
        "gradioapp:session2",
        ["gradioapp:session"],
    ]:
        with subtests.test(audience=audience):
            must_be_refused(signed(payload=a_payload(aud=audience)))


def test_another_issuer_is_refused(subtests: pytest.Subtests) -> None:
    for issuer in [..., None, "", "somebody", ["gradioapp"], 1]:
        with subtests.test(issuer=issuer):
            must_be_refused(signed(payload=a_payload(iss=issuer)))


def test_two_services_with_the_same_key_refuse_each_others_tokens() -> None:
    token = a_codec(issuer="another").encode(Purpose.SESSION, CLAIMS)

    must_be_refused(token)


def test_a_subject_or_secret_that_is_not_text_is_refused(subtests: pytest.Subtests) -> None:
    for name in ["sub", "sid"]:
        for value in [..., None, "", 1, True, ["ada"], {"a": 1}]:
            with subtests.test(name=name, value=value):
                must_be_refused(signed(payload=a_payload(**{name: value})))


@pytest.mark.asvs("V9.2.1")
def test_a_time_that_is_not_a_whole_number_of_seconds_is_refused(subtests: pytest.Subtests) -> None:
    for name in ["iat", "exp"]:
        for value in [..., None, "1", True, [1], 1777863721.0, 1e400, 10**30, -(10**30), 10**2500]:
            with subtests.test(name=name, value=value):
                must_be_refused(signed(payload=a_payload(**{name: value})))


def test_a_time_beyond_the_calendar_is_refused() -> None:
    must_be_refused(signed(payload=a_payload(exp=10**18)))


@pytest.mark.parametrize("more", [{"nbf": PAYLOAD["exp"]}, {"jti": 1}, {"roles": ["admin"]}])
def test_a_token_with_additional_claims_is_refused(more: dict[str, object]) -> None:
    must_be_refused(signed(payload=a_payload(**more)))


@pytest.mark.asvs("V9.2.1")
def test_a_token_expires_exactly_at_its_expiry_time() -> None:
    clock = StoppedClock(NOW)
    codec = JwtCodec([KEY], clock)
    token = codec.encode(Purpose.SESSION, CLAIMS)

    clock.forward(timedelta(hours=1, microseconds=-1))
    assert codec.decode(Purpose.SESSION, token) == CLAIMS

    clock.forward(timedelta(microseconds=1))
    must_be_refused(token, codec=codec)


@pytest.mark.asvs("V9.2.1")
def test_a_token_from_more_than_five_seconds_in_the_future_is_refused() -> None:
    token = a_codec().encode(Purpose.SESSION, CLAIMS)

    assert a_codec(now=NOW - timedelta(seconds=5)).decode(Purpose.SESSION, token) == CLAIMS
    must_be_refused(token, codec=a_codec(now=NOW - timedelta(seconds=5, microseconds=1)))


@pytest.mark.parametrize("year", [1990, 2300])
def test_only_our_clock_decides_and_not_the_system_time(year: int) -> None:
    now = NOW.replace(year=year)
    claims = Claims(
        subject="ada", secret_id="s", issued_at=now, expires_at=now + timedelta(hours=1)
    )
    codec = a_codec(now=now)

    assert codec.decode(Purpose.SESSION, codec.encode(Purpose.SESSION, claims)) == claims


@pytest.mark.asvs("V11.2.2")
def test_a_new_key_signs_and_tokens_of_the_old_key_are_accepted_until_it_is_removed() -> None:
    old_token = a_codec(OLD_KEY).encode(Purpose.SESSION, CLAIMS)
    both = a_codec(KEY, OLD_KEY)
    new_token = both.encode(Purpose.SESSION, CLAIMS)

    assert both.decode(Purpose.SESSION, old_token) == CLAIMS
    assert a_codec(KEY).decode(Purpose.SESSION, new_token) == CLAIMS
    must_be_refused(old_token, codec=a_codec(KEY))
    must_be_refused(new_token, codec=a_codec(OLD_KEY))


def test_a_key_id_reveals_nothing_of_the_key() -> None:
    ids = [
        jwt.get_unverified_header(a_codec(key).encode(purpose, CLAIMS))["kid"]
        for key in (KEY, OLD_KEY)
        for purpose in Purpose
    ]

    assert len(set(ids)) == 2
    assert all(len(kid) == 16 for kid in ids)
    assert SESSION_KEY.hex()[:16] not in ids
    # Otherwise the id would show whether a guessed key is right.
    assert sha256(KEY.encode()).hexdigest()[:16] not in ids
    assert KEY not in repr(vars(a_codec()))
    assert repr(SESSION_KEY) not in repr(vars(a_codec()))


@pytest.mark.asvs("V11.2.3")
def test_the_refusal_of_a_short_key_says_what_to_do_and_does_not_repeat_the_key(
    subtests: pytest.Subtests,
) -> None:
    keys: list[str | bytes] = [b"", b"x" * 31, "x" * 31, "é" * 15]

    for short in keys:
        with subtests.test(short=short):
            with pytest.raises(ValueError, match="at least 32 bytes") as refusal:
                JwtCodec([KEY, short], StoppedClock())

            assert "secrets.token_urlsafe(32)" in str(refusal.value)
            assert "xxx" not in str(refusal.value)


def test_an_empty_list_of_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="At least one key"):
        JwtCodec([], StoppedClock())


def test_the_same_key_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        JwtCodec([KEY, OLD_KEY, KEY.encode()], StoppedClock())


def test_keys_are_measured_in_bytes_and_may_be_text_or_bytes() -> None:
    token = a_codec("é" * 16).encode(Purpose.SESSION, CLAIMS)

    assert a_codec(("é" * 16).encode()).decode(Purpose.SESSION, token) == CLAIMS


def test_a_very_long_token_is_refused_before_decoding_even_if_valid() -> None:
    long = Claims(
        subject="a" * LONGEST_TOKEN,
        secret_id="s",
        issued_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )

    must_be_refused(a_codec().encode(Purpose.SESSION, long))


def test_a_token_has_only_one_accepted_spelling(subtests: pytest.Subtests) -> None:
    token = a_codec().encode(Purpose.SESSION, CLAIMS)

    for spelt in [
        token + "=",
        token + "\n",
        " " + token,
        token.replace(".", "=."),
        f"Bearer {token}",
        token + ".",
        f"{token}.{token}",
    ]:
        with subtests.test(spelt=spelt):
            must_be_refused(spelt)


BOMB = b"[" * 2900
ODD_JSON = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b"{",
    b"{}",
    b"\xff\xfe",
    b"\x00",
    b"NaN",
    BOMB,
    b'{"a":' * 500,
    b'{"alg":' + b"9" * 2500 + b"}",
    b'{"alg":"HS256","alg":"none"}',
    b'{"alg":["HS256"],"kid":["x"],"typ":{}}',
    b'{"crit":1,"b64":false}',
    b'{"b64":false}',
]


def test_malformed_json_is_refused_signed_or_unsigned(subtests: pytest.Subtests) -> None:
    for odd in ODD_JSON:
        with subtests.test(odd=odd):
            text = f"{base64(odd)}.{base64(a_payload())}"

            must_be_refused(f"{text}.{base64(hmac.digest(SESSION_KEY, text.encode(), 'sha256'))}")
            must_be_refused(f"{text}.")
            text = f"{base64(a_header())}.{base64(odd)}"
            must_be_refused(f"{text}.{base64(hmac.digest(SESSION_KEY, text.encode(), 'sha256'))}")
            must_be_refused(f"{text}.x")


def test_malformed_text_is_refused(subtests: pytest.Subtests) -> None:
    for text in [
        "",
        ".",
        "..",
        "...",
        "\0",
        "a.\0.b",
        "\ud800",
        "é.é.é",
        "a" * 100_000,
        "." * 100_000,
        "\u0661.\u0661.\u0661",
    ]:
        with subtests.test(text=text):
            must_be_refused(text)


segments = st.one_of(st.binary(max_size=40), st.sampled_from([*ODD_JSON, a_header(), a_payload()]))
texts = st.one_of(
    st.text(),
    st.text(st.characters(codec=None)),
    st.lists(segments.map(base64), min_size=1, max_size=4).map(".".join),
    st.builds(signed, segments, segments),
)


@pytest.mark.asvs("V9.1.1")
@given(text=texts)
@settings(deadline=None)
def test_any_text_is_refused_or_decodes_to_the_signed_claims(text: str) -> None:
    try:
        claims = a_codec().decode(Purpose.SESSION, text)
    except SignedTokenRefused:
        return
    assert claims == CLAIMS


any_text = st.text(st.characters(codec=None), max_size=5)  # Includes lone surrogates.
scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_text
nested = st.lists(scalars, max_size=2) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
json_values = scalars | nested


@settings(deadline=None)
@example(changes={"sub": [[{"a": [None, {"b": {}}]}]]})
@example(changes={"sid": "\ud800"})
@example(changes={"sub": "\ud800"})
@given(changes=st.dictionaries(st.sampled_from(sorted(PAYLOAD)), json_values, min_size=1))
def test_any_signed_payload_is_refused_or_decodes_to_its_own_claims(
    changes: dict[str, object],
) -> None:
    try:
        claims = a_codec().decode(Purpose.SESSION, signed(payload=a_payload(**changes)))
    except SignedTokenRefused:
        return
    assert claims.subject == changes.get("sub", "ada")
    assert claims.secret_id == changes.get("sid", "a-secret")
    assert f"{claims.subject}{claims.secret_id}".isascii()
    assert claims.issued_at <= NOW + timedelta(seconds=5)
    assert claims.expires_at > NOW
