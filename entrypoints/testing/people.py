"""A person who uses the app in a test, signed in on one device, or anonymous."""

import json
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterator,
    MutableMapping,
)
from contextlib import aclosing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final, TypeVar

import httpx
from anyio.from_thread import BlockingPortal
from gradio_client.utils import apply_diff  # type: ignore[import-untyped]

from application.use_cases import UseCases
from domain.errors import SessionEnded
from domain.model.caller import Caller, SignedIn
from domain.model.state import REMOVED, Changes, Entries
from domain.model.user import User
from entrypoints.testing.events import Event, Events, File
from entrypoints.testing.refusals import FAULTS, Failed, Refused, refusal_in, refusal_of

Result = TypeVar("Result")
_tabs: Final = count(1)
_STOPPED: Final = "This portal is not running"
"""What a BlockingPortal says after its block."""


Steps = AsyncGenerator[list[Any], None]
"""The outputs of each step of an event."""


def a_tab() -> str:
    return f"tab{next(_tabs)}"


def run_in(portal: BlockingPortal, work: Callable[..., Awaitable[Result]], *args: Any) -> Result:
    """Run the work in the service's event loop. Raises RuntimeError after the service has stopped."""
    try:
        return portal.call(work, *args)
    except RuntimeError as error:
        if str(error) != _STOPPED:
            raise
        raise RuntimeError(
            "The service has stopped. Use it and its people inside the with block of serving()."
        ) from None


