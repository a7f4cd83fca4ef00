"""Limit the size of a request's body and the time that it takes to arrive."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from domain.model.user import UserId
from entrypoints.access import Access
from entrypoints.web.origins import SAFE
from entrypoints.web.problems import refusal

TOO_SLOW: Final = "The request did not arrive in time. Send it again, over a better connection."

KB: Final = 1024
MB: Final = 1024 * KB
SLOWEST: Final = 1000
"""Bytes per second. The sender may pause for `stall` seconds in total; every 1,000 bytes give one second back. So a
phone on a slow network can upload for hours, but a client that sends one byte every few seconds cannot."""
CHECKED_EVERY: Final = 1.0
"""Seconds between two checks of the session of a body, which may arrive for hours."""
AT_ONCE: Final = 0.05
"""Seconds within which a body arrives in one go. One that takes longer is checked with its last byte, too."""
UNCOUNTED: Final = 64 * KB
"""Bytes. Smaller bodies are not counted per account: the server buffers as much for every connection anyway."""
PER_ACCOUNT: Final = 5
"""Unfinished bodies of the largest size that one account may have in memory, over all its sessions and access
tokens."""
IN_ALL: Final = 20
"""Unfinished bodies of the largest size that all accounts together may have in memory."""


def too_large(limit: int, setting: str) -> str:
    """Return why a body is refused. `limit` is in bytes."""
    if limit == 0:
        return "This address takes no body."
    size = f"{limit // MB} MB" if limit >= MB else f"{limit // KB} KB"
    more = f" The operator can raise it with {setting}." if setting else ""
    return f"The request is larger than the limit of this address, which is {size}.{more}"


def must_fit(content_length: str, limit: int, setting: str) -> None:
    """Raises Refused if the Content-Length is too large, before any of the body is read."""
    is_number = content_length.isascii() and content_length.isdigit() and len(content_length) <= 18
    if not is_number:
        raise refusal(400, "bad-request", "Bad request", "The Content-Length is not a number.")
    if int(content_length) > limit:
        raise refusal(413, "content-too-large", "Too large", too_large(limit, setting))


def has_body(method: str, headers: Mapping[bytes, str], rule: Access) -> bool:
    """Return whether the request may have a body. Raises Refused if its Content-Length is too large."""
    if b"transfer-encoding" in headers:
        return True
    if b"content-length" in headers:
        must_fit(headers[b"content-length"], rule.body_limit, rule.body_limit_setting)
        return True
    return method not in SAFE


class ArrivingBodies:
    """Counts the bytes of unfinished bodies per account: they are in memory until the body is complete."""

    def __init__(self, *, largest: int) -> None:
        """`largest` is the size limit of one body, in bytes."""
        self._per_account = PER_ACCOUNT * largest
        self._in_all = IN_ALL * largest
        self._sizes: Counter[UserId | None] = Counter()

    def add(self, account: UserId | None, size: int) -> None:
        """Count bytes. Raises HTTPException if there are too many; they still count until they are removed."""
        self._sizes[account] += size
        if self._sizes[account] > self._per_account:
            raise HTTPException(
                429,
                f"More than {self._per_account} bytes of your requests are arriving at once. Send one after the other.",
                {"retry-after": "5"},
            )
        if self._sizes.total() > self._in_all:
            raise HTTPException(
                503,
                "Too many large requests are arriving at once. Try again in a moment.",
                {"retry-after": "5"},
            )

    def remove(self, account: UserId | None, size: int) -> None:
        self._sizes[account] -= size
        if not self._sizes[account]:
            del self._sizes[account]


class Body:
    """Receives a request's body within its limits. Raises HTTPException, which every framework passes on."""

    def __init__(
        self,
        receive: Receive,
        *,
        limit: int,
        limit_setting: str = "",
        stall: float,
        account: UserId | None = None,
        arriving: ArrivingBodies | None = None,
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`stall` is how many seconds the sender may pause. With `arriving`, the bytes count for the account. `check` is
        called every CHECKED_EVERY seconds while bytes arrive, and with the last one if that is later than AT_ONCE; it may
        raise an HTTPException to refuse the body."""
        self._receive = receive
        self._limit = limit
        self._limit_setting = limit_setting
        self._stall = self._allowance = stall
        self._size = 0
        self._is_whole = False
        self._account = account
        self._arriving = arriving
        self._counted = 0
        self._check = check
        self._checked_at: float | None = None

    async def receive(self) -> Message:
        if self._is_whole:  # From now on the caller waits for the client to disconnect.
            return await self._receive()
        if self._checked_at is None:
            self._checked_at = asyncio.get_running_loop().time()
        message = await self._in_time()
        self._size += len(message.get("body", b""))
        self._is_whole = not message.get("more_body")
        if self._size > self._limit:
            raise HTTPException(413, too_large(self._limit, self._limit_setting))
        if self._is_whole:
            self.release()
        elif self._arriving is not None and self._size > UNCOUNTED:
            self._count(self._arriving)
        if self._check is not None:
            await self._check_in_time(self._check)
        return message

    def release(self) -> None:
        """Stop counting the body, because it is complete or its request has ended."""
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

    async def _check_in_time(self, check: Callable[[], Awaitable[None]]) -> None:
        now = asyncio.get_running_loop().time()
        longest = AT_ONCE if self._is_whole else CHECKED_EVERY
        if self._checked_at is None or now - self._checked_at >= longest:
            self._checked_at = now
            await check()

    def _count(self, arriving: ArrivingBodies) -> None:
        uncounted, self._counted = self._size - self._counted, self._size
        arriving.add(self._account, uncounted)
