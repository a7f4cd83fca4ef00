"""Uploads: counted while they arrive, written aside, and moved to where Gradio keeps files once they are whole.

Gradio's own route writes into the folder from the first byte and leaves there what a broken form has brought so far.
Here its parser writes into a folder of the upload's own, which is removed at the end whatever happens. A file is claimed
before it is moved, so that it is somebody's from the moment that it is there.
"""

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
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
from entrypoints.ui.caps import FILES_AT_ONCE
from entrypoints.ui.claims import Claims, Room
from entrypoints.ui.disk import writing_files
from entrypoints.ui.logins import Account, Upload

_OF_THE_FORM: Final = 64 * 1024
"""Bytes of an upload that need not be files."""
_FIELD: Final = "files"

log = structlog.get_logger()


class CountedUpload:
    """Counts a form while it arrives, and refuses it when it is too large or breaks off."""

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
        """`announced`: bytes, of the header."""
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

    def _count(self, chunk: bytes, *, is_last: bool) -> None:
        seen = self._end + chunk
        # Each part begins with the mark and nothing else may contain it; the one that ends the form is no file.
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
    """Raises HTTPException for what is no form, and FilesQuotaExceeded for one that says that it is too large."""
    headers = Headers(scope=scope)
    kind, parameters = parse_options_header(headers.get("content-type", ""))
    boundary = parameters.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise HTTPException(400, "An upload is a multipart form.")
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
    """The folder that one mounted app keeps its uploads in."""

    demo: Any
    path: str
    """As Gradio writes it."""
    claims: Claims

    async def take(
        self, signed_in: SignedIn, scope: Scope, form: CountedUpload, upload_id: str | None
    ) -> Sequence[str]:
        """Return the paths of the files, which are the caller's from now on. Raises HTTPException, FilesQuotaExceeded and
        DiskFull; then nothing is left of the upload."""
        try:
            with writing_files():
                async with self._aside() as aside:
                    files = await self._received(scope, form, upload_id, aside)
                    paths = await self._kept(signed_in, files)
        finally:
            if upload_id is not None:
                file_upload_statuses.set_done(upload_id)  # Else whoever watches waits for ever.
        if self.demo.delete_cache:
            self.demo.upload_file_set.update(paths)
        return paths

    @asynccontextmanager
    async def _aside(self) -> AsyncIterator[str]:
        """Make a folder on the same disk, so that a file moves from it in one step, and remove it at the end."""
        aside = _new_folder_in(Path(self.path, UPLOADS))
        try:
            yield aside
        finally:
            # In a thread, which goes on when the request is cancelled.
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True))

    async def _received(
        self, scope: Scope, form: CountedUpload, upload_id: str | None, aside: str
    ) -> Sequence[GradioUploadFile]:
        parser = _Parser(
            Headers(scope=scope),
            form.chunks(),
            max_files=2
            * FILES_AT_ONCE,  # They are counted before, and refused with a better sentence.
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
                raise HTTPException(400, "The body is no multipart form.") from error
        files = [file for file in sent.getlist(_FIELD) if isinstance(file, GradioUploadFile)]
        if not files:
            raise HTTPException(
                400, f"An upload has its files in fields that are called {_FIELD!r}."
            )
        return files

    async def _kept(self, signed_in: SignedIn, files: Sequence[GradioUploadFile]) -> Sequence[str]:
        paths = [self._path_of(file) for file in files]
        sizes = {self._key_of(p): file.size or 0 for p, file in zip(paths, files, strict=True)}
        with _folders_for(paths):
            await self.claims.claim(signed_in, sizes)
            for path, file in zip(paths, files, strict=True):
                _move(file, path)
        return [str(path) for path in paths]

    def _path_of(self, file: GradioUploadFile) -> Path:
        """Return the path that Gradio's own route makes of content and name. Raises HTTPException."""
        name = strip_invalid_filename_characters(Path(file.filename or "file").name)
        folder = Path(self.path, file.sha.hexdigest())
        try:
            return Path(safe_join(DeveloperPath(str(folder)), UserProvidedPath(name)))
        except InvalidPathError as error:
            raise HTTPException(400, f"This is no name for a file: {name!r:.100}.") from error

    def _key_of(self, path: Path) -> FileKey:
        return file_key(path.relative_to(self.path).as_posix())


def _new_folder_in(parent: Path) -> str:
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return mkdtemp(dir=parent)


def _move(file: GradioUploadFile, path: Path) -> None:
    Path(str(file.file.name)).rename(path)


@contextmanager
def _folders_for(paths: Sequence[Path]) -> Iterator[None]:
    """Make the folders before the files are claimed: moving them needs no more room on the disk then."""
    folders = {path.parent for path in paths}
    try:
        for folder in folders:
            folder.mkdir(exist_ok=True)
        yield
    except BaseException:
        for folder in folders:
            with suppress(OSError):  # There is a file of equal content.
                folder.rmdir()
        raise


class _Parser(GradioMultiPartParser):
    """Gradio's parser, which keeps in memory every field that is no file: here up to a limit."""

    _kept = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._kept += end - start
            if self._kept > _OF_THE_FORM:
                raise MultiPartException("The fields of an upload are files.")
        super().on_part_data(data, start, end)


@contextmanager
def _closed(parser: GradioMultiPartParser) -> Iterator[None]:
    """Close the parser's files, which may write their last bytes."""
    try:
        yield
    except BaseException:
        for file in parser._files_to_close_on_error:  # noqa: SLF001 -- Gradio closes them for its own errors alone.
            with suppress(OSError):
                file.close()
        raise
    for file in parser._files_to_close_on_error:  # noqa: SLF001
        file.close()
