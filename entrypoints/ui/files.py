"""Files of mounted apps: fetched, and named as an input, only by the accounts they belong to.

Gradio keeps uploads and outputs of everybody in one folder and serves what is in it. A file belongs to the account that
uploaded it and to every account that got it as an output; the paths are made of the content, so equal bytes have
several owners. Outside the folder Gradio's own rule holds, which serves what the author allowed.
"""

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, Final

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.data_classes import _StaticFiles
from gradio.utils import get_upload_folder
from starlette.exceptions import HTTPException

from application.use_cases import UseCases
from domain.model.caller import SignedIn
from domain.model.file import FileKey, file_key
from domain.model.user import UserId
from entrypoints.access import SIGNED_IN
from entrypoints.ui.bodies import Body, as_lists, files_in, may_name_files, paths_in
from entrypoints.ui.caps import CLAIMS

Samples = list[set[FileKey]]
"""Of one run of an event the files of each sample; a run outside a batch has one sample."""


class Claims:
    """Owners of files, as the store has them; what this process has seen once is not asked again."""

    def __init__(self, app: UseCases) -> None:
        self._app = app
        self._known: OrderedDict[tuple[UserId, FileKey], None] = OrderedDict()

    async def claim(self, signed_in: SignedIn, keys: Collection[FileKey]) -> None:
        """Raises StoreUnavailable: what nobody may fetch is better not given."""
        new = self._unknown(signed_in.user.id, keys)
        if new:
            await self._app.claim_files(signed_in.caller, new)
            self._note(signed_in.user.id, new)

    async def are_owned(self, signed_in: SignedIn, keys: Collection[FileKey]) -> bool:
        asked = self._unknown(signed_in.user.id, keys)
        if not asked:
            return True
        owned = await self._app.owned_files(signed_in.caller, asked)
        self._note(signed_in.user.id, owned)
        return owned == asked

    def _unknown(self, user_id: UserId, keys: Collection[FileKey]) -> frozenset[FileKey]:
        unknown = set()
        for key in keys:
            if (user_id, key) in self._known:
                self._known.move_to_end((user_id, key))
            else:
                unknown.add(key)
        return frozenset(unknown)

    def _note(self, user_id: UserId, keys: Iterable[FileKey]) -> None:
        for key in keys:
            self._known[user_id, key] = None
        while len(self._known) > CLAIMS:
            self._known.popitem(last=False)


