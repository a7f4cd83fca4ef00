"""Receive uploads: count them while they arrive, write them to a temporary folder, and move complete ones to Gradio's.

Gradio's own route writes into its folder from the first byte, and leaves the parts of a broken form there. Here,
Gradio's parser writes into a temporary folder per upload, which is always removed at the end. Each file is claimed for
its owner before it is moved, so that it never exists in Gradio's folder without an owner.
"""

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import structlog
from gradio.data_classes import DeveloperPath, UserProvidedPath
from gradio.exceptions import InvalidPathError
from gradio.route_utils import GradioMultiPartParser, GradioUploadFile
from gradio.routes import file_upload_statuses
from gradio.utils import safe_join
from gradio_client.utils import strip_invalid_filename_characters  # type: ignore[import-untyped]
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import Receive, Scope

from domain.model.caller import SignedIn
from domain.model.file import UPLOADS, FileKey, file_key
from entrypoints.ui.files.claims import Claims, Room
from entrypoints.ui.full_disk import writing_files
from entrypoints.ui.isolation.account import Account, Upload
from entrypoints.ui.limits import FILES_AT_ONCE

_OF_THE_FORM: Final = 64 * 1024
"""Bytes of an upload that may be other than files: fields and headers."""
_FIELD: Final = "files"

log = structlog.get_logger()


class CountedUpload:
    """Counts a form while it arrives, and refuses it if it is too large or incomplete."""

    def __init__(
        self,
        receive: Receive,
        upload: Upload,
        account: Account,
        room: Room,
        *,
        boundary: bytes,
        limit: int,
        announced: int = 0,
    ) -> None:
        """`announced` is the value of the Content-Length header, in bytes."""
        self._receive = receive
        self._upload = upload
        self._account = account
        self._room = room
        self._mark = b"--" + boundary
        self._limit = limit
        self._announced = announced
        self._end = b""
        self._is_closed = False
        self._marks_at_most = FILES_AT_ONCE + 1
        self._must_be_acceptable()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises HTTPException and FilesQuotaExceeded."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise HTTPException(400, "The upload broke off.")
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            self._count(chunk, is_last=not more)
            self._must_be_acceptable()
            if not more and not self._is_closed:
                raise HTTPException(400, "The upload broke off: its form has no end.")
            yield chunk

    def stores(self, places: Mapping[str, bool]) -> None:
        """Note where the files are stored, and which of them are new there."""
        self._upload.places = set(places)
        self._upload.new = {place for place, is_new in places.items() if is_new}

    def _count(self, chunk: bytes, *, is_last: bool) -> None:
        seen = self._end + chunk
        # Each part begins with the boundary, which occurs nowhere else. The last boundary ends the form.
        before = self._end.count(self._mark)
        self._upload.files += seen.count(self._mark) - before
        self._is_closed = self._is_closed or self._mark + b"--" in seen
        self._end = seen[-(len(self._mark) + 1) :]
        self._upload.size += len(chunk)
        if is_last:
            self._upload.files = max(0, self._upload.files - 1)
            self._marks_at_most = FILES_AT_ONCE

    def _must_be_acceptable(self) -> None:
        if self._upload.files > self._marks_at_most:
            raise HTTPException(429, f"At most {FILES_AT_ONCE} files can be uploaded at once.")
        self._account.must_have_room_for_uploads(limit=self._limit)
        self._room.hold(max(self._announced, self._upload.size) - _OF_THE_FORM)


