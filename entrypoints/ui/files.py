"""Files of mounted apps: fetched, and named as an input, only by the accounts they belong to.

Gradio keeps uploads and outputs of everybody in one folder and serves what is in it. A file belongs to the account that
uploaded it and to every account that got it as an output; the paths are made of the content, so equal bytes have
several owners. Inputs name files of the folder alone. Outside the folder Gradio serves what the author allowed.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import gradio as gr
import structlog
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.data_classes import _StaticFiles
from starlette.exceptions import HTTPException

from domain.errors import FileGone, FilesQuotaExceeded, StoreUnavailable
from domain.model.caller import Caller, SignedIn
from domain.model.file import file_key, mark_of
from entrypoints.access import SIGNED_IN
from entrypoints.ui import caps
from entrypoints.ui.bodies import files_in, paths_in, steps_in
from entrypoints.ui.claims import Claims
from entrypoints.ui.disk import half_written, is_full
from entrypoints.ui.gradio_files import NOT_TO_SHOW, keep_from_showing
from entrypoints.ui.made_inputs import paths_made
from entrypoints.ui.named_files import (
    Named,
    has_scheme,
    may_be_kept,
    named_by,
    named_to_unknown,
    read_to_show,
)
from entrypoints.ui.private_places import PrivatePlaces, is_in

log = structlog.get_logger()

Samples = list[set[str]]
"""Of one run of an event the files of each sample, as paths within the folder; a run outside a batch has one sample."""


class AppFiles:
    """The files of one mounted app. Made when the app is complete: what its components show by then, everybody may see."""

    def __init__(
        self,
        demo: gr.Blocks,
        claims: Claims,
        places: PrivatePlaces,
        *,
        kept_examples: Path | None = None,
    ) -> None:
        """`kept_examples` is the app's own folder of them; all apps' where it is not known."""
        self._folder = places.cache
        self._places = places
        self._kept_examples = kept_examples or Path(places.examples)
        self._claims = claims
        self._given_out = [os.path.realpath(path) for path in _StaticFiles.all_paths]
        # A static folder that has ours somewhere inside makes nobody's files public.
        self._static = [p for p in self._given_out if p != self._folder and self._is_inside(p)]
        shown = paths_in(demo.config)
        kept = {
            path
            for block in demo.blocks.values()
            for path in getattr(block, "keep_in_cache", ())
            if isinstance(path, str)
        }
        self._public = frozenset(map(file_key, self._within(shown | kept)))
        built = set().union(*(getattr(b, "temp_files", ()) for b in demo.blocks.values()))
        self._spared = self._public | frozenset(map(file_key, self._within(built)))
        """Files of the app itself, which are never removed."""

    async def may_be_fetched(self, signed_in: SignedIn, path: str) -> bool:
        """Return whether the path may be passed on to Gradio, which serves the folder and what the author allowed.
        An address is never passed on: Gradio would fetch it."""
        is_path = len(path) <= caps.LONGEST_PATH and not has_scheme(path)
        return is_path and await self._are_allowed(signed_in, [path])

    async def must_be_allowed(self, signed_in: SignedIn, named: Named) -> None:
        """Refuse inputs that name other files than the caller's own and public ones (ASVS 1.3.6, 8.2.2).
        Raises HTTPException."""
        refusal = await self._refusal(signed_in, named)
        if refusal is not None:
            raise HTTPException(400, refusal)

    def is_spared(self, place: str) -> bool:
        """Return whether the file at this place of the folder is the app's own, or one that everybody is given."""
        real = str(Path(self._folder, place))
        static = map(os.path.realpath, _StaticFiles.all_paths)
        return file_key(place) in self._spared or any(
            is_in(real, path) for path in static if path != self._folder and self._is_inside(path)
        )

    def is_apart(self, root: str, *steps: str) -> bool:
        """Whether it is somebody's, or the service's own: no explorer of files shows it, whatever its root. The steps lead
        there."""
        try:
            real = self._real(os.path.join(root, *steps))  # noqa: PTH118 -- As Gradio joins them.
        except (OSError, ValueError):
            return True
        return self._is_inside(real) or self._places.have(real)

    def wrap(self, demo: gr.Blocks) -> None:
        """From now on inputs name files of their sender alone, and outputs belong to whoever asked for them, before
        they are sent."""
        keep_from_showing(demo, partial(self._places.have, own_examples=self._kept_examples))
        process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api
        preprocess: Callable[..., Awaitable[list[Any]]] = demo.preprocess_data
        postprocess: Callable[..., Awaitable[list[Any]]] = demo.postprocess_data

        async def process_api(
            block_fn: BlockFunction | int,
            inputs: list[Any],
            *args: Any,
            request: Any = None,
            **kwargs: Any,
        ) -> dict[str, Any]:
            samples: Samples = []
            made: list[tuple[SignedIn, set[str]]] = []
            token, senders = _samples.set(samples), _senders.set(_senders_of(request))
            made_before, asked_before = _made.set(made), _request.set(request)
            try:
                await self._must_be_theirs(request, kwargs.get("event_data"))
                with self._claims.busy(_callers(request)):
                    output = await process(block_fn, inputs, *args, request=request, **kwargs)
            except Exception as error:
                if is_full(error):
                    await self._discard(self._within(half_written(error)))
                raise
            finally:
                _samples.reset(token)
                _senders.reset(senders)
                _made.reset(made_before)
                _request.reset(asked_before)
                await self._note_made(made)
            rendered = output.get("render_config")
            await self._claim(
                request, inputs, samples, set() if rendered is None else self._of(rendered), output
            )
            return output

        async def preprocess_data(
            block_fn: BlockFunction, inputs: list[Any], *args: Any, **kwargs: Any
        ) -> list[Any]:
            # Here, since every way to call an event ends here, with the inputs as its components are about to read them.
            self._must_not_explore(block_fn, inputs)
            sender = next(_senders.get(iter(())), None)
            if sender is not None:
                await self._must_be_theirs_to_name(sender, named_by(block_fn.inputs, inputs))
            processed = await preprocess(block_fn, inputs, *args, **kwargs)
            made = self._within(paths_made(block_fn.inputs, processed))
            if sender is not None and made:
                _made.get().append((sender, made - self._within(paths_in(inputs))))
            return processed

        async def postprocess_data(block_fn: BlockFunction, *args: Any, **kwargs: Any) -> list[Any]:
            # Here, since later steps of a generator leave as differences.
            samples, request = _samples.get(), _request.get()
            sample = request[len(samples or ())] if isinstance(request, list) else request
            await self._must_be_theirs_to_see(_who_asked(sample), block_fn, args[0])
            data = await postprocess(block_fn, *args, **kwargs)
            if samples is not None:
                given = zip(block_fn.outputs, data, strict=False)
                files = [files_in(v) for b, v in given if b.get_block_name() not in _REPEATING]
                samples.append(self._within(set().union(*files)))
            return data

        demo.process_api = process_api  # type: ignore[method-assign]
        demo.preprocess_data = preprocess_data  # type: ignore[method-assign]
        demo.postprocess_data = postprocess_data  # type: ignore[method-assign]

    async def _must_be_theirs_to_see(
        self, sender: SignedIn | None, fn: BlockFunction, outputs: Any
    ) -> None:
        """Refuse outputs for which Gradio would read somebody else's file. Raises gr.Error."""
        for block, value in _shown(fn, outputs):
            path = read_to_show(block, value)
            if path is not None and sender is not None:
                is_known = len(path) <= caps.LONGEST_PATH and await self._are_allowed(
                    sender, [path]
                )
                if not is_known:
                    raise gr.Error(NOT_TO_SHOW, print_exception=False)

    async def _must_be_theirs(self, request: Any, event_data: Any) -> None:
        """Check what an event says of its own beginning. Raises gr.Error."""
        said = getattr(event_data, "_data", None)
        if said is not None:
            for one in request if isinstance(request, list) else [request]:
                sender = _who_asked(one)
                if sender is not None:
                    await self._must_be_theirs_to_name(sender, named_to_unknown(said))

    async def _must_be_theirs_to_name(self, sender: SignedIn, named: Named) -> None:
        """Raises gr.Error."""
        refusal = await self._refusal(sender, named)
        if refusal is not None:
            raise gr.Error(refusal, print_exception=False)

    async def _refusal(self, signed_in: SignedIn, named: Named) -> str | None:
        """Return why the caller may not name these files; None where they may."""
        if any(map(has_scheme, named.files)):
            return "The service fetches nothing from other addresses: upload the file itself."
        paths = named.files | set(filter(may_be_kept, named.texts))
        if len(paths) > caps.NAMED_FILES:
            return f"An event takes at most {caps.NAMED_FILES} files: send fewer at a time."
        is_too_long = any(len(path) > caps.LONGEST_PATH for path in paths)
        if (
            is_too_long
            or not all(map(self._is_known, named.files))
            or not await self._are_allowed(signed_in, paths)
        ):
            return "There is no such file of yours: upload it first."
        return None

    def _is_known(self, path: str) -> bool:
        """Return whether the path is one in the folder, or of what `gr.set_static_paths` makes public."""
        try:
            real = self._real(path)
        except (OSError, ValueError):
            return False
        return self._is_inside(real) or any(is_in(real, static) for static in self._given_out)

    def _must_not_explore(self, fn: BlockFunction, inputs: list[Any]) -> None:
        """Raises gr.Error where somebody has picked a file in an explorer that it does not show."""
        for block, value in zip(fn.inputs, inputs, strict=False):
            if isinstance(block, gr.FileExplorer):
                for steps in steps_in(value):
                    if self.is_apart(block.root_dir, *steps):
                        raise gr.Error(NOT_TO_SHOW, print_exception=False)

    async def _claim(
        self,
        request: Any,
        inputs: list[Any],
        samples: Samples,
        rendered: set[str],
        output: dict[str, Any],
    ) -> None:
        """Claim outputs for who asked. In a batch, only the sample of a caller over the quota is emptied. Raises
        FilesQuotaExceeded, FileGone."""
        is_batch = isinstance(request, list)
        for number, files in enumerate(samples[: len(request)] if is_batch else samples):
            sent = [values[number] for values in inputs] if is_batch else inputs
            signed_in = _who_asked(request[number] if is_batch else request)
            found = files | rendered
            if signed_in is None or not found:
                continue
            # Whoever names a file does not become its owner by being given it back. Apps write beside what was uploaded.
            words, uploaded = repr(sent), {mark_of(place) for place in self._within(_kept_in(sent))}
            given = {p for p in found if mark_of(p) not in words or mark_of(p) in uploaded}
            try:
                await self._claim_outputs(signed_in, given)
            except FilesQuotaExceeded as refused:
                if not is_batch:
                    raise
                log.info("output of a batch refused", why=refused.sentence)
                output["data"] = [
                    [None if at == number else value for at, value in enumerate(values)]
                    for values in output["data"]
                ]

    async def _claim_outputs(self, signed_in: SignedIn, given: Iterable[str]) -> None:
        """Raises FilesQuotaExceeded, after removing the files, and FileGone."""
        places = {file_key(place): place for place in given}
        new = self._claims.unknown(signed_in, places.keys() - self._public)
        if not new:
            return
        sizes = {key: self._size_at(places[key]) for key in new}
        try:
            await self._claims.claim(signed_in, {key: size or 0 for key, size in sizes.items()})
        except FilesQuotaExceeded:
            await self._discard(places[key] for key in new)
            raise
        # It may have been removed after it was made and before it was claimed.
        if any(
            size is not None and self._size_at(places[key]) is None for key, size in sizes.items()
        ):
            raise FileGone

    async def _note_made(self, made: Iterable[tuple[SignedIn, set[str]]]) -> None:
        for signed_in, places in made:
            if places:
                sizes = {place: self._size_at(place) or 0 for place in places}
                await self._discard(self._claims.made_inputs.add(signed_in.user.id, sizes))

    async def _discard(self, places: Iterable[str]) -> None:
        """Remove files that nobody has a claim on and that are no app's own. Where the store does not answer, a later
        purge does."""
        with suppress(StoreUnavailable):
            await self._claims.discard([place for place in places if not self.is_spared(place)])

    def _size_at(self, place: str) -> int | None:
        """Return the bytes of the file; None where none is."""
        try:
            return Path(self._folder, place).stat().st_size
        except OSError:
            return None

    async def _are_allowed(self, signed_in: SignedIn, paths: Iterable[str]) -> bool:
        paths = list(paths)
        try:
            if any(map(self._places.have, paths)):
                return False
            inside = [real for real in map(self._real, paths) if self._is_inside(real)]
        except (
            OSError,
            ValueError,
        ):  # NUL, lone surrogates, a name too long: no file has such a path.
            return False
        keys = {
            file_key(self._place(real))
            for real in inside
            if not any(is_in(real, s) for s in self._static)
        }
        return await self._claims.are_owned(signed_in, keys - self._public)

    def _of(self, render_config: dict[str, Any]) -> set[str]:
        found: set[str] = set()
        for component in render_config.get("components", ()):
            if component.get("type") not in _REPEATING:
                found |= self._within(files_in(component))
        return found

    def _within(self, paths: Iterable[str]) -> set[str]:
        """Of those in the folder the places there."""
        places = set()
        for path in paths:
            try:
                real = self._real(path)
            except (OSError, ValueError):
                continue
            if self._is_inside(real):
                places.add(self._place(real))
        return places

    def _real(self, path: str) -> str:
        """As Gradio opens it: from the working directory, through links and `..`, nothing decoded."""
        return os.path.realpath(os.path.abspath(path))  # noqa: PTH100 -- As Gradio does, word by word.

    def _is_inside(self, real: str) -> bool:
        return is_in(real, self._folder)

    def _place(self, real: str) -> str:
        return os.path.relpath(real, self._folder).replace(os.sep, "/")


