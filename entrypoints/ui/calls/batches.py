"""Handle batch events per caller. Gradio runs one function for several callers, and sends all of them the same
error."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

import gradio as gr
from gradio.server_messages import ProcessCompletedMessage
from gradio.utils import error_payload
from starlette.requests import Request

from entrypoints.ui.calls.steps import Event, Output


def tell_alone(demo: gr.Blocks, request: Request, error: gr.Error) -> None:
    """End one caller's event of a batch with this error. The rest of the batch goes on."""
    queue = demo._queue  # noqa: SLF001 -- Gradio has no other way to ask.
    for event in (event for job in queue.active_jobs if job for event in job):
        if event.request is request:
            output = error_payload(error, show_error=False)
            message = ProcessCompletedMessage(output=output, title=error.title, success=False)
            queue.send_message(event, message)
            # From now on Gradio sends nothing for this event, not even the others' success.
            event.alive = False


def only(event: Event, allowed: Sequence[bool]) -> Event:
    """Return the event with the samples of the allowed callers."""
    inputs = [list(compress(values, allowed)) for values in event.inputs]
    return replace(event, inputs=inputs, request=list(compress(event.requests, allowed)))


def with_gaps(values: Iterable[Any], allowed: Sequence[bool]) -> list[Any]:
    """Restore the callers' positions, with None for callers who are not allowed."""
    rest = iter(values)
    return [next(rest) if is_allowed else None for is_allowed in allowed]


def must_have_all(event: Event, output: Output) -> None:
    """Raises ValueError if the function has returned fewer results than the batch has samples. Otherwise Gradio would
    fail after the event, and the tabs of the other callers would wait forever."""
    samples = len(event.requests)
    results = min(map(len, output["data"]), default=0)
    if event.fn.outputs and results < samples:
        raise ValueError(
            f"{event.fn.name} is a batch=True event. It has returned {results} results for {samples} inputs: for each "
            "output, it must return a list with one value for each input, as in [[value, value]]."
        )


def samples_of(event: Event) -> Iterator[Event]:
    """Yield each sample of the batch as a batch of its own."""
    for number, request in enumerate(event.requests):
        yield replace(
            event, inputs=[[values[number]] for values in event.inputs], request=[request]
        )


def joined(outputs: Sequence[Output | None]) -> Output:
    """Return the outputs of samples that ran alone as those of one batch, with None in place of failed ones."""
    done = [output for output in outputs if output is not None]
    data = [
        [None if output is None else output["data"][column][0] for output in outputs]
        for column in range(len(done[0]["data"]))
    ]
    return {**done[0], "data": data}
