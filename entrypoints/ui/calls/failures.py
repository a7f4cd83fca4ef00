"""What the log and the caller see of a step that failed."""

from traceback import clear_frames, walk_tb
from typing import Final

import gradio as gr
import structlog
from gradio.block_function import BlockFunction
from starlette.requests import Request

from domain.errors import DiskFull, DomainError, FileGone, ReplicaGone, StoreUnavailable
from entrypoints.access import REQUEST_ID
from entrypoints.ui.calls.batches import must_have_all
from entrypoints.ui.calls.errors import EVENT_STATUS, as_popup
from entrypoints.ui.full_disk import is_full

log = structlog.get_logger()

_UNREADABLE: Final = "The app cannot read the input."


def error_for_caller(error: Exception, fn: BlockFunction, http: Request) -> gr.Error:
    """Log the error of a failed step, and return the error that the caller sees."""
    if is_full(error):
        log.error("disk full", of=fn.name, exc_info=error)
        error = DiskFull()
    if isinstance(error, gr.Error):
        # Gradio would print the exception to standard error, not to the log.
        error.print_exception = False
        _forget_inputs(error)
        log.info("event refused", of=fn.name, title=error.title)
        return error
    if _is_of_the_input(error):  # Its text may contain the input, which must not be logged.
        log.warning("event input unreadable", of=fn.name, fault=type(error).__name__)
        _forget_inputs(error)
        return gr.Error(_UNREADABLE, print_exception=False)
    http.scope["state"][EVENT_STATUS] = _status(error)
    request_id = str(http.scope["state"].get(REQUEST_ID, "-"))
    return as_popup(error, request_id=request_id)


def _forget_inputs(error: BaseException | None) -> None:
    """Clear the variables in the error's frames. Gradio keeps the error until the next garbage collection, and with it
    every image that was decoded before the refusal."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__context__


def _is_of_the_input(error: Exception) -> bool:
    """Return whether a component failed to read its input, before the author's function was called."""
    return "preprocess_data" in _names_of_frames(error) and is_before_function(error)


def is_before_function(error: Exception) -> bool:
    """Return whether an event failed before the author's function was called."""
    return _names_of_frames(error).isdisjoint(
        {"call_function", "postprocess_data", must_have_all.__name__}
    )


def _names_of_frames(error: Exception) -> set[str]:
    return {frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__)}


def _status(error: Exception) -> int:
    if isinstance(error, StoreUnavailable | FileGone | ReplicaGone):
        return 503
    if isinstance(error, DiskFull):
        return 507
    return 400 if isinstance(error, DomainError) else 500
