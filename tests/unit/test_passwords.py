"""The hasher hashes whole passwords, spends one hash on every refusal, and never blocks the event loop."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from itertools import product
from types import FrameType
from typing import Any

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passlib.hash import bcrypt_sha256

from adapters.security.passwords import CHEAP, LONGEST_HASHED, HashCost, PasslibHasher, Scheme
from domain.errors import HashingBusy, PasswordInvalid
from domain.ports.security import Verdict

SCHEMES: tuple[Scheme, ...] = ("argon2", "bcrypt")
NO = Verdict(matches=False)
YES = Verdict(matches=True)
PLAIN_BCRYPT = bcrypt.hashpw(b"right horse", bcrypt.gensalt(4)).decode()
KNOWN_BCRYPT = "$2a$04$5BJqKfqMQvV7nS.yUguNcueVirQqDBGaLXSqj.rs.pZPlNR0UX/HK"
"""Hash of "test"; a published test vector."""
HASHINGS = {"hash_secret", "verify_secret", "hashpw"}
"""The functions of argon2-cffi and bcrypt that compute a hash."""

Hashers = Callable[..., PasslibHasher]


class Work:
    """Counts the hashes made in threads that start from now on."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        called = {"call": frame.f_code.co_name, "c_call": getattr(arg, "__name__", "")}.get(event)
        if called in HASHINGS:
            self.threads.append(threading.get_ident())

    @property
    def hashes(self) -> int:
        return len(self.threads)


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    threading.setprofile(work.profile)
    yield work
    threading.setprofile(None)


@pytest.fixture
def a_hasher() -> Iterator[Hashers]:
    made: list[PasslibHasher] = []

    def make(
        scheme: Scheme = "argon2", cost: HashCost = CHEAP, workers: int = 1, queue: int = 8
    ) -> PasslibHasher:
        made.append(PasslibHasher(scheme=scheme, cost=cost, workers=workers, queue=queue))
        return made[-1]

    yield make
    for hasher in made:
        hasher.close()


async def test_the_right_password_matches_and_another_does_not(
    a_hasher: Hashers, subtests: pytest.Subtests
) -> None:
    for scheme in SCHEMES:
        for right in ["right horse", "x" * 73, "é" * 73, "x" * 256, " x ", "", "🐎" * 64]:
            with subtests.test(scheme=scheme, right=right):
                hasher = a_hasher(scheme)
                stored = await hasher.hash(right)

                assert await hasher.verify(right, stored) == YES
                assert await hasher.verify(right + "x", stored) == NO


@pytest.mark.asvs("V6.2.8")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_password_is_verified_exactly_to_its_last_character(
    a_hasher: Hashers, scheme: Scheme
) -> None:
    hasher = a_hasher(scheme)
    stored = await hasher.hash("Straße " + "x" * 100 + "y")

    for other in (
        "Straße " + "x" * 100 + "z",
        "Straße " + "x" * 100,
        "straße " + "x" * 100 + "y",
        "Strasse " + "x" * 100 + "y",
        " Straße " + "x" * 100 + "y",
        "Straße " + "x" * 100 + "y ",
    ):
        assert await hasher.verify(other, stored) == NO
    assert await hasher.verify("e\u0301tude", await hasher.hash("étude")) == NO


@pytest.mark.asvs("V11.4.2")
async def test_a_new_hash_is_argon2id_with_the_recommended_cost() -> None:
    hasher = PasslibHasher(workers=1)

    stored = await hasher.hash("right horse")
    hasher.close()

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.asvs("V11.4.2")
async def test_a_new_bcrypt_hash_is_bcrypt_over_sha256_with_the_rounds_of_its_cost(
    a_hasher: Hashers,
) -> None:
    stored = await a_hasher("bcrypt", HashCost(bcrypt_rounds=5)).hash("right horse")

    assert stored.startswith("$bcrypt-sha256$v=2,t=2b,r=5$")
    assert HashCost().bcrypt_rounds == 12


async def test_the_same_password_is_hashed_differently_each_time(a_hasher: Hashers) -> None:
    hasher = a_hasher()

    assert await hasher.hash("right horse") != await hasher.hash("right horse")


