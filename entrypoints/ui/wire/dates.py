"""Limit the text that `gr.DateTime` reads. Gradio searches it for "now" with a pattern that takes time by the square of its
length, in which no other thread runs: 17 seconds for 50 KB."""

from collections.abc import Callable
from typing import Any, Final

import gradio as gr

from entrypoints.ui.limits import LONGEST_DATE
from entrypoints.ui.replacement import Replacement


def _reading(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def get_datetime_from_str(self: gr.DateTime, date: str) -> Any:
        if len(date) > LONGEST_DATE:
            raise gr.Error(
                f"A date has at most {LONGEST_DATE} characters.",
                title="Not as expected",
                print_exception=False,
            )
        return original(self, date)

    return get_datetime_from_str


READING: Final = Replacement(owner=gr.DateTime, name="get_datetime_from_str", by=_reading)
