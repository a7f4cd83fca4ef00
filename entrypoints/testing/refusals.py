"""Exceptions for tests: an event was refused, or an author's function has failed."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import gradio as gr
import httpx

from domain.errors import DomainError
from entrypoints.ui.calls.author_code import AppEnded, author_code

FAULTS: Final = "entrypoints.testing.faults"
"""Key in a request's scope: a list of the exceptions that the author's functions have raised."""


class Refused(Exception):
    """The service or the app has refused a request: a `gr.Error`, a missing role, an ended session, a validator."""

    def __init__(self, title: str, text: str, *, status: int | None = None) -> None:
        self.title = title
        self.text = text
        self.status = status
        """The HTTP status; None if the event was refused after it had begun."""
        super().__init__(f"{title}: {text}" if text else title)


class Failed(Exception):
    """The author's function, or one of its components, has raised an unexpected exception, which is the `__cause__`.
    Users only see a number to report."""


@contextmanager
def refused(text: str = "") -> Iterator[None]:
    """Expect that something in the block is refused, with a title or text that contains `text`. Raises
    AssertionError."""
    try:
        yield
    except Refused as refusal:
        if text not in str(refusal):
            raise AssertionError(f"Refused, but not with {text!r}: {refusal}") from refusal
    else:
        raise AssertionError("Nothing was refused.")


def note_faults(demo: gr.Blocks) -> None:
    """Record exceptions of the author's functions in the request's scope. Call this before the app is mounted: the
    service only logs them."""
    process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api

    async def process_api(*args: Any, request: Any = None, **kwargs: Any) -> dict[str, Any]:
        try:
            with author_code(str(demo.title)):
                return await process(*args, request=request, **kwargs)
        except (gr.Error, DomainError):
            raise
        except Exception as error:
            fault = error.__cause__ if isinstance(error, AppEnded) else error
            for one in request if isinstance(request, list) else [request]:  # A batch has several.
                scope = getattr(getattr(one, "request", None), "scope", {})
                scope.get(FAULTS, []).append(fault)
            raise

    demo.process_api = process_api  # type: ignore[method-assign]


def refusal_of(response: httpx.Response) -> Refused:
    """Make a Refused of a problem document, or of Gradio's own error response."""
    try:
        said: Any = response.json()
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    detail = said.get("detail", "")
    title = str(said.get("title") or response.reason_phrase)
    text = _of_validators(detail) if isinstance(detail, list) else str(detail)
    return Refused(title, text, status=response.status_code)


def refusal_in(output: dict[str, Any]) -> Refused:
    """Make a Refused of the last message of an event."""
    return Refused(str(output.get("title") or "Error"), _plain(str(output.get("error") or "")))


def _of_validators(found: list[Any]) -> str:
    told = [one for one in found if isinstance(one, dict) and one.get("is_valid") is False]
    return "; ".join(f"{one.get('parameter_name', '?')}: {one.get('message', '')}" for one in told)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