def counted_upload(
    scope: Scope, receive: Receive, upload: Upload, account: Account, room: Room, *, limit: int
) -> CountedUpload:
    """Raises HTTPException if the body is not a form, and FilesQuotaExceeded if its Content-Length is too large."""
    headers = Headers(scope=scope)
    kind, parameters = parse_options_header(headers.get("content-type", ""))
    boundary = parameters.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise HTTPException(400, "An upload must be a multipart form.")
    length = headers.get("content-length", "")
    return CountedUpload(
        receive,
        upload,
        account,
        room,
        boundary=boundary,
        limit=limit,
        announced=int(length) if length.isdecimal() else 0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFolder:
    """The folder for uploads of one mounted app."""

    demo: Any
    path: str
    """The path in Gradio's spelling."""
    claims: Claims

    async def take(
        self, signed_in: SignedIn, scope: Scope, form: CountedUpload, upload_id: str | None
    ) -> Sequence[str]:
        """Store the files for the caller, and return their paths. Raises HTTPException, FilesQuotaExceeded and
        DiskFull; then nothing of the upload stays on the disk. Raises FilesUnavailable; then the next upload of the
        same files may find them here."""
        try:
            await self.claims.must_be_shareable()
            with writing_files():
                async with self._aside() as aside:
                    files = await self._received(scope, form, upload_id, aside)
                    paths = await self._kept(signed_in, files, form)
        finally:
            if upload_id is not None:
                # Otherwise a client that watches the progress waits forever.
                file_upload_statuses.set_done(upload_id)
        if self.demo.delete_cache:
            self.demo.upload_file_set.update(paths)
        return paths

    @asynccontextmanager
    async def _aside(self) -> AsyncIterator[str]:
        """Make a temporary folder on the same disk, so that moving a file is atomic. Remove it at the end."""
        aside = _new_folder_in(Path(self.path, UPLOADS))
        try:
            yield aside
        finally:
            # In a shielded thread, which continues if the request is cancelled.
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True))

    async def _received(
        self, scope: Scope, form: CountedUpload, upload_id: str | None, aside: str
    ) -> Sequence[GradioUploadFile]:
        parser = _Parser(
            Headers(scope=scope),
            form.chunks(),
            # Higher than our own limit, which is checked first and has a clearer message.
            max_files=2 * FILES_AT_ONCE,
            max_fields=2 * FILES_AT_ONCE,
            upload_dir=aside,
            max_file_size=self.demo.max_file_size or inf,
            upload_id=upload_id,
            upload_progress=None if upload_id is None else file_upload_statuses,
        )
        if upload_id is not None:
            file_upload_statuses.track(upload_id)
        with _closed(parser):
            try:
                sent = await parser.parse()
            except MultiPartException as error:
                is_too_large = error.message.startswith("File size exceeded")
                raise HTTPException(413 if is_too_large else 400, error.message) from error
            except (AttributeError, KeyError, ValueError) as error:
                raise HTTPException(400, "The body is not a multipart form.") from error
        files = [file for file in sent.getlist(_FIELD) if isinstance(file, GradioUploadFile)]
        if not files:
            raise HTTPException(
                400, f"The form has no files. Send them in fields with the name {_FIELD!r}."
            )
        return files

    async def _kept(
        self, signed_in: SignedIn, files: Sequence[GradioUploadFile], form: CountedUpload
    ) -> Sequence[str]:
        paths = [self._path_of(file) for file in files]
        sizes = {self._key_of(p): file.size or 0 for p, file in zip(paths, files, strict=True)}
        form.stores({self._place_of(path): not path.exists() for path in paths})
        with _folders_for(paths):
            await self.claims.claim(signed_in, sizes)
            for path, file in zip(paths, files, strict=True):
                _move(file, path)
        await self.claims.share(signed_in, [self._place_of(path) for path in paths])
        return [str(path) for path in paths]

    def _path_of(self, file: GradioUploadFile) -> Path:
        """Return the same path that Gradio's own route would use for this content and name. Raises HTTPException."""
        name = strip_invalid_filename_characters(Path(file.filename or "file").name)
        folder = Path(self.path, file.sha.hexdigest())
        try:
            return Path(safe_join(DeveloperPath(str(folder)), UserProvidedPath(name)))
        except InvalidPathError as error:
            raise HTTPException(400, f"Invalid file name: {name!r:.100}.") from error

    def _key_of(self, path: Path) -> FileKey:
        return file_key(self._place_of(path))

    def _place_of(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()


def _new_folder_in(parent: Path) -> str:
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return mkdtemp(dir=parent)


def _move(file: GradioUploadFile, path: Path) -> None:
    Path(str(file.file.name)).rename(path)


@contextmanager
def _folders_for(paths: Sequence[Path]) -> Iterator[None]:
    """Make the folders before the files are claimed, so that moving the files needs no more disk space."""
    folders = {path.parent for path in paths}
    try:
        for folder in folders:
            folder.mkdir(exist_ok=True)
        yield
    except BaseException:
        for folder in folders:
            with suppress(OSError):  # The folder has an earlier file with equal content.
                folder.rmdir()
        raise


class _Parser(GradioMultiPartParser):
    """Gradio's parser, with a limit for fields that are not files, which it keeps in memory."""

    _kept = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._kept += end - start
            if self._kept > _OF_THE_FORM:
                raise MultiPartException("The fields of an upload must be files.")
        super().on_part_data(data, start, end)


@contextmanager
def _closed(parser: GradioMultiPartParser) -> Iterator[None]:
    """Close the parser's files at the end, which may write their last bytes."""
    try:
        yield
    except BaseException:
        for file in parser._files_to_close_on_error:  # noqa: SLF001 -- Gradio closes them only for its own errors.
            with suppress(OSError):
                file.close()
        raise
    for file in parser._files_to_close_on_error:  # noqa: SLF001
        file.close()
