"""Check the files in the inputs of each event, and claim those in its outputs for its callers."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr
import structlog
from gradio.block_function import BlockFunction
from starlette.requests import Request

from domain.errors import FilesQuotaExceeded
from domain.model.caller import Caller, SignedIn
from domain.model.file import mark_of
from entrypoints.access import SIGNED_IN
from entrypoints.ui import limits
from entrypoints.ui.calls.own_updates import has_stored_outputs
from entrypoints.ui.calls.steps import Convert, Event, Output, Run, Step
from entrypoints.ui.files import caller_names
from entrypoints.ui.files.app_files import AppFiles
from entrypoints.ui.files.caller_names import CallerNames, texts_sent
from entrypoints.ui.files.chat_code import leave_out_code, note_code
from entrypoints.ui.files.made_inputs import paths_made
from entrypoints.ui.files.named_files import (
    TOO_MANY,
    Named,
    kept_among,
    may_be_kept,
    named_by,
    named_to_unknown,
    read_to_show,
    shown_by,
)
from entrypoints.ui.files.reading import reading_guarded
from entrypoints.ui.files.showing import NOT_TO_SHOW
from entrypoints.ui.files.words import TooManyFiles
from entrypoints.ui.files.workflows import arguments_in
from entrypoints.ui.full_disk import half_written, is_full
from entrypoints.ui.wire.json_bodies import files_in, paths_in, steps_in, texts_in

log = structlog.get_logger()


@dataclass(slots=True)
class _Samples:
    """The samples of one run, in order. A run outside a batch has one sample, or several of one caller."""

    event: Event
    names: Sequence[CallerNames | None] = ()
    """The names of each sample's caller; outside a batch, of the one caller."""
    read: int = 0
    """Number of samples whose inputs have been read."""
    shown: list[set[str]] = field(default_factory=list)
    """The files in the outputs of each sample, as places in the folder."""
    made: list[tuple[SignedIn, set[str]]] = field(default_factory=list)
    """Files that Gradio has made of a caller's inputs."""

    @property
    def is_batch(self) -> bool:
        return isinstance(self.event.request, list)

    def caller(self, number: int) -> SignedIn | None:
        return caller_of(self.event.requests[number if self.is_batch else 0])

    def inputs(self, number: int) -> list[Any]:
        """Return what the sample's caller has sent."""
        sent = self.event.inputs
        return [values[number] for values in sent] if self.is_batch else sent

    @contextmanager
    def opening_for(self, number: int) -> Iterator[None]:
        """Make this sample's caller current inside the block, for files that Gradio opens."""
        names = self.names[number if self.is_batch else 0] if self.names else None
        token = caller_names.current.set(names)
        try:
            yield
        finally:
            caller_names.current.reset(token)


_current: Final[ContextVar[_Samples]] = ContextVar("samples")


