"""How much a request may bring: refused before it is read, or while it is."""

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from entrypoints.web.problems import refusal

TOO_LARGE = "The request is larger than this address takes."


def must_fit(content_length: str, limit: int) -> None:
    """Raises Refused, before anything of the body is read."""
    is_number = content_length.isascii() and content_length.isdigit() and len(content_length) <= 18
    if not is_number:
        raise refusal(400, "bad-request", "Bad request", "The Content-Length is not a number.")
    if int(content_length) > limit:
        raise refusal(413, "content-too-large", "Too large", TOO_LARGE)


def counted(receive: Receive, limit: int) -> Receive:
    """For a body whose size nobody announced. Raises HTTPException, which every framework lets through."""
    size = 0

    async def receive_counted() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > limit:
                raise HTTPException(413, TOO_LARGE)
        return message

    return receive_counted
