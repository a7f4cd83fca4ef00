"""Save what a tab shows under a link (`gr.DeepLinkButton`), and open the link only for the account that has made it.

Gradio keeps the values in a file of its own folder, and opens it for everybody who knows the link. Here, the file is
claimed for its maker like an upload: it counts for the quota of files, and is removed when it is unused.
"""

import asyncio
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final

import gradio as gr
import orjson
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from domain.model.caller import SignedIn
from domain.model.file import UPLOADS, FileKey, file_key
from domain.model.user import UserId
from entrypoints.ui.addresses import LINK_FIELD
from entrypoints.ui.files.app_files import AppFiles
from entrypoints.ui.files.cache_folder import DEEP_LINKS
from entrypoints.ui.files.named_files import may_be_kept
from entrypoints.ui.full_disk import writing_files
from entrypoints.ui.isolation.gradio_memory import GradioMemory, TabState
from entrypoints.ui.isolation.kept_inputs import JSON_OF_A_VALUE, TabValues, size_of_json
from entrypoints.ui.isolation.request import HASH, Request
from entrypoints.ui.isolation.tab_names import query_within
from entrypoints.ui.limits import LINK, NAMED_FILES
from entrypoints.ui.wire.exchange import Exchange
from entrypoints.ui.wire.json_bodies import paths_in

_FIELD: Final = LINK_FIELD.decode()
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NOT_YOURS: Final = (
    "This link is not yours, or it has ended. A link opens only for the account that has made it, "
    "until it is unused for long or the app changes."
)

_TOO_MUCH: Final = (
    "This tab shows more than a link can save. Reload the page, and save fewer or smaller values."
)

Handler = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepLinks:
    """The links of one mounted app."""

    demo: gr.Blocks
    path: str
    """The mount's path."""
    memory: GradioMemory
    files: AppFiles

    async def make(self, request: Request) -> None:
        """Save the values of the caller's tab, and respond with the link's name. It is empty if no event has run in the
        tab, as in Gradio itself. Raises HTTPException, FilesQuotaExceeded, FilesUnavailable and DiskFull."""
        if not self.memory.saves_values:
            raise HTTPException(404)
        tab, _ = query_within(request.suffix, request.scope["query_string"], called=HASH)
        state = self.memory.state_of(tab)
        name = "" if state is None else await self._saved(request, state)
        await JSONResponse(name)(request.scope, request.receive, request.send)

    def opening(self, handler: Handler) -> Handler:
        """Wrap the handler of an address that opens links. Other accounts' links are refused before Gradio sees the
        request."""

        async def handle(exchange: Exchange) -> None:
            names = QueryParams(exchange.scope["query_string"]).getlist(_FIELD)
            if any(names):
                await self._must_be_openable(exchange.signed_in, names)
            await handler(exchange)

        return handle

    async def _saved(self, request: Request, state: TabState) -> str:
        if state.values is None or state.values.is_dropped:
            raise HTTPException(413, _TOO_MUCH)
        content = await asyncio.to_thread(self._content, state, state.values)
        self._must_have_room(request, len(content))
        name = self._name_of(content, request.signed_in.user.id)
        # The link would be broken without the pieces of a stream that it shows.
        request.account.keep_files(await asyncio.to_thread(self._places_in, content))
        await self.files.claims.claim(request.signed_in, {file_key(_place_of(name)): len(content)})
        with writing_files():
            await asyncio.to_thread(self._write, name, content)
        await self.files.claims.share(request.signed_in, [_place_of(name)])
        return name

    def _must_have_room(self, request: Request, size: int) -> None:
        """Count the link as an upload of one file. Raises HTTPException."""
        limit = request.isolation.upload_limit
        upload = request.account.upload(request.isolation.accounts.now(), limit=limit)
        upload.files, upload.size = 1, size
        request.account.must_have_room_for_uploads(limit=limit)

    def _content(self, state: TabState, values: TabValues) -> bytes:
        """Raises HTTPException."""
        content = orjson.dumps(list(self._components(state, values)), **JSON_OF_A_VALUE)
        if size_of_json(content) > LINK:
            raise HTTPException(413, _TOO_MUCH)
        return content

    def _components(self, state: TabState, values: TabValues) -> Iterator[dict[str, Any]]:
        """Yield what Gradio would save: the config of each component of the app, with its latest value. The text of a
        password field is left out."""
        config = state.blocks_config
        for number in self.demo.blocks:
            block = config.blocks.get(number)
            if block is None:
                continue
            component = config.config_for_block(number, [], block)
            value = values.get(number)
            if value is not None and getattr(block, "type", None) != "password":
                component["props"]["value"] = orjson.Fragment(value)
            yield component

    def _name_of(self, content: bytes, user_id: UserId) -> str:
        """Return the name of a link. It depends on the app, its components and the account, so that the file of another
        app or account never has the right name."""
        built = [(number, block.get_block_name()) for number, block in self.demo.blocks.items()]
        parts = [self.path.encode(), orjson.dumps(built), user_id.bytes, content]
        digest = sha256(b"".join(sha256(part).digest() for part in parts)).digest()
        return urlsafe_b64encode(digest).decode().rstrip("=")

    def _write(self, name: str, content: bytes) -> None:
        """Write to a temporary file and move it into place, so that nobody reads half a file."""
        path = Path(self.files.folder.path_of(_place_of(name)))
        aside = Path(self.files.folder.path_of(UPLOADS))
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, part = mkstemp(dir=aside)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            path.parent.mkdir(parents=True, exist_ok=True)
            Path(part).rename(path)
        except BaseException:
            with suppress(OSError):
                Path(part).unlink()
            raise

    async def _must_be_openable(self, signed_in: SignedIn, names: list[str]) -> None:
        """Mark the link and the files in its values as used. Raises HTTPException, the same for another account's link
        and one that does not exist."""
        if len(names) != 1 or _NAME.fullmatch(names[0]) is None:
            raise HTTPException(403, _NOT_YOURS)
        place, claims, user_id = _place_of(names[0]), self.files.claims, signed_in.user.id
        is_owned = await claims.are_owned(signed_in, {file_key(place)})
        if is_owned:
            await claims.bring([place])
        named = await asyncio.to_thread(self._files_in, names[0], user_id) if is_owned else None
        if named is None:
            raise HTTPException(403, _NOT_YOURS)
        await claims.are_owned(signed_in, named)

    def _files_in(self, name: str, user_id: UserId) -> set[FileKey] | None:
        """Return the files in the values of a link, or None if the app has no such link of this account."""
        try:
            content = Path(self.files.folder.path_of(_place_of(name))).read_bytes()
        except OSError:
            return None
        if self._name_of(content, user_id) != name:
            return None
        return set(map(file_key, self._places_in(content)))

    def _places_in(self, content: bytes) -> set[str]:
        paths = filter(may_be_kept, paths_in(orjson.loads(content)))
        return self.files.folder.places(islice(paths, NAMED_FILES))


def _place_of(name: str) -> str:
    return f"{DEEP_LINKS}/{name}/state.json"