class EventFiles(Step):
    """Lets callers name only their own files, and gives them what the app puts into their outputs."""

    def __init__(self, files: AppFiles) -> None:
        self._files = files

    async def run(self, event: Event, rest: Run) -> Output:
        """Record the files that callers name in text. Claim output files for their callers before sending them."""
        samples = _Samples(event)
        token = _current.set(samples)
        try:
            await self._must_be_allowed_event_data(event)
            samples.names = [
                await self._names_in_sample(samples, number)
                for number in range(len(event.requests))
            ]
            with self._files.claims.busy(_callers(event)), samples.opening_for(0):
                output = await rest(event)
        except Exception as error:
            if is_full(error):
                await self._files.discard(self._files.folder.places(half_written(error)))
            raise
        finally:
            _current.reset(token)
            for signed_in, places in samples.made:
                await self._files.note_made(signed_in, places)
        rendered = output.get("render_config")
        if rendered is not None and samples.names[0] is not None:
            made = rendered.get("components", ())
            await samples.names[0].note_offers((one["type"], one["props"]) for one in made)
        await self._claim(samples, self._rendered_files(rendered or {}), output)
        return output

    async def read(self, fn: BlockFunction, inputs: list[Any], rest: Convert) -> list[Any]:
        """Raises gr.Error if inputs name other files than those of their sender. Every way to call an event passes
        here, with the inputs exactly as the components read them."""
        samples, folder = _current.get(), self._files.folder
        number, samples.read = samples.read, samples.read + 1
        self._must_not_explore(fn, inputs)
        self._leave_out_code(samples.event, fn, inputs)
        sender = samples.caller(number)
        if sender is not None:
            named = named_by(fn.inputs, inputs)
            named.add(named_to_unknown(*arguments_in(fn.fn, inputs)))
            await self._must_be_allowed_to_name(sender, named)
        with samples.opening_for(number), reading_guarded():
            processed = await rest(inputs)
        made = folder.places(paths_made(fn.inputs, processed))
        if sender is not None and made:
            samples.made.append((sender, made - folder.places(paths_in(inputs))))
        return processed

    async def show(self, fn: BlockFunction, outputs: Any, rest: Convert) -> list[Any]:
        """Collect the files in the outputs of each sample. Only here are they complete: later steps of a generator are
        sent as differences."""
        samples, found = _current.get(), set[str]()
        number = len(samples.shown)
        samples.shown.append(
            found
        )  # Also if the outputs are refused: the next sample is another caller's.
        await self._bring_shown(samples.caller(number), fn, outputs)
        await self._must_be_allowed_to_see(samples.caller(number), fn, outputs)
        with samples.opening_for(number):
            with reading_guarded():
                data = await rest(outputs)
            self._leave_out_code_shown(fn, data)
            kinds = [block.get_block_name() for block in fn.outputs]
            if (names := caller_names.current.get()) is not None:
                await names.note_offers(zip(kinds, data, strict=False))
        given = zip(kinds, data, strict=False)
        files = [files_in(value) for kind, value in given if kind not in _REPEATING]
        found |= self._files.folder.places(set().union(*files))
        return data

    # Inputs

    async def _names_in_sample(self, samples: _Samples, number: int) -> CallerNames | None:
        """Return the names of the sample's caller, with those in its inputs. They are looked up once per event, not at
        each step. Raises gr.Error."""
        sender, event = samples.caller(number), samples.event
        if sender is None:
            return None
        request = event.requests[number].request
        state = request.scope["state"]
        kept: dict[BlockFunction, CallerNames] = state.setdefault(_NAMES, {})
        # A stream sends new inputs to a running event.
        if event.fn not in kept or event.fn.connection == "stream":
            data = getattr(event.event_data, "_data", None)
            texts = [
                *texts_sent(event.fn.inputs, samples.inputs(number)),
                *texts_in([data], with_names=True),
                *_texts_around(request),
            ]
            brings_files = any(paths_in(samples.inputs(number)))
            try:
                kept[event.fn] = await self._files.names_in(
                    sender, texts, brings_files=brings_files
                )
            except TooManyFiles:
                raise gr.Error(TOO_MANY, print_exception=False) from None
        return kept[event.fn]

    async def _must_be_allowed_event_data(self, event: Event) -> None:
        """Raises gr.Error if the event data names other files than those of its senders."""
        data = getattr(event.event_data, "_data", None)
        if data is not None:
            for one in event.requests:
                sender = caller_of(one)
                if sender is not None:
                    await self._must_be_allowed_to_name(sender, named_to_unknown(data))

    async def _must_be_allowed_to_name(self, sender: SignedIn, named: Named) -> None:
        """Raises gr.Error."""
        refusal = await self._files.refusal(sender, named)
        if refusal is not None:
            raise gr.Error(refusal, print_exception=False)

    def _must_not_explore(self, fn: BlockFunction, inputs: list[Any]) -> None:
        """Raises gr.Error if the inputs select a file that the FileExplorer does not show."""
        for block, value in zip(fn.inputs, inputs, strict=False):
            if isinstance(block, gr.FileExplorer):
                for steps in steps_in(value):
                    if not self._files.may_be_explored(block, steps):
                        raise gr.Error(NOT_TO_SHOW, print_exception=False)

    def _leave_out_code(self, event: Event, fn: BlockFunction, inputs: list[Any]) -> None:
        sent = zip(fn.inputs, inputs, strict=False)
        values = [value for block, value in sent if not isinstance(block, _ARE_DATA)]
        leave_out_code([*values, getattr(event.event_data, "_data", None)])

    # Outputs

    def _leave_out_code_shown(self, fn: BlockFunction, data: list[Any]) -> None:
        """An event that does not convert its outputs may send a chat that a user has written."""
        shown = zip(fn.outputs, data, strict=False)
        values = [value for block, value in shown if isinstance(block, gr.Chatbot)]
        if has_stored_outputs(fn):
            note_code(values)
        else:
            leave_out_code(values)

    async def _bring_shown(self, sender: SignedIn | None, fn: BlockFunction, outputs: Any) -> None:
        """Bring the caller's files that an output names: Gradio reads them to show it."""
        if sender is not None and self._files.claims.may_lack_files:
            paths = {path for _, value in shown_by(fn, outputs) for path in kept_among(value)}
            await self._files.bring_shown(sender, paths)

    async def _must_be_allowed_to_see(
        self, sender: SignedIn | None, fn: BlockFunction, outputs: Any
    ) -> None:
        """Raises gr.Error if Gradio would read another account's file to show an output."""
        for block, value in shown_by(fn, outputs):
            path = read_to_show(block, value)
            if path is not None and sender is not None:
                is_short = len(path) <= limits.LONGEST_PATH
                if not is_short or not await self._files.are_allowed(sender, [path]):
                    raise gr.Error(NOT_TO_SHOW, print_exception=False)

    async def _claim(self, samples: _Samples, rendered: set[str], output: Output) -> None:
        """Claim the files in outputs for their callers. In a batch, empty only the samples of callers over the quota.
        Raises FilesQuotaExceeded, FileGone."""
        for number, files in enumerate(samples.shown):
            signed_in, found = samples.caller(number), files | rendered
            if signed_in is None or not found:
                continue
            try:
                await self._files.claim(signed_in, self._given(samples, number, found))
            except FilesQuotaExceeded as refused:
                if not samples.is_batch:
                    raise
                log.info("output of a batch refused", why=refused.sentence)
                output["data"] = [
                    [None if at == number else value for at, value in enumerate(values)]
                    for values in output["data"]
                ]

    def _given(self, samples: _Samples, number: int, found: set[str]) -> set[str]:
        """Return the places that the app itself gives to the sample's caller: none that the caller only named in text.
        Keep new files that the app wrote next to the caller's uploads."""
        folder, sent = self._files.folder, samples.inputs(number)
        uploads = folder.places(filter(may_be_kept, paths_in(sent)))
        uploaded = set(map(mark_of, uploads))
        names = samples.names[number if samples.is_batch else 0]
        return {
            place
            for place in found
            if names is None
            or (
                not names.names(folder.path_of(place))
                and (mark_of(place) in uploaded or not names.has_said(mark_of(place)))
            )
        }

    def _rendered_files(self, render_config: dict[str, Any]) -> set[str]:
        found: set[str] = set()
        for component in render_config.get("components", ()):
            if component.get("type") not in _REPEATING:
                found |= self._files.folder.places(files_in(component))
        return found


