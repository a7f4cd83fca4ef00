"""One table maps refusals to HTTP responses."""

from datetime import timedelta

import pytest

from domain import errors
from entrypoints.web.errors import TABLE, problem_of
from entrypoints.web.problems import Problem


def refusals(kind: type[errors.DomainError] = errors.DomainError) -> set[type[errors.DomainError]]:
    return {found for sub in kind.__subclasses__() for found in {sub, *refusals(sub)}}


def test_every_refusal_of_the_domain_is_in_the_table() -> None:
    ours = {kind for kind in refusals() if kind.__module__ == "domain.errors"}

    assert set(TABLE) == ours


def test_every_refusal_has_its_own_problem_type() -> None:
    kinds = [kind for _, kind, _ in TABLE.values()]

    assert len(set(kinds)) == len(kinds)
    assert all(400 <= status < 600 for status, _, _ in TABLE.values())


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(errors.SignInThrottled(timedelta(seconds=12.3)), "13"), (errors.SignInThrottled(timedelta(0)), "1"),
     (errors.HashingBusy(), "5"), (errors.StoreUnavailable(), "5")],
)  # fmt: skip
def test_a_temporary_refusal_says_when_to_retry(error: errors.DomainError, seconds: str) -> None:
    assert problem_of(error).headers == {"retry-after": seconds}


def test_a_problem_can_repeat_a_name_that_utf_8_cannot_carry() -> None:
    problem = Problem(status=422, kind="invalid", title="x", members={"field": "\ud800"})

    assert b"ud800" in problem.document("1")
