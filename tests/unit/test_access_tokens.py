"""The format, lifetime, roles and hash of an access token."""

from base64 import urlsafe_b64encode
from datetime import timedelta
from zlib import crc32

import pytest

from adapters.security.access_tokens import HmacAccessTokenHasher
from adapters.security.keys import derived
from adapters.system.ids import CountingIds, RandomIds
from domain.errors import AccessTokenEnded, AccessTokenInvalid, NotAllowed, RoleInvalid
from domain.model.access_token import (
    _checksum,
    checked_life,
    checked_subset,
    checked_token_name,
    checked_value,
    value_of,
)
from domain.model.caller import Caller, SignedIn
from tests.builders import NOON, a_session, a_token, a_user

OLD, NEW = "an-old-key-of-our-own-0123456789abcdef", "a-new-key-of-our-own-0123456789abcdef"


def secret(bits: bytes) -> str:
    return urlsafe_b64encode(bits).rstrip(b"=").decode()


def test_a_value_has_prefix_secret_and_checksum() -> None:
    nothing, everything = value_of(secret(bytes(32))), value_of(secret(b"\xff" * 32))

    assert nothing[:-6] == "gapp_" + "0" * 43
    assert len(everything) == len(nothing) == 54
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    checksum, number = crc32(nothing[:-6].encode()), 0
    for digit in nothing[-6:]:
        number = number * 62 + digits.index(digit)
    assert number == checksum
    bits = 0
    for digit in everything[5:-6]:
        bits = bits * 62 + digits.index(digit)
    assert bits == 2**256 - 1


def test_every_value_that_is_made_is_accepted_and_unique() -> None:
    ids = RandomIds()
    values = [value_of(ids.new_secret()) for _ in range(300)]

    assert [checked_value(value) for value in values] == values
    assert len(set(values)) == 300


def test_one_wrong_character_anywhere_is_refused_without_the_store() -> None:
    value = value_of(CountingIds().new_secret())

    for position in range(len(value)):
        other = "x" if value[position] != "x" else "y"
        with pytest.raises(AccessTokenEnded):
            checked_value(value[:position] + other + value[position + 1 :])


def with_its_checksum(body: str) -> str:
    return body + _checksum(body)


def test_a_malformed_value_is_refused(subtests: pytest.Subtests) -> None:
    odd = ["", "gapp_", "gapp_" + "0" * 49, " ", "\0", "gapp_" + "é" * 49]
    bodies = ["gapp_" + "0" * 42, "gapp_" + "0" * 44, "GAPP_" + "0" * 43, "gapp_" + "-" * 43]

    for text in [*odd, *map(with_its_checksum, bodies)]:
        with subtests.test(text=text), pytest.raises(AccessTokenEnded):
            checked_value(text)


def test_a_value_with_characters_added_or_removed_is_refused() -> None:
    value = value_of(CountingIds().new_secret())

    for text in (f" {value}", f"{value}\n", f"{value},{value}", value[:-1], f"{value}0"):
        with pytest.raises(AccessTokenEnded):
            checked_value(text)


@pytest.mark.asvs("V11.4.1")
def test_hashes_are_keyed_and_the_newest_comes_first() -> None:
    value = value_of(CountingIds().new_secret())
    old, new, both = (HmacAccessTokenHasher(keys) for keys in ([OLD], [NEW], [NEW, OLD]))

    assert both.hashes(value) == [*new.hashes(value), *old.hashes(value)]
    assert old.hashes(value) != new.hashes(value)
    assert len(old.hashes(value)[0]) == 32
    assert derived(OLD.encode(), "gapp_") not in old.hashes(value)


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, OLD]])
def test_a_hasher_refuses_weak_keys(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        HmacAccessTokenHasher(keys)


def test_a_token_ends_when_it_expires_and_not_before() -> None:
    token = a_token(of=a_user(), expires_at=NOON)

    token.must_be_live(NOON - timedelta(microseconds=1))
    with pytest.raises(AccessTokenEnded):
        token.must_be_live(NOON)


def test_the_first_use_is_stored_at_once_and_later_ones_once_a_minute() -> None:
    token = a_token(of=a_user())
    used = token.used(NOON)

    assert token.is_due_for_touch(NOON)
    assert not used.is_due_for_touch(NOON + timedelta(seconds=59))
    assert used.is_due_for_touch(NOON + timedelta(seconds=60))
    assert used.used(NOON - timedelta(seconds=1)).last_used_at == NOON


def test_a_token_has_no_role_that_its_account_lacks_now() -> None:
    ada = a_user(roles={"analyst", "admin"})

    assert a_token(of=ada).limits(ada).roles == {"analyst", "admin"}
    assert a_token(of=ada, roles={"analyst"}).limits(ada).roles == {"analyst"}
    assert a_token(of=ada, roles={"trainer"}).limits(ada).roles == frozenset()
    assert a_token(of=ada, roles=set()).limits(ada).roles == frozenset()


@pytest.mark.parametrize("days", [-1, 0, 366])
def test_a_lifetime_that_is_too_short_or_too_long_is_refused(days: int) -> None:
    with pytest.raises(AccessTokenInvalid):
        checked_life(days)


def test_an_empty_too_long_or_unprintable_name_is_refused(subtests: pytest.Subtests) -> None:
    for name in ["", "  ", "x" * 101, "a\nb", "a\x00", "\u202egnp"]:
        with subtests.test(name=name), pytest.raises(AccessTokenInvalid):
            checked_token_name(name)


def test_a_name_is_trimmed() -> None:
    assert checked_token_name("  Nightly Jöb ") == "Nightly Jöb"


def test_a_subset_has_only_roles_of_the_account() -> None:
    ada = a_user(roles={"analyst"})

    assert checked_subset(["analyst"], of=ada) == {"analyst"}
    with pytest.raises(AccessTokenInvalid, match="admin"):
        checked_subset(["analyst", "admin"], of=ada)
    with pytest.raises(RoleInvalid):
        checked_subset(["No Role"], of=ada)


def test_only_a_caller_with_an_access_token_is_not_a_person() -> None:
    ada = a_user()
    token = a_token(of=ada)
    program = SignedIn(user=ada, session=token.as_session(), data={}, token=token)
    person = SignedIn(user=ada, session=a_session(of=ada), data={})

    assert (program.caller.session_id, program.caller.token_id) == (None, token.id)
    assert person.caller.token_id is None
    person.caller.must_be_a_person()
    Caller.operator().must_be_a_person()
    with pytest.raises(NotAllowed, match="browser"):
        program.caller.must_be_a_person()
