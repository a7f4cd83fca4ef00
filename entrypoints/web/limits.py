"""How much a request may bring and how long it may take: refused before it is read, or while it is."""

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
"""Bytes in a second. Each such a second gives back one of those that the sender may pause: so a phone that stops now and
then goes on as long as it likes, and one byte every few seconds does not."""
UNCOUNTED: Final = 64 * KB
"""Bytes of a body that are counted for nobody: as many as the server reads ahead for every connection."""
PER_ACCOUNT: Final = 4
"""Unfinished bodies of the largest size that an account may have in memory, over all its sessions and access tokens."""
IN_ALL: Final = 20
"""... and all accounts together."""


def must_fit(content_length: str, limit: int) -> None:
    """Raises Refused, before anything of the body is read."""
    is_number = content_length.isascii() and content_length.isdigit() and len(content_length) <= 18
    if not is_number:
        raise refusal(400, "bad-request", "Bad request", "The Content-Length is not a number.")
    if int(content_length) > limit:
        raise refusal(413, "content-too-large", "Too large", TOO_LARGE)


class ArrivingBodies:
    """Bytes of bodies that have not arrived whole, per account: they are in memory until they have."""

    def __init__(self, *, largest: int) -> None:
        """`largest` is the bytes of one body."""
        self._per_account = PER_ACCOUNT * largest
        self._in_all = IN_ALL * largest
        self._sizes: Counter[UserId | None] = Counter()

    def add(self, account: UserId | None, size: int) -> None:
        """Raises HTTPException when there are too many; then they count nevertheless, until they are removed."""
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
    """A request's body on its way in. Raises HTTPException, which every framework lets through."""

    def __init__(
        self,
        receive: Receive,
        *,
        limit: int,
        stall: float,
        account: UserId | None = None,
        arriving: ArrivingBodies | None = None,
    ) -> None:
        """`stall` is how many seconds the sender may pause. It counts among those that are arriving for its account."""
        self._receive = receive
        self._limit = limit
        self._stall = self._allowance = stall
        self._size = 0
        self._is_whole = False
        self._account = account
        self._arriving = arriving
        self._counted = 0

    async def receive(self) -> Message:
        if self._is_whole:  # What is waited for is the client's leaving.
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
        """It has arrived, or nobody waits for it any more."""
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