@pytest.mark.asvs("V11.2.2")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("right", "stored"),
    [
        ("right horse", PLAIN_BCRYPT),
        ("right horse", PLAIN_BCRYPT.replace("$2b$", "$2y$")),
        ("test", KNOWN_BCRYPT),
    ],
    ids=["2b", "2y", "2a"],
)
async def test_an_old_plain_bcrypt_hash_matches_and_is_upgraded(
    a_hasher: Hashers, scheme: Scheme, right: str, stored: str
) -> None:
    hasher = a_hasher(scheme)

    verdict = await hasher.verify(right, stored)

    assert verdict.matches
    assert verdict.upgraded_hash is not None
    assert await hasher.verify(right, verdict.upgraded_hash) == YES
    assert await hasher.verify("wrong horse", stored) == NO


@pytest.mark.asvs("V11.2.2")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "cost",
    [
        HashCost(argon2_kib=16, argon2_passes=1, bcrypt_rounds=5),
        HashCost(argon2_kib=8, argon2_passes=2, bcrypt_rounds=5),
    ],
)
async def test_a_hash_of_another_cost_or_scheme_is_upgraded(
    a_hasher: Hashers, scheme: Scheme, cost: HashCost
) -> None:
    hasher = a_hasher(scheme)
    other_scheme: Scheme = "bcrypt" if scheme == "argon2" else "argon2"

    for older in (a_hasher(scheme, cost), a_hasher(other_scheme)):
        verdict = await hasher.verify("right horse", await older.hash("right horse"))

        assert verdict.matches
        assert verdict.upgraded_hash is not None
        assert await hasher.verify("right horse", verdict.upgraded_hash) == YES


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_bcrypt_over_sha256_hash_made_by_passlib_elsewhere_matches(
    a_hasher: Hashers, scheme: Scheme
) -> None:
    stored = bcrypt_sha256.using(rounds=5).hash("x" * 100)

    verdict = await a_hasher(scheme).verify("x" * 100, stored)

    assert verdict.matches
    assert verdict.upgraded_hash is not None


ODD_PASSWORDS = [
    "",
    "\0",
    "right horse\0",
    "\ud800",
    "right horse\udfff",
    "x" * 73,
    "é" * 37,
    "x" * LONGEST_HASHED,
    "x" * (LONGEST_HASHED + 1),
    "x" * 1_000_000,
]


@pytest.mark.asvs("V6.3.8")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_invalid_password_does_not_match_and_costs_one_hash(
    work: Work, a_hasher: Hashers, subtests: pytest.Subtests, scheme: Scheme
) -> None:
    hasher = a_hasher(scheme)
    kept = (await hasher.hash("right horse"), PLAIN_BCRYPT, None)

    for password, stored in product(ODD_PASSWORDS, kept):
        with subtests.test(password=password[:14], length=len(password), stored=stored):
            before = work.hashes

            assert await hasher.verify(password, stored) == NO
            assert work.hashes == before + 1


ODD_HASHES = [
    None,
    "",
    "!",
    "*",
    "right horse",
    "é",
    "\0",
    "\ud800",
    "$argon2id$",
    "$argon2id$v=19$m=19456,t=2,p=1$abc$def",
    "$argon2id$v=19$m=1,t=2,p=1$c2FsdHNhbHQ$YWJjZGVmZ2g",
    "$argon2id$v=19$m=8,t=1,p=1,data=c29tZWRhdGE$c29tZSBzYWx0IG9mIDE2$YWJjZGVmZ2hhYmNkZWZnaA",
    "$2b$12$",
    "$2b$99" + PLAIN_BCRYPT[6:],
    "$2x" + PLAIN_BCRYPT[3:],
    PLAIN_BCRYPT[:-1],
    PLAIN_BCRYPT + "x",
    PLAIN_BCRYPT[:29],
    "$bcrypt-sha256$v=2,t=2b,r=12$",
    "$bcrypt-sha256$v=9,t=2b,r=4$" + PLAIN_BCRYPT[7:29] + "$" + PLAIN_BCRYPT[29:],
]


@pytest.mark.asvs("V6.3.8")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("password", ["right horse", "\0"])
async def test_a_missing_or_unreadable_hash_does_not_match_and_costs_one_hash(
    work: Work, a_hasher: Hashers, scheme: Scheme, password: str
) -> None:
    hasher = a_hasher(scheme)

    for stored in ODD_HASHES:
        before = work.hashes

        assert await hasher.verify(password, stored) == NO
        # argon2-cffi notices an unreadable hash before it starts.
        not_started = stored is not None and stored.startswith("$argon2")
        assert work.hashes == before + 1 + not_started


@pytest.mark.asvs("V6.3.8")
async def test_the_placeholder_password_matches_only_an_account_that_has_it(
    a_hasher: Hashers,
) -> None:
    # A user may have chosen the password that is hashed in place of one that cannot match.
    hasher = a_hasher()
    stored = await hasher.hash("nobody's password")

    assert await hasher.verify("\0", stored) == NO
    assert await hasher.verify("nobody's password", None) == NO
    assert await hasher.verify("nobody's password", stored) == YES


