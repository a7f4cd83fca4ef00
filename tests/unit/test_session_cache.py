"""Recognised sessions, kept for a moment."""

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
    cache.put(token, signed_in, generation=cache.generation())


def test_what_was_put_is_found_until_it_is_too_old(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    ada = a_sign_in()
    put(cache, "token", ada)

    at_once = cache.find("token")
    clock.forward(KEEP - timedelta(microseconds=1))
    just_in_time = cache.find("token")
    clock.forward(timedelta(microseconds=1))

    assert (at_once, just_in_time) == (ada, ada)
    assert cache.find("token") is None
    assert cache.find("another") is None


def test_finding_keeps_nothing_young(cache: MemorySessionCache, clock: StoppedClock) -> None:
    put(cache, "token", a_sign_in())

    for _ in range(4):
        cache.find("token")
        clock.forward(KEEP / 4)

    assert cache.find("token") is None


def test_a_clock_set_back_makes_nothing_last_longer(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    put(cache, "token", a_sign_in())

    clock.forward(-timedelta(hours=1))

    assert cache.find("token") is None


def test_keeping_for_no_time_keeps_nothing(clock: StoppedClock) -> None:
    cache = MemorySessionCache(clock=clock, keep=timedelta(0))

    put(cache, "token", a_sign_in())

    assert cache.find("token") is None


def test_dropped_sessions_are_gone_under_every_token_and_others_stay(
    cache: MemorySessionCache,
) -> None:
    ada, grace = a_sign_in(), a_sign_in()
    put(cache, "old token", ada)
    put(cache, "new token", ada)
    put(cache, "grace", grace)

    cache.drop_sessions([ada.session.id])

    assert [cache.find(t) for t in ("old token", "new token", "grace")] == [None, None, grace]


def test_dropping_a_user_drops_all_sessions_of_the_account(cache: MemorySessionCache) -> None:
    user = a_user()
    first, second, grace = a_sign_in(of=user), a_sign_in(of=user), a_sign_in()
    put(cache, "first", first)
    put(cache, "second", second)
    put(cache, "grace", grace)

    cache.drop_user(user.id)

    assert [cache.find(token) for token in ("first", "second", "grace")] == [None, None, grace]


def test_what_was_read_before_a_drop_is_not_kept(cache: MemorySessionCache) -> None:
    ada, other = a_sign_in(), a_sign_in()

    before = cache.generation()
    cache.drop_sessions([ada.session.id])
    cache.put("ada", ada, generation=before)
    before = cache.generation()
    cache.drop_user(other.user.id)
    cache.put("other", other, generation=before)

    assert cache.find("ada") is None
    assert cache.find("other") is None


def test_the_generation_grows_with_every_drop_and_not_when_there_is_none(
    cache: MemorySessionCache,
) -> None:
    ada = a_sign_in()
    generations = [cache.generation()]

    cache.drop_sessions([ada.session.id])
    generations.append(cache.generation())
    cache.drop_user(ada.user.id)
    generations.append(cache.generation())
    cache.renew_data(ada.session.id, {})
    generations.append(cache.generation())
    cache.drop_sessions([])

    assert generations == sorted(set(generations))
    assert cache.generation() == generations[-1]


def test_renewed_data_is_found_and_the_session_grows_no_younger(
    cache: MemorySessionCache, clock: StoppedClock
) -> None:
    ada = a_sign_in()
    put(cache, "token", ada)
    clock.forward(KEEP / 2)

    cache.renew_data(ada.session.id, {"key": Entry(value=1, version=1)})
    found = cache.find("token")
    clock.forward(KEEP / 2)

    assert found is not None
    assert found.data == {"key": Entry(value=1, version=1)}
    assert cache.find("token") is None


def test_data_read_before_it_was_renewed_is_not_kept(cache: MemorySessionCache) -> None:
    ada = a_sign_in()
    before = cache.generation()

    cache.renew_data(ada.session.id, {"key": Entry(value=1, version=1)})
    cache.put("token", ada, generation=before)

    assert cache.find("token") is None


def test_of_too_many_tokens_those_used_longest_ago_are_forgotten(clock: StoppedClock) -> None:
    cache = MemorySessionCache(clock=clock, keep=KEEP, most_tokens=2)
    ada, grace, new = a_sign_in(), a_sign_in(), a_sign_in()
    put(cache, "ada", ada)
    put(cache, "grace", grace)
    cache.find("ada")

    put(cache, "new", new)

    assert [cache.find(token) for token in ("ada", "grace", "new")] == [ada, None, new]


def test_nothing_is_left_behind_of_what_is_forgotten(
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