_ARE_DATA: Final = (gr.JSON, gr.ParamViewer, gr.Dataframe)
"""Components whose value is data for the author's function, and no chat."""
_NAMES: Final = "caller_names"
"""Key in the scope's `state`: the CallerNames of each function."""
_REPEATING: Final = frozenset({"json", "browserstate", "paramviewer"})
"""Components that have no files and show any JSON value. An object that looks like a file there may be the caller's own
input, which the app only repeats."""


_OF_A_BROWSER: Final = re.compile(
    r"accept.*|connection|content-.*|host|origin|priority|referer|sec-.*|user-agent|x-requested-with"
)
"""Standard browser headers, which no app reads as a file name."""


def _texts_around(request: Request) -> Iterator[str]:
    """Yield the names and values of the query and of headers, which an app may read."""
    for name, value in request.query_params.items():
        yield from (name, value)
    for name, value in request.headers.items():
        if _OF_A_BROWSER.fullmatch(name) is None:
            yield from (name, value)


def caller_of(request: Any) -> SignedIn | None:
    inner = getattr(request, "request", None)
    scope = getattr(inner, "scope", None) or {}
    signed_in: SignedIn | None = scope.get("state", {}).get(SIGNED_IN)
    return signed_in


def _callers(event: Event) -> Iterator[Caller]:
    for one in event.requests:
        signed_in = caller_of(one)
        if signed_in is not None:
            yield signed_in.caller