class Kept(MutableMapping[str, Any]):
    """A mapping of stored values. Setting a value writes it at once; reading returns a copy."""

    def __init__(self, read: Callable[[], Entries], write: Callable[[Changes], object]) -> None:
        self._read = read
        self._write = write

    def __getitem__(self, key: str) -> Any:
        return deepcopy(self._read()[key].value)

    def __setitem__(self, key: str, value: Any) -> None:
        """Raises StateInvalid for a value that cannot be stored."""
        self._write({key: value})

    def __delitem__(self, key: str) -> None:
        self[key]
        self._write({key: REMOVED})

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._read()))

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(dict(self))


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person in one tab of one browser. Values in a `gr.State` are kept between calls."""

    _portal: BlockingPortal
    _use_cases: UseCases
    _events: Events
    _http: httpx.AsyncClient
    _user: User | None
    _signed_token: str | None = field(repr=False)
    _tab: str
    _listening: dict[str, Steps]
    """The open streams of all people, by tab. They are closed when the service stops."""
    _page: str | None = None

    @property
    def state(self) -> Kept:
        """The account's state, as callbacks get it as `State`; the same on every device."""
        return Kept(
            lambda: self._run(self._use_cases.read_account_state, self._caller),
            lambda changes: self._run(self._use_cases.change_account_state, self._caller, changes),
        )

    @property
    def session_data(self) -> Kept:
        """The session's data, as callbacks get it as `current_session().data`. Raises SessionEnded."""
        return Kept(
            lambda: self._signed_in().data,
            lambda changes: self._run(
                self._use_cases.change_session_data, self._signed_in().caller, changes
            ),
        )

    def call(self, api_name: str, *inputs: Any, **named: Any) -> Any:
        """Run the event and return its outputs: one as itself, several as a tuple, and of a generator the last. Raises
        Refused, Failed, LookupError if there is no such event, TypeError for wrong inputs, and RuntimeError while the
        same tab still reads a stream."""
        response = None
        for response in self.stream(api_name, *inputs, **named):  # noqa: B007 -- The last one counts.
            pass
        return response

    def stream(self, api_name: str, *inputs: Any, **named: Any) -> Iterator[Any]:
        """Yield the outputs of each step of a generator as they arrive. Closing this iterator stops the event. Raises
        the same errors as `call`."""
        event = self._events.find(api_name, on=self._page)
        data = event.data(inputs, named)
        steps = self._steps(event, data)
        if self._listening.setdefault(self._tab, steps) is not steps:
            # Gradio has one queue of messages per tab: two readers would take each other's messages.
            raise RuntimeError(
                f"{event} was called in a tab that still reads a stream. Read it to the end, close it, or use "
                "in_a_new_tab()."
            )
        try:
            while (step := self._run(anext, steps, None)) is not None:
                yield event.outputs(step)
        finally:
            if self._listening.pop(self._tab, None) is not None:
                self._run(steps.aclose)

    def upload(self, name: str, content: bytes) -> File:
        """Upload a file, to use it as an input of `call`. Raises Refused."""
        if not (isinstance(name, str) and isinstance(content, bytes)):
            raise TypeError(
                'upload() takes a file\'s name and its bytes, as in upload("a.txt", b"…").'
            )
        address = f"{self._address}/gradio_api/upload"
        response = self._run(lambda: self._http.post(address, files={"files": (name, content)}))
        if response.status_code != 200:
            raise refusal_of(response)
        [path] = response.json()
        return File(path, name)

    def download(self, file: File) -> bytes:
        """Return the file's content. Raises Refused, also for another account's file."""
        if not isinstance(file, File):
            kind = type(file).__name__
            raise TypeError(f"download() takes a File, which an output or upload() is, not {kind}.")
        response = self.get(f"{self._address}/gradio_api/file={file.path}")
        if response.status_code != 200:
            raise refusal_of(response)
        return response.content

    def get(self, path: str) -> httpx.Response:
        """Request any address of the service, such as `/gradio/` or `/api/v1/me`."""
        return self._run(lambda: self._http.get(path))

    def on(self, title: str) -> "Person":
        """Return the same person at the page with this title. Needed if several pages have an event of the same name,
        and for events of the service's own pages."""
        self._events.page(title)
        return replace(self, _page=title)

    def in_a_new_tab(self) -> "Person":
        return replace(self, _tab=a_tab())

    def signs_out(self) -> None:
        self._run(self._use_cases.log_out, self._signed_in().caller)

    def gains(self, role: str) -> None:
        self._run(self._use_cases.grant_role, Caller.operator(), self._account.id, role)

    def loses(self, role: str) -> None:
        self._run(self._use_cases.revoke_role, Caller.operator(), self._account.id, role)

    @property
    def _account(self) -> User:
        if self._user is None:
            raise SessionEnded("Nobody is signed in here.")
        return self._user

    @property
    def _caller(self) -> Caller:
        """The account as a caller, even after its session has ended."""
        return Caller(user_id=self._account.id, session_id=None, roles=frozenset())

    @property
    def _address(self) -> str:
        return self._events.page(self._page).path

    def _signed_in(self) -> SignedIn:
        if self._signed_token is None:
            raise SessionEnded("Nobody is signed in here.")
        signed_token = self._signed_token
        return self._run(lambda: self._use_cases.recognise(signed_token, activity=False))

    def _run(self, work: Callable[..., Awaitable[Result]], *args: Any) -> Result:
        return run_in(self._portal, work, *args)

    async def _steps(self, event: Event, data: list[Any]) -> Steps:
        """Yield the outputs of each step, or only the final outputs if the event is not a generator."""
        there = f"{event.page.path}/gradio_api/queue"
        body = {"data": data, "fn_index": event.number, "session_hash": self._tab}
        joined = await self._http.post(f"{there}/join", json=body)
        if joined.status_code != 200:
            raise refusal_of(joined)
        event_id = joined.json()["event_id"]
        asked = self._http.stream("GET", f"{there}/data", params={"session_hash": self._tab})
        async with asked as response:
            if response.status_code != 200:
                await response.aread()
                raise refusal_of(response)
            async with aclosing(_messages(response)) as messages:
                shown: list[Any] | None = None
                async for message in messages:
                    if message["msg"] == "unexpected_error":
                        is_over = message.get("session_not_found")
                        title = "Session ended" if is_over else "Connection closed"
                        raise Refused(title, str(message["message"]))
                    if message.get("event_id") != event_id:
                        continue
                    if message["msg"] == "process_generating" and message["success"]:
                        shown = _following(shown, message["output"]["data"])
                        yield shown
                    if message["msg"] == "process_completed":
                        faults = joined.extensions[FAULTS]
                        _must_have_succeeded(event, message, faults)
                        if shown is None:
                            yield message["output"]["data"]
                        return
        raise Refused("Connection closed", f"The stream of {event} ended before the event.")


async def _messages(response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def _following(shown: list[Any] | None, data: list[Any]) -> list[Any]:
    """Apply the changes of a step: Gradio sends each step after the first as differences from the one before."""
    if shown is None:
        return data
    before = [*shown, *[None] * (len(data) - len(shown))]
    return [apply_diff(value, change) for value, change in zip(before, data, strict=True)]


def _must_have_succeeded(event: Event, message: dict[str, Any], faults: list[Exception]) -> None:
    if message["success"]:
        return
    refusal = refusal_in(message["output"])
    if faults:
        raise Failed(
            f"{event} raised {type(faults[-1]).__name__}: {faults[-1]}. The person sees: {refusal}"
        ) from faults[-1]
    raise refusal
