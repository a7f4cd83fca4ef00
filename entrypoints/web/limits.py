"""Limits the size of a request's body and the time that it takes to arrive."""

import asyncio
from collections import Counter
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from domain.model.user import UserId
from entrypoints.web.problems import refusal

TOO_LARGE: Final = "The request is larger than this address takes."
TOO_SLOW: Final = "The request did not arrive in time. Send it again, over a better connection."

KB: Final = 1024
SLOWEST: Final = 1000
"""Bytes per second. The sender may pause for `stall` seconds; every 1,000 bytes give back one second of that. A phone on a
slow network can upload for hours, and a client that sends one byte every few seconds cannot."""
UNCOUNTED: Final = 64 * KB
"""Bytes. Smaller bodies are not counted per account: the server reads as much ahead for every connection."""
PER_ACCOUNT: Final = 5
"""Unfinished bodies of the largest size that one account may have in memory, over all its sessions and access tokens."""
IN_ALL: Final = 20
"""Unfinished bodies of the largest size that all accounts together may have in memory."""


def must_fit(content_length: str, limit: int) -> None:
    """Raises Refused, before anything of the body is read."""
    is_number = content_length.isascii() and content_length.isdigit() and len(content_length) <= 18
    if not is_number:
        raise refusal(400, "bad-request", "Bad request", "The Content-Length is not a number.")
    if int(content_length) > limit:
        raise refusal(413, "content-too-large", "Too large", TOO_LARGE)


class ArrivingBodies:
    """Counts the bytes of unfinished bodies per account: they are in memory until the body is complete."""

    def __init__(self, *, largest: int) -> None:
        """`largest` is the size limit of one body, in bytes."""
        self._per_account = PER_ACCOUNT * largest
        self._in_all = IN_ALL * largest
        self._sizes: Counter[UserId | None] = Counter()

    def add(self, account: UserId | None, size: int) -> None:
        """Raises HTTPException when there are too many; the bytes count until they are removed, also then."""
        self._sizes[account] += size
        if self._sizes[account] > self._per_account:
            raise HTTPException(
                429,
                f"More than {self._per_account} bytes of your requests are arriving at once: send one after the other.",
                {"retry-after": "5"},
            )
        if self._sizes.total() > self._in_all:
            raise HTTPException(
                503,
                "Too many large requests are arriving at once: try again in a moment.",
                {"retry-after": "5"},
            )

    def remove(self, account: UserId | None, size: int) -> None:
        self._sizes[account] -= size
        if not self._sizes[account]:
            del self._sizes[account]


class Body:
    """Receives a request's body within its limits. Raises HTTPException, which every framework lets through."""

    def __init__(
        self,
        receive: Receive,
        *,
        limit: int,
        stall: float,
        account: UserId | None = None,
        arriving: ArrivingBodies | None = None,
    ) -> None:
        """`stall` is how many seconds the sender may pause. With `arriving`, the bytes count for the account."""
        self._receive = receive
        self._limit = limit
        self._stall = self._allowance = stall
        self._size = 0
        self._is_whole = False
        self._account = account
        self._arriving = arriving
        self._counted = 0

    async def receive(self) -> Message:
        if self._is_whole:  # From now on the caller waits for the client to disconnect.
            return await self._receive()
        message = await self._in_time()
        self._size += len(message.get("body", b""))
        self._is_whole = not message.get("more_body")
        if self._size > self._limit:
            raise HTTPException(413, TOO_LARGE)
        if self._is_whole:
            self.release()
        elif self._arriving is not None and self._size > UNCOUNTED:
            self._count(self._arriving)
        return message

    def release(self) -> None:
        """Stop counting it: it is complete, or its request is over."""
        if self._arriving is not None and self._counted:
            self._arriving.remove(self._account, self._counted)
            self._arriving = None

    async def _in_time(self) -> Message:
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            async with asyncio.timeout(self._allowance):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, TOO_SLOW, {"connection": "close"}) from None
        earned = len(message.get("body", b"")) / SLOWEST
        self._allowance = max(0.0, min(self._stall, self._allowance - (clock() - begun) + earned))
        return message

    def _count(self, arriving: ArrivingBodies) -> None:
        uncounted, self._counted = self._size - self._counted, self._size
        arriving.add(self._account, uncounted)