class AppFiles:
    """The files of one mounted app. Made when the app is complete: what its components show by then, everybody may see."""

    def __init__(self, demo: gr.Blocks, claims: Claims) -> None:
        self._folder = os.path.realpath(get_upload_folder())
        self._claims = claims
        static = (os.path.realpath(path) for path in _StaticFiles.all_paths)
        # A static folder that has ours somewhere inside makes nobody's files public.
        self._static = [path for path in static if path != self._folder and self._is_inside(path)]
        shown = paths_in(demo.config)
        kept = {
            path
            for block in demo.blocks.values()
            for path in getattr(block, "keep_in_cache", ())
            if isinstance(path, str)
        }
        self._public = frozenset(self._keys(shown | kept))

    async def may_be_fetched(self, signed_in: SignedIn, path: str) -> bool:
        """Outside the folder too: there it is Gradio that refuses."""
        return await self._are_allowed(signed_in, [path])

    async def must_be_allowed(self, signed_in: SignedIn, raw: bytes, body: Body) -> None:
        """No input names a file of somebody else. Raises HTTPException."""
        if may_name_files(raw) and not await self._are_allowed(signed_in, paths_in(body)):
            raise HTTPException(400, "There is no such file of yours: upload it first.")

    async def claim_uploads(self, signed_in: SignedIn, paths: Iterable[str]) -> None:
        await self._claims.claim(signed_in, self._keys(paths))

    def wrap(self, demo: gr.Blocks) -> None:
        """From now on outputs belong to whoever asked for them, before they are sent."""
        process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api
        postprocess: Callable[..., Awaitable[list[Any]]] = demo.postprocess_data

        async def process_api(
            block_fn: BlockFunction | int, *args: Any, request: Any = None, **kwargs: Any
        ) -> dict[str, Any]:
            samples: Samples = []
            token = _samples.set(samples)
            try:
                output = await process(block_fn, *args, request=request, **kwargs)
            finally:
                _samples.reset(token)
            rendered = output.get("render_config")
            await self._claim(request, samples, set() if rendered is None else self._of(rendered))
            return output

        async def postprocess_data(
            block_fn: BlockFunction, predictions: Any, *args: Any, **kwargs: Any
        ) -> list[Any]:
            # Here, since later steps of a generator leave as differences.
            named = self._named(block_fn.outputs, predictions)
            data = await postprocess(block_fn, predictions, *args, **kwargs)
            samples = _samples.get()
            if samples is not None:
                samples.append(self._given(block_fn.outputs, data) - named)
            return data

        demo.process_api = process_api  # type: ignore[method-assign]
        demo.postprocess_data = postprocess_data  # type: ignore[method-assign]

    def _named(self, outputs: Sequence[Block], predictions: Any) -> set[FileKey]:
        """What was in our folder before an author's function returned it in a table: the caller may have named it."""
        if not any(isinstance(block, gr.Dataframe) for block in outputs):
            return set()
        return self._keys(files_in(as_lists(predictions)))

    def _given(self, outputs: Sequence[Block], data: Sequence[Any]) -> set[FileKey]:
        keys = set[FileKey]()
        for block, value in zip(outputs, data, strict=False):
            if block.get_block_name() not in _REPEATING:
                keys |= self._keys(files_in(value))
        return keys

    async def _claim(self, request: Any, samples: Samples, rendered: set[FileKey]) -> None:
        requests = request if isinstance(request, list) else [request] * len(samples)
        for one, files in zip(requests, samples, strict=False):
            keys = (files | rendered) - self._public
            signed_in = _who_asked(one)
            if keys and signed_in is not None:
                await self._claims.claim(signed_in, keys)

    async def _are_allowed(self, signed_in: SignedIn, paths: Iterable[str]) -> bool:
        try:
            inside = [real for real in map(self._real, paths) if self._is_inside(real)]
        except (
            OSError,
            ValueError,
        ):  # NUL, lone surrogates, a name too long: no file has such a path.
            return False
        keys = {
            self._key(real) for real in inside if not any(_is_in(real, s) for s in self._static)
        }
        return await self._claims.are_owned(signed_in, keys - self._public)

    def _of(self, render_config: dict[str, Any]) -> set[FileKey]:
        found: set[FileKey] = set()
        for component in render_config.get("components", ()):
            if component.get("type") not in _RENDERED_REPEATING:
                found |= self._keys(files_in(component))
        return found

    def _keys(self, paths: Iterable[str]) -> set[FileKey]:
        keys = set()
        for path in paths:
            try:
                real = self._real(path)
            except (OSError, ValueError):
                continue
            if self._is_inside(real):
                keys.add(self._key(real))
        return keys

    def _real(self, path: str) -> str:
        """As Gradio opens it: from the working directory, through links and `..`, nothing decoded."""
        return os.path.realpath(os.path.abspath(path))  # noqa: PTH100 -- As Gradio does, word by word.

    def _is_inside(self, real: str) -> bool:
        return _is_in(real, self._folder)

    def _key(self, real: str) -> FileKey:
        return file_key(os.path.relpath(real, self._folder).replace(os.sep, "/"))


_REPEATING: Final = frozenset({"json", "browserstate", "html", "paramviewer"})
"""Components that show values of any form: what looks like a file there may be the caller's own words, which an innocent
app repeats."""
_RENDERED_REPEATING: Final = _REPEATING | {"dataframe"}
"""Of a rendered table nobody knows any more what the app returned."""


_samples: Final[ContextVar[Samples | None]] = ContextVar("samples", default=None)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _who_asked(request: Any) -> SignedIn | None:
    inner = getattr(request, "request", None)
    scope = getattr(inner, "scope", None) or {}
    signed_in: SignedIn | None = scope.get("state", {}).get(SIGNED_IN)
    return signed_in