@pytest.mark.parametrize("unusable", ["right\0horse", "\ud800", "x" * (LONGEST_HASHED + 1)])
async def test_a_password_that_would_never_match_is_not_hashed(
    a_hasher: Hashers, unusable: str
) -> None:
    with pytest.raises(PasswordInvalid):
        await a_hasher().hash(unusable)


def test_verifying_never_raises_for_any_text(a_hasher: Hashers) -> None:
    hasher = a_hasher()

    with asyncio.Runner() as loop:

        @settings(deadline=None)
        @given(
            password=st.text(st.characters(codec=None)),
            stored=st.none() | st.text(st.characters(codec=None)) | st.sampled_from(ODD_HASHES),
        )
        def it_does_not_match(password: str, stored: str | None) -> None:
            assert loop.run(hasher.verify(password, stored)) == NO

        it_does_not_match()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_hashes_are_made_outside_the_thread_of_the_event_loop(
    work: Work, a_hasher: Hashers, scheme: Scheme
) -> None:
    hasher = a_hasher(scheme)

    stored = await hasher.hash("right horse")
    await hasher.verify("right horse", stored)
    await hasher.verify("right horse", PLAIN_BCRYPT)
    await hasher.verify("right horse", None)

    # Two hashes: one to verify, and one for the upgrade.
    assert work.hashes == 5
    assert threading.get_ident() not in work.threads


async def test_the_number_of_workers_limits_concurrent_hashes(
    work: Work, a_hasher: Hashers
) -> None:
    hasher = a_hasher(workers=2, queue=20)

    await asyncio.gather(*(hasher.hash("right horse") for _ in range(20)))

    assert work.hashes == 20
    assert len(set(work.threads)) <= 2


async def test_a_full_queue_refuses_at_once_and_accepts_again_when_empty(
    a_hasher: Hashers,
) -> None:
    hasher = a_hasher(workers=1, queue=2)
    unblock = threading.Event()
    hasher._pool.submit(unblock.wait)
    waiting = [asyncio.create_task(hasher.hash("right horse")) for _ in range(3)]
    await asyncio.sleep(0)

    try:
        async with asyncio.timeout(5):
            with pytest.raises(HashingBusy):
                await hasher.hash("right horse")
            with pytest.raises(HashingBusy):
                await hasher.verify("right horse", PLAIN_BCRYPT)
        in_queue = hasher.waiting()
    finally:
        unblock.set()

    assert len(await asyncio.gather(*waiting)) == 3
    assert (in_queue, hasher.waiting()) == (2, 0)
    assert await hasher.verify("wrong horse", None) == NO


async def test_a_cancelled_request_releases_its_place_in_the_queue(a_hasher: Hashers) -> None:
    hasher = a_hasher(workers=1, queue=2)
    unblock = threading.Event()
    hasher._pool.submit(unblock.wait)
    waiting = [asyncio.create_task(hasher.hash("right horse")) for _ in range(3)]
    await asyncio.sleep(0)

    try:
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        another = asyncio.create_task(hasher.hash("right horse"))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            with pytest.raises(HashingBusy):
                await hasher.hash("right horse")
    finally:
        unblock.set()

    assert len(await asyncio.gather(*waiting[1:], another)) == 3


async def test_a_failed_hash_releases_its_place_in_the_queue(a_hasher: Hashers) -> None:
    hasher = a_hasher(workers=1, queue=0)

    def fails() -> str:
        raise RuntimeError("out of memory")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="out of memory"):
            await hasher._in_pool(fails)


async def test_a_closed_hasher_leaves_no_thread(a_hasher: Hashers) -> None:
    before = set(threading.enumerate())
    hasher = a_hasher(workers=2)
    await asyncio.gather(*(hasher.hash("right horse") for _ in range(4)))

    hasher.close()

    assert set(threading.enumerate()) == before


async def test_a_closed_hasher_can_be_used_again(a_hasher: Hashers) -> None:
    hasher = a_hasher(workers=1)
    hashed = await hasher.hash("right horse")
    hasher.close()

    assert (await hasher.verify("right horse", hashed)).matches


def test_making_a_hasher_starts_no_thread_and_makes_no_hash(a_hasher: Hashers) -> None:
    before = set(threading.enumerate())

    a_hasher(workers=2)

    assert set(threading.enumerate()) == before
