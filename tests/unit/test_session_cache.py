"""The cache of recognised sessions."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.memory.session_cache import MemorySessionCache
from adapters.system.clock import StoppedClock
from domain.model.caller import SignedIn
from domain.model.state import Entry
from domain.model.user import User
from tests.builders import a_session, a_user

KEEP = timedelta(seconds=2)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def cache(clock: StoppedClock) -> MemorySessionCache:
    return MemorySessionCache(clock=clock, keep=KEEP)


def a_sign_in(*, of: User | None = None) -> SignedIn:
    user = of or a_user()
    return SignedIn(user=user, session=a_session(of=user), data={})


def put(cache: MemorySessionCache, token: str, signed_in: SignedIn) -> None:
    cache.put(signed_in, after=cache.look_up(token))


def found(cache: MemorySessionCache, token: str) -> SignedIn | None:
    return cache.look_up(token).found


def test_an_entry_is_found_until_it_expires(cache: MemorySessionCache, clock: StoppedClock) -> None:
    ada = a_sign_in()
    put(cache, "token", ada)

    at_once = found(cache, "token")
    clock.forward(KEEP - timedelta(microseconds=1))
    just_in_time = found(cache, "token")
    clock.forward(timedelta(microseconds=1))

    assert (at_once, just_in_time) == (ada, ada)
    assert found(cache, "token") is None
    assert found(cache, "another") is None


def test_a_lookup_does_not_extend_the_time_in_the_cache(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    put(cache, "token", a_sign_in())

    for _ in range(4):
        found(cache, "token")
        clock.forward(KEEP / 4)

    assert found(cache, "token") is None


def test_entries_do_not_live_longer_when_the_clock_is_set_back(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    put(cache, "token", a_sign_in())

    clock.forward(-timedelta(hours=1))

    assert found(cache, "token") is None


def test_a_cache_with_zero_lifetime_stores_nothing(clock: StoppedClock) -> None:
    cache = MemorySessionCache(clock=clock, keep=timedelta(0))

    put(cache, "token", a_sign_in())

    assert found(cache, "token") is None


def test_dropped_sessions_are_gone_for_every_token_and_others_stay(
    cache: MemorySessionCache,
) -> None:
    ada, grace = a_sign_in(), a_sign_in()
    put(cache, "old token", ada)
    put(cache, "new token", ada)
    put(cache, "grace", grace)

    cache.drop_sessions([ada.session.id])

    assert [found(cache, t) for t in ("old token", "new token", "grace")] == [None, None, grace]


def test_dropping_a_user_drops_all_sessions_of_the_account(cache: MemorySessionCache) -> None:
    user = a_user()
    first, second, grace = a_sign_in(of=user), a_sign_in(of=user), a_sign_in()
    put(cache, "first", first)
    put(cache, "second", second)
    put(cache, "grace", grace)

    cache.drop_user(user.id)

    assert [found(cache, token) for token in ("first", "second", "grace")] == [None, None, grace]


def test_data_read_before_a_drop_is_not_cached(cache: MemorySessionCache) -> None:
    ada, other = a_sign_in(), a_sign_in()

    lookup = cache.look_up("ada")
    cache.drop_sessions([ada.session.id])
    cache.put(ada, after=lookup)
    lookup = cache.look_up("other")
    cache.drop_user(other.user.id)
    cache.put(other, after=lookup)

    assert found(cache, "ada") is None
    assert found(cache, "other") is None


def test_data_read_before_another_account_was_dropped_is_cached(cache: MemorySessionCache) -> None:
    ada, other = a_sign_in(), a_sign_in()
    lookup = cache.look_up("ada")

    cache.drop_sessions([other.session.id])
    cache.drop_user(other.user.id)
    cache.renew_data(other.session.id, {}, ticket=cache.ticket())
    cache.put(ada, after=lookup)

    assert found(cache, "ada") == ada


def test_data_read_before_a_forgotten_change_is_not_cached(clock: StoppedClock) -> None:
    cache = MemorySessionCache(clock=clock, keep=KEEP, most_tokens=2)
    ada = a_sign_in()
    lookup = cache.look_up("ada")

    cache.drop_sessions([ada.session.id])
    cache.drop_sessions([a_sign_in().session.id for _ in range(3)])
    cache.put(ada, after=lookup)

    assert found(cache, "ada") is None


def test_renewed_data_is_found_and_the_expiry_stays(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    ada = a_sign_in()
    put(cache, "token", ada)
    clock.forward(KEEP / 2)

    cache.renew_data(ada.session.id, {"key": Entry(value=1, version=1)}, ticket=cache.ticket())
    renewed = found(cache, "token")
    clock.forward(KEEP / 2)

    assert renewed is not None
    assert renewed.data == {"key": Entry(value=1, version=1)}
    assert found(cache, "token") is None


def test_data_read_before_a_renewal_is_not_cached(cache: MemorySessionCache) -> None:
    ada = a_sign_in()
    lookup = cache.look_up("token")

    cache.renew_data(ada.session.id, {"key": Entry(value=1, version=1)}, ticket=cache.ticket())
    cache.put(ada, after=lookup)

    assert found(cache, "token") is None


def test_two_concurrent_writes_drop_the_session_because_their_order_is_unknown(
    cache: MemorySessionCache,
) -> None:
    ada = a_sign_in()
    put(cache, "token", ada)
    first, second = cache.ticket(), cache.ticket()

    cache.renew_data(ada.session.id, {"key": Entry(value=2, version=2)}, ticket=second)
    cache.renew_data(ada.session.id, {"key": Entry(value=1, version=1)}, ticket=first)

    assert found(cache, "token") is None


def test_a_touch_renews_only_the_session_and_the_expiry_stays(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    ada = a_sign_in()
    put(cache, "token", ada)
    data = {"key": Entry(value=1, version=1)}
    cache.renew_data(ada.session.id, data, ticket=cache.ticket())
    clock.forward(KEEP / 2)

    elsewhere = ada.user.renamed("Of before", clock.now())
    cache.renew_touched(replace(ada, user=elsewhere, session=ada.session.seen(clock.now())))
    touched = found(cache, "token")
    clock.forward(KEEP / 2)

    assert touched == replace(ada, session=ada.session.seen(clock.now() - KEEP / 2), data=data)
    assert found(cache, "token") is None


def test_a_touch_restores_no_entry_and_data_read_before_it_is_not_cached(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    ada = a_sign_in()
    lookup = cache.look_up("token")

    cache.renew_touched(replace(ada, session=ada.session.seen(clock.now())))
    cache.put(ada, after=lookup)

    assert found(cache, "token") is None


def test_the_least_recently_used_tokens_are_forgotten_when_there_are_too_many(
    clock: StoppedClock,
) -> None:
    cache = MemorySessionCache(clock=clock, keep=KEEP, most_tokens=2)
    ada, grace, new = a_sign_in(), a_sign_in(), a_sign_in()
    put(cache, "ada", ada)
    put(cache, "grace", grace)
    found(cache, "ada")

    put(cache, "new", new)

    assert [found(cache, token) for token in ("ada", "grace", "new")] == [ada, None, new]


def test_forgotten_entries_leave_nothing_in_memory(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    first, second, third = a_sign_in(), a_sign_in(), a_sign_in()
    put(cache, "first", first)
    put(cache, "second", second)
    put(cache, "third", third)
    put(cache, "third", first)

    cache.drop_sessions([first.session.id])
    cache.drop_user(second.user.id)

    assert not cache._kept
    assert not cache._by_owner
