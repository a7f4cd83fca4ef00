"""The cookies of sign-ins that have begun at identity providers. Each sign-in has its own, because a browser may begin
several at the same time, in its tabs."""

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Final

from entrypoints.web.cookies import Cookie, Cookies

LARGEST: Final = 4096
"""Characters of all of them together: a proxy may take no line of more than 8 KiB."""

_KEY: Final = re.compile(r"[0-9a-f]{16}")


def cookie_of(cookies: Cookies, state: str) -> Cookie:
    """Return the cookie of the sign-in with this state."""
    key = sha256(state.encode("utf-8", "replace")).hexdigest()[:16]
    return replace(cookies.attempt, name=f"{cookies.attempt.name}-{key}")


def begin(cookies: Cookies, header: str, *, state: str, signed_token: str) -> Iterator[str]:
    """Return the Set-Cookie headers that keep a new sign-in, and remove the oldest ones for which there is no room.
    `header` is the request's Cookie header."""
    yield cookie_of(cookies, state).set(signed_token)
    room = LARGEST - len(signed_token)
    for cookie, size in reversed(_begun(cookies, header)):
        room -= size
        if room < 0:
            yield cookie.drop()


def _begun(cookies: Cookies, header: str) -> list[tuple[Cookie, int]]:
    """Return the cookies of all begun sign-ins with the lengths of their values. Browsers send the oldest first
    (RFC 6265, section 5.4)."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [
        (replace(cookies.attempt, name=name), len(value))
        for name, _, value in pairs
        if name.startswith(f"{cookies.attempt.name}-")
        and _KEY.fullmatch(name.removeprefix(f"{cookies.attempt.name}-"))
    ]