def _shown(fn: BlockFunction, outputs: Any) -> Iterator[tuple[Block, Any]]:
    """Yield each output's component, and the value that it is given, also by an update."""
    if isinstance(outputs, dict) and outputs and all(isinstance(key, Block) for key in outputs):
        pairs: Iterable[tuple[Block, Any]] = outputs.items()
    elif len(fn.outputs) == 1 and not fn.batch:
        pairs = [(fn.outputs[0], outputs)]
    else:
        pairs = zip(fn.outputs, outputs if isinstance(outputs, list | tuple) else (), strict=False)
    for block, value in pairs:
        if isinstance(value, Block):
            yield block, value.constructor_args.get("value")
        elif isinstance(value, SimpleNamespace):
            yield block, vars(value).get("value")
        elif isinstance(value, dict) and value.get("__type__") == "update":
            yield block, value.get("value")
        else:
            yield block, value


def _kept_in(sent: object) -> Iterator[str]:
    return filter(may_be_kept, paths_in(sent))


_samples: Final[ContextVar[Samples | None]] = ContextVar("samples", default=None)
_request: Final[ContextVar[Any]] = ContextVar("request", default=None)
"""Gradio's, of the run; a list of them in a batch."""
_senders: Final[ContextVar[Iterator[SignedIn | None]]] = ContextVar("senders")
_made: Final[ContextVar[list[tuple[SignedIn, set[str]]]]] = ContextVar("made")
_REPEATING: Final = frozenset({"json", "browserstate", "paramviewer"})
"""Components that hold no files and show values of any form: what looks like a file there may be somebody's own words, which
an innocent app repeats."""


def _senders_of(request: Any) -> Iterator[SignedIn | None]:
    """Who sent each sample of a run, in order; a run outside a batch has one sender for all there are."""
    return map(_who_asked, request) if isinstance(request, list) else repeat(_who_asked(request))


def _who_asked(request: Any) -> SignedIn | None:
    inner = getattr(request, "request", None)
    scope = getattr(inner, "scope", None) or {}
    signed_in: SignedIn | None = scope.get("state", {}).get(SIGNED_IN)
    return signed_in


def _callers(request: Any) -> Iterator[Caller]:
    for one in request if isinstance(request, list) else [request]:
        signed_in = _who_asked(one)
        if signed_in is not None:
            yield signed_in.caller
