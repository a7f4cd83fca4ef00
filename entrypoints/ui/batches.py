"""Batches of events: Gradio runs one function for several callers, and tells all of them the same when it fails."""

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any

import gradio as gr
from gradio.server_messages import ProcessCompletedMessage
from gradio.utils import error_payload
from starlette.requests import Request


def tell_alone(demo: gr.Blocks, request: Request, error: gr.Error) -> None:
    """End one caller's event of a batch with this error, whatever becomes of the batch."""
    queue = demo._queue  # noqa: SLF001 -- Gradio has no other way to ask.
    for event in (event for job in queue.active_jobs if job for event in job):
        if event.request is request:
            output = error_payload(error, show_error=False)
            message = ProcessCompletedMessage(output=output, title=error.title, success=False)
            queue.send_message(event, message)
            event.alive = False  # Gradio sends nothing more of it, so not the others' success.


def only(values: Iterable[Any], allowed: Sequence[bool]) -> list[Any]:
    """The values of the callers who are allowed."""
    return list(compress(values, allowed))


def with_gaps(values: Iterable[Any], allowed: Sequence[bool]) -> list[Any]:
    """Restore the callers' positions; None for those who are not allowed."""
    rest = iter(values)
    return [next(rest) if is_allowed else None for is_allowed in allowed]
