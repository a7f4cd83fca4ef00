"""Somebody who uses the app: signed in on one device, or not at all."""

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

Answer = TypeVar("Answer")
_tabs: Final = count(1)


Steps = AsyncGenerator[list[Any], None]
"""What an event answers, step by step."""


def a_tab() -> str:
    return f"tab{next(_tabs)}"


class Kept(MutableMapping[str, Any]):
    """Values as the store has them. What is set is written at once; a value read is a copy."""

    def __init__(self, read: Callable[[], Entries], write: Callable[[Changes], object]) -> None:
        self._read = read
        self._write = write

    def __getitem__(self, key: str) -> Any:
        return deepcopy(self._read()[key].value)

    def __setitem__(self, key: str, value: Any) -> None:
        """Raises StateInvalid for what cannot be kept."""
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
    """In one tab of one browser: what Gradio keeps in a `gr.State` is kept between calls."""

    _portal: BlockingPortal
    _app: UseCases
    _events: Events
    _http: httpx.AsyncClient
    _user: User | None
    _token: str | None = field(repr=False)
    _tab: str
    _listening: dict[str, Steps]
    """By tab, of everybody: whoever has not listened to the end is made to stop when the service is."""
    _page: str | None = None

    @property
    def state(self) -> Kept:
        """What callbacks get as `State`: of the account, the same on every device."""
        return Kept(
            lambda: self._run(self._app.read_account_state, self._caller),
            lambda changes: self._run(self._app.change_account_state, self._caller, changes),
        )

    @property
    def session_data(self) -> Kept:
        """What callbacks get as `current_session().data`: of this sign-in. Raises SessionEnded."""
        return Kept(
            lambda: self._signed_in().data,
            lambda changes: self._run(
                self._app.change_session_data, self._signed_in().caller, changes
            ),
        )

    def call(self, api_name: str, *inputs: Any, **named: Any) -> Any:
        """What the event answers: one output as itself, several as a tuple; of a generator the last.
        Raises Refused, Failed, LookupError without such an event, TypeError for other inputs than it takes, RuntimeError
        while the same tab still listens to a stream."""
        answer = None
        for answer in self.stream(api_name, *inputs, **named):  # noqa: B007 -- The last one counts.
            pass
        return answer

    def stream(self, api_name: str, *inputs: Any, **named: Any) -> Iterator[Any]:
        """What a generator yields, as it comes; who stops listening stops the event. Raises as `call` does."""
        event = self._events.find(api_name, on=self._page)
        data = event.data(inputs, named)
        steps = self._steps(event, data)
        if self._listening.setdefault(self._tab, steps) is not steps:
            # Gradio has one queue of messages for a tab: each would take away what the other waits for.
            raise RuntimeError(
                f"{event} in a tab that still listens to a stream: end or close that one, or call in_a_new_tab()."
            )
        try:
            while (step := self._run(anext, steps, None)) is not None:
                yield event.outputs(step)
        finally:
            if self._listening.pop(self._tab, None) is not None:
                self._run(steps.aclose)

    def upload(self, name: str, content: bytes) -> File:
        """To be an input of `call`. Raises Refused."""
        address = f"{self._address}/gradio_api/upload"
        answer = self._run(lambda: self._http.post(address, files={"files": (name, content)}))
        if answer.status_code != 200:
            raise refusal_of(answer)
        [path] = answer.json()
        return File(path, name)

    def download(self, file: File) -> bytes:
        """Raises Refused, also for a file of somebody else."""
        answer = self.get(f"{self._address}/gradio_api/file={file.path}")
        if answer.status_code != 200:
            raise refusal_of(answer)
        return answer.content

    def get(self, path: str) -> httpx.Response:
        """Any address of the service, such as `/gradio/` or `/api/v1/me`."""
        return self._run(lambda: self._http.get(path))

    def on(self, title: str) -> "Person":
        """The same one, at the page of that title: where several have an event of the same name, or it is one of ours."""
        self._events.page(title)
        return replace(self, _page=title)

    def in_a_new_tab(self) -> "Person":
        return replace(self, _tab=a_tab())

    def signs_out(self) -> None:
        self._run(self._app.log_out, self._signed_in().caller)

    def gains(self, role: str) -> None:
        self._run(self._app.grant_role, Caller.operator(), self._account.id, role)

    def loses(self, role: str) -> None:
        self._run(self._app.revoke_role, Caller.operator(), self._account.id, role)

    @property
    def _account(self) -> User:
        if self._user is None:
            raise SessionEnded("Nobody is signed in here.")
        return self._user

    @property
    def _caller(self) -> Caller:
        """The account, also after its sign-in has ended."""
        return Caller(user_id=self._account.id, session_id=None, roles=frozenset())

    @property
    def _address(self) -> str:
        return self._events.page(self._page).path

    def _signed_in(self) -> SignedIn:
        if self._token is None:
            raise SessionEnded("Nobody is signed in here.")
        token = self._token
        return self._run(lambda: self._app.recognise(token, activity=False))

    def _run(self, work: Callable[..., Awaitable[Answer]], *args: Any) -> Answer:
        return self._portal.call(work, *args)

    async def _steps(self, event: Event, data: list[Any]) -> Steps:
        """The data of each step, and of an event that has none but its end, of that."""
        there = f"{event.page.path}/gradio_api/queue"
        body = {"data": data, "fn_index": event.number, "session_hash": self._tab}
        joined = await self._http.post(f"{there}/join", json=body)
        if joined.status_code != 200:
            raise refusal_of(joined)
        event_id = joined.json()["event_id"]
        asked = self._http.stream("GET", f"{there}/data", params={"session_hash": self._tab})
        async with asked as answer:
            if answer.status_code != 200:
                await answer.aread()
                raise refusal_of(answer)
            async with aclosing(_messages(answer)) as messages:
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
        raise Refused("Connection closed", f"{event} had not ended when its stream did.")


async def _messages(answer: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def _following(shown: list[Any] | None, data: list[Any]) -> list[Any]:
    """Gradio sends each step but the first as what is different from the one before."""
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
