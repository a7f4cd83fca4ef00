"""Uploads, counted while they arrive."""

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import Message, Receive, Scope

from entrypoints.ui.caps import FILES_AT_ONCE
from entrypoints.ui.logins import Account, Upload


class CountedUpload:
    """Passes a form on until it is too much. What Gradio's parser is told then makes it remove what it has written."""

    def __init__(
        self, receive: Receive, upload: Upload, account: Account, *, boundary: bytes, limit: int
    ) -> None:
        self._receive = receive
        self._upload = upload
        self._account = account
        self._mark = b"--" + boundary
        self._limit = limit
        self._end = b""
        self.refusal: HTTPException | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise MultiPartException("The client has left.")
        chunk: bytes = message.get("body", b"")
        seen = self._end + chunk
        # Each part begins with the mark and nothing else may contain it; the one that ends the form is no file.
        self._upload.files += seen.count(self._mark)
        self._end = seen[-(len(self._mark) - 1) :]
        self._upload.size += len(chunk)
        if not message.get("more_body"):
            self._upload.files = max(0, self._upload.files - 1)
        try:
            self._must_be_acceptable()
        except HTTPException as refusal:
            self.refusal = refusal
            raise MultiPartException("Refused.") from refusal
        return message

    def _must_be_acceptable(self) -> None:
        if self._upload.files > FILES_AT_ONCE + 1:
            raise HTTPException(429, f"At most {FILES_AT_ONCE} files can be uploaded at once.")
        self._account.must_have_room_for_uploads(limit=self._limit)


def counted_upload(
    scope: Scope, receive: Receive, upload: Upload, account: Account, *, limit: int
) -> CountedUpload:
    """Raises HTTPException for what is no form."""
    kind, parameters = parse_options_header(Headers(scope=scope).get("content-type", ""))
    boundary = parameters.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise HTTPException(400, "An upload is a multipart form.")
    return CountedUpload(receive, upload, account, boundary=boundary, limit=limit)
