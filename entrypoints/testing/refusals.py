"""What a person is told instead of an answer, as exceptions that a test expects."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import gradio as gr
import httpx

from domain.errors import DomainError

FAULTS: Final = "entrypoints.testing.faults"
"""Key in a request's scope: a list for what the author's functions raised."""


class Refused(Exception):
    """The app said no: a `gr.Error`, a role that is missing, a sign-in that has ended, a validator."""

    def __init__(self, title: str, text: str, *, status: int | None = None) -> None:
        self.title = title
        self.text = text
        self.status = status
        """Of the answer over HTTP; None where the event began and was refused then."""
        super().__init__(f"{title}: {text}" if text else title)


class Failed(Exception):
    """The author's function, or a component around it, raised something else than a `gr.Error`, which is the cause.
    The person is shown no more than a number to report."""


@contextmanager
def refused(text: str = "") -> Iterator[None]:
    """Inside, something is refused with a title or text that contains `text`. Raises AssertionError."""
    try:
        yield
    except Refused as refusal:
        if text not in str(refusal):
            raise AssertionError(f"Refused, but not with {text!r}: {refusal}") from refusal
    else:
        raise AssertionError("Nothing was refused.")


def note_faults(demo: gr.Blocks) -> None:
    """Before it is mounted: the service logs what goes wrong in an author's function, and tells nobody."""
    process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api

    async def process_api(*args: Any, request: Any = None, **kwargs: Any) -> dict[str, Any]:
        try:
            return await process(*args, request=request, **kwargs)
        except (gr.Error, DomainError):
            raise
        except Exception as error:
            for one in request if isinstance(request, list) else [request]:  # A batch has several.
                scope = getattr(getattr(one, "request", None), "scope", {})
                scope.get(FAULTS, []).append(error)
            raise

    demo.process_api = process_api  # type: ignore[method-assign]


def refusal_of(answer: httpx.Response) -> Refused:
    """From a problem document, or from what Gradio answers."""
    try:
        said: Any = answer.json()
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    detail = said.get("detail", "")
    title = str(said.get("title") or answer.reason_phrase)
    text = _of_validators(detail) if isinstance(detail, list) else str(detail)
    return Refused(title, text, status=answer.status_code)


def refusal_in(output: dict[str, Any]) -> Refused:
    """From the last message of an event."""
    return Refused(str(output.get("title") or "Error"), _plain(str(output.get("error") or "")))


def _of_validators(found: list[Any]) -> str:
    told = [one for one in found if isinstance(one, dict) and one.get("is_valid") is False]
    return "; ".join(f"{one.get('parameter_name', '?')}: {one.get('message', '')}" for one in told)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
