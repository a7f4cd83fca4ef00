"""Every refusal of the domain has a heading for users of a Gradio page."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

import gradio as gr
import pytest

from domain import errors
from entrypoints.ui.calls.errors import TITLES, as_popup
from tests.builders import NOON


def _refusals(of: type[errors.DomainError] = errors.DomainError) -> Iterator[type]:
    for refusal in of.__subclasses__():
        if refusal.__module__ == errors.__name__:
            yield refusal
            yield from _refusals(refusal)


def test_the_headings_are_exactly_those_of_the_refusals() -> None:
    assert set(TITLES) == set(_refusals())


MADE: Final[dict[type[errors.DomainError], Callable[[], errors.DomainError]]] = {
    errors.SignInThrottled: lambda: errors.SignInThrottled(timedelta(seconds=9)),
    errors.EventTimeUsedUp: lambda: errors.EventTimeUsedUp(
        timedelta(hours=1), free_at=NOON + timedelta(minutes=9), now=NOON
    ),
}
"""Refusals that make their sentences themselves."""


def test_a_refusal_is_shown_with_its_own_sentence_under_its_heading(
    subtests: pytest.Subtests,
) -> None:
    for refusal in TITLES:
        with subtests.test(refusal=refusal):
            error = MADE[refusal]() if refusal in MADE else refusal("A sentence.")

            popup = as_popup(error, request_id="7")

            assert (popup.message, popup.title) == (error.sentence, TITLES[refusal])


@pytest.mark.asvs("16.5.1")
def test_a_fault_is_shown_as_a_number_to_report() -> None:
    popup = as_popup(ValueError("hunter2"), request_id="abc123")

    assert isinstance(popup, gr.Error)
    assert "abc123" in popup.message
    assert "hunter2" not in popup.message
