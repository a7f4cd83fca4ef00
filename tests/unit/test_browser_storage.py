"""Marks of accounts, and names of an account's values in a browser."""

import re
from uuid import UUID

import pytest

from adapters.security.keys import derived
from adapters.security.marks import HmacAccountMarks
from application.use_cases import BrowserStorage
from domain.model.user import UserId

OLD, NEW = "an-old-key-of-our-own-0123456789abcdef", "a-new-key-of-our-own-0123456789abcdef"
ADA, BOB = UserId(UUID(int=1, version=4)), UserId(UUID(int=2, version=4))


def storage(*keys: str) -> BrowserStorage:
    return BrowserStorage(marks=HmacAccountMarks(keys or (OLD,)))


def names(of: BrowserStorage, user_id: UserId, *, page: str = "/p", name: str = "n") -> list[str]:
    return [
        of.owner(user_id),
        of.last(user_id),
        of.key(user_id, page=page, name=name),
        of.secret(user_id, page=page, name=name),
    ]


def test_a_mark_is_the_same_after_a_restart() -> None:
    assert names(storage(), ADA) == names(storage(), ADA)


def test_every_account_page_name_and_purpose_has_its_own_mark() -> None:
    mine = storage()
    keys, secrets = (
        [
            make(user_id, page=page, name=name)
            for user_id in (ADA, BOB)
            for page in ("/p", "/p/q")
            for name in ("n", "m", "")
        ]
        for make in (mine.key, mine.secret)
    )
    others = [make(user_id) for make in (mine.owner, mine.last) for user_id in (ADA, BOB)]

    assert len({*keys, *secrets, *others}) == 12 + 12 + 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", mark) for mark in (*secrets, *others))


def test_a_key_begins_with_its_owner() -> None:
    mine = storage()

    key = mine.key(ADA, page="/p", name="n")

    assert key.startswith(f"gradioapp.{mine.owner(ADA)}.")
    assert re.fullmatch(r"gradioapp(\.[A-Za-z0-9_-]{43}){2}", key)


def test_a_name_with_half_a_surrogate_pair_has_a_mark() -> None:
    assert storage().key(ADA, page="/p", name="\ud800") != storage().key(ADA, page="/p", name="?")


def test_no_mark_reveals_the_account() -> None:
    shown = "".join(names(storage(), ADA))

    assert ADA.hex not in shown
    assert str(ADA) not in shown


def test_marks_are_made_with_the_newest_key() -> None:
    assert names(storage(NEW, OLD), ADA) == names(storage(NEW), ADA)
    assert not set(names(storage(NEW, OLD), ADA)) & set(names(storage(OLD), ADA))


def test_marks_have_a_key_that_no_other_purpose_uses() -> None:
    marks = HmacAccountMarks([OLD])

    assert marks._key == derived(OLD.encode(), "gradioapp account mark")


@pytest.mark.asvs("14.3.1")
def test_only_the_mark_of_the_last_sign_in_identifies_the_last_account() -> None:
    mine = storage()

    assert mine.was_last(ADA, mine.last(ADA))
    for cookie in (None, "", "x", mine.last(BOB), mine.owner(ADA), mine.last(ADA)[:-1], "ä\ud800"):
        assert not mine.was_last(ADA, cookie), cookie
    assert not mine.was_last(ADA, storage(NEW).last(ADA))
