"""The caller and its account."""

import pytest

from domain.errors import NotAllowed
from domain.model.caller import Caller
from tests.builders import a_user


def test_a_signed_in_caller_has_their_own_account() -> None:
    ada = a_user()
    caller = Caller(user_id=ada.id, session_id=None, roles=frozenset())

    assert caller.account() == ada.id


def test_the_operator_has_no_account() -> None:
    with pytest.raises(NotAllowed):
        Caller.operator().account()
