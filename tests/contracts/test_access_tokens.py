"""Promises of every storage about access tokens."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from adapters.system.clock import StoppedClock
from adapters.system.ids import RandomIds
from domain.errors import AccessTokenEnded, TooManyAccessTokens, UserNotFound
from domain.model.access_token import PER_ACCOUNT, AccessToken, AccessTokenId
from domain.model.state import Entry
from domain.ports.security import AccessTokenHasher
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.access_tokens import AccessTokenService
from tests.builders import NOON, a_token, a_user
from tests.contracts.conftest import Storage, removed_by_two

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTHING = AccessTokenId(UUID(int=2**127))
MINUTE = timedelta(minutes=1)
OTHER_HASH = b"\1" * 32


async def of_store(units: UnitsOfWork, token: AccessToken) -> AccessToken | None:
    async with units.reading() as work:
        return await work.access_tokens.find(token.id)


async def test_an_added_token_comes_back_as_it_was(storage: Storage) -> None:
    ada = a_user()
    tokens = [
        a_token(of=ada, name="Ünïcode " * 12, last_used_at=NOON + timedelta(microseconds=1)),
        a_token(of=ada, roles=frozenset()),
        a_token(of=ada, roles={"admin"}),
        a_token(of=ada, roles={"analyst", "b-2", "c_3"}),
    ]

    await storage.has(ada, *tokens)

    assert [await of_store(storage.units, token) for token in tokens] == tokens


async def test_adding_raises_user_not_found_when_the_account_is_gone(units: UnitsOfWork) -> None:
    token = a_token(of=a_user())

    async with units.writing() as work:
        with pytest.raises(UserNotFound):
            await work.access_tokens.add(token)
        await work.commit()

    assert await of_store(units, token) is None


async def test_saving_updates_the_last_use_and_the_hash_and_nothing_else(storage: Storage) -> None:
    ada = a_user()
    token = a_token(of=ada, roles={"analyst"})
    await storage.has(ada, token)
    changed = a_token(
        of=ada,
        id=token.id,
        name="Another",
        roles={"admin"},
        secret_hash=OTHER_HASH,
        expires_at=NOON + 99 * MINUTE,
        last_used_at=NOON + MINUTE,
    )

    async with storage.units.writing() as work:
        await work.access_tokens.save(changed)
        await work.commit()

    expected = token.used(NOON + MINUTE).rehashed(OTHER_HASH)
    assert await of_store(storage.units, token) == expected


async def test_a_removed_token_stays_removed_when_saved(storage: Storage) -> None:
    ada = a_user()
    token = a_token(of=ada)
    await storage.has(ada, token)

    async with storage.units.writing() as work:
        await work.access_tokens.remove([token.id])
        with pytest.raises(AccessTokenEnded):
            await work.access_tokens.save(token.used(NOON + MINUTE))
        await work.commit()

    assert await of_store(storage.units, token) is None


async def test_a_use_does_not_restore_a_token_that_is_revoked_at_the_same_time(
    storage: Storage,
) -> None:
    ada = a_user()
    tokens = [a_token(of=ada) for _ in range(10)]
    await storage.has(ada, *tokens)

    async def use(token: AccessToken) -> None:
        async with storage.units.writing() as work:
            await work.access_tokens.save(token.used(NOON + MINUTE))
            await work.commit()

    async def revoke(token: AccessToken) -> None:
        async with storage.units.writing() as work:
            await work.access_tokens.remove([token.id])
            await work.commit()

    race = [meet(token) for token in tokens for meet in (use, revoke, use)]
    results = await asyncio.gather(*race, return_exceptions=True)

    assert {type(result) for result in results} == {type(None), AccessTokenEnded}
    async with storage.units.reading() as work:
        assert await work.access_tokens.of_user(ada.id) == []


async def test_finding_an_unknown_token_returns_none(units: UnitsOfWork) -> None:
    async with units.reading() as work:
        assert await work.access_tokens.find(NOTHING) is None
        assert await work.access_tokens.find_many([NOTHING]) == []
        assert await work.access_tokens.find_with_user([b"\0" * 32, OTHER_HASH]) is None


async def test_finding_many_tokens_returns_those_that_exist(storage: Storage) -> None:
    ada = a_user()
    one, two, other = (a_token(of=ada) for _ in range(3))
    await storage.has(ada, one, two, other)

    async with storage.units.reading() as work:
        found = await work.access_tokens.find_many([one.id, NOTHING, two.id])

    assert {token.id for token in found} == {one.id, two.id}


async def test_one_of_several_hashes_finds_its_token_with_the_account_and_the_data(
    storage: Storage,
) -> None:
    ada, grace = a_user(roles={"admin", "analyst"}), a_user()
    hers, other = a_token(of=ada, roles={"admin"}), a_token(of=ada)
    await storage.has(ada, grace, hers, other, a_token(of=grace))
    async with storage.units.writing() as work:
        await work.token_data.write(hers.id, {"a": {"b": [1, None]}, "c": "d"})
        await work.commit()

    async with storage.units.reading() as work:
        with_data = await work.access_tokens.find_with_user([OTHER_HASH, hers.secret_hash])
        without = await work.access_tokens.find_with_user([other.secret_hash])

    entries = {"a": Entry(value={"b": [1, None]}, version=1), "c": Entry(value="d", version=1)}
    assert with_data == (hers, ada, entries)
    assert without == (other, ada, {})


async def test_the_tokens_of_an_account_are_returned_newest_first(storage: Storage) -> None:
    ada, grace = a_user(), a_user()
    first, second, third = (a_token(of=ada, created_at=NOON + n * MINUTE) for n in (3, 2, 1))
    await storage.has(ada, grace, second, third, first, a_token(of=grace))

    async with storage.units.reading() as work:
        assert list(await work.access_tokens.of_user(ada.id)) == [first, second, third]


async def test_removing_tokens_returns_how_many_existed_and_removes_their_data(
    storage: Storage,
) -> None:
    ada = a_user()
    token, other, kept = a_token(of=ada), a_token(of=ada), a_token(of=ada)
    await storage.has(ada, token, other, kept)

    async with storage.units.writing() as work:
        await work.token_data.write(token.id, {"key": "value"})
        removed = await work.access_tokens.remove([token.id, NOTHING, other.id, token.id])
        none = await work.access_tokens.remove([])
        await work.access_tokens.add(token)
        await work.commit()

    async with storage.units.reading() as work:
        assert (removed, none) == (2, 0)
        assert await work.token_data.read(token.id) == {}
        assert await work.access_tokens.find(kept.id) == kept


async def test_many_tokens_are_found_and_removed_at_once(storage: Storage) -> None:
    ada = a_user()
    first = a_token(of=ada)
    last = a_token(of=ada, id=AccessTokenId(UUID(int=2**127 + first.id.int)))
    await storage.has(ada, first, last)
    between = [AccessTokenId(UUID(int=2**100 + number)) for number in range(1200)]

    async with storage.units.writing() as work:
        found = await work.access_tokens.find_many([first.id, *between, last.id])
        removed = await work.access_tokens.remove([first.id, *between, last.id])
        await work.commit()

    assert {token.id for token in found} == {first.id, last.id}
    assert removed == 2


async def test_two_transactions_that_remove_the_same_tokens_in_opposite_order_both_finish(
    storage: Storage,
) -> None:
    ada = a_user()
    ids = [AccessTokenId(UUID(int=2**100 + number)) for number in range(1201)]
    first, middle, last = (a_token(of=ada, id=ids[place]) for place in (0, 600, 1200))
    await storage.has(ada, first, middle, last)

    removed = await removed_by_two(storage, lambda work: work.access_tokens.remove, ids, middle.id)

    assert sorted(removed) == [0, 3]


async def test_expired_tokens_are_removed_and_their_ids_are_returned(storage: Storage) -> None:
    ada = a_user()
    expired = a_token(of=ada, expires_at=NOON)
    live = a_token(of=ada, expires_at=NOON + timedelta(microseconds=1))
    await storage.has(ada, expired, live)

    async with storage.units.writing() as work:
        await work.token_data.write(expired.id, {"key": "value"})
        removed = await work.access_tokens.remove_expired(NOON)
        await work.commit()

    assert list(removed) == [expired.id]
    async with storage.units.reading() as work:
        assert list(await work.access_tokens.of_user(ada.id)) == [live]
        assert await work.token_data.read(expired.id) == {}


class PlainHasher(AccessTokenHasher):
    def hashes(self, value: str) -> Sequence[bytes]:
        return [value.encode()[-32:]]


async def test_concurrent_requests_make_no_more_tokens_than_the_limit(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada, *(a_token(of=ada) for _ in range(PER_ACCOUNT - 3)))
    service = AccessTokenService(hasher=PlainHasher(), clock=StoppedClock(), ids=RandomIds())

    async def make() -> None:
        async with storage.units.writing() as work:
            user = await work.users.get_locked(ada.id)
            await service.make(work.access_tokens, user, name="One more", days=1, roles=None)
            await work.commit()

    results = await asyncio.gather(*(make() for _ in range(12)), return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == sorted(
        ["NoneType"] * 3 + [TooManyAccessTokens.__name__] * 9
    )
    async with storage.units.reading() as work:
        assert len(await work.access_tokens.of_user(ada.id)) == PER_ACCOUNT
