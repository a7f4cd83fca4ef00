"""Check the address to redirect to after sign-in: it must be an address of this service (ASVS 3.7.2)."""

from typing import Final
from urllib.parse import quote, unquote

LONGEST: Final = 2048
"""Characters (ASVS 4.2.5)."""

DONE: Final = "/login/done"
"""The last page of a sign-in in a second window."""

_PATH_CHARACTERS: Final = "/:@!$&'()*+,;=~-._"
_ASCII: Final = "".join(map(chr, range(128)))
_NOT_BACK_TO: Final = {"/login", "/logout", "/setup"}


def safe_next(text: str | None) -> str | None:
    """Return the text, percent-encoded where needed, if it is a safe path of this service, else None."""
    if not text or not text.isprintable():
        return None
    text = quote(text, safe=_ASCII)  # Somebody may have typed other letters.
    if len(text) > LONGEST:
        return None
    if not text.startswith("/") or "\\" in text or " " in text:
        return None
    path = unquote(text.partition("?")[0].partition("#")[0])
    is_plain = path.isprintable() and "\\" not in path
    if not is_plain or path.startswith("//") or "/../" in f"{path}/" or "/./" in f"{path}/":
        return None
    is_sign_in = path.startswith("/login/") and path != DONE
    return None if is_sign_in or path.rstrip("/") in _NOT_BACK_TO else text


def wanted_address(path: str, query: bytes = b"") -> str | None:
    """Return the address of a request, if sign-in may redirect back to it, else None."""
    wanted = quote(path, safe=_PATH_CHARACTERS)
    if query:
        wanted += f"?{query.decode('latin-1')}"
    return None if path == "/" else safe_next(wanted)


def sign_in_address(path: str, query: bytes = b"") -> str:
    """Return the address of the sign-in page, which redirects back to the requested path after sign-in."""
    return sign_in_before(wanted_address(path, query))


def sign_in_before(page: str | None) -> str:
    """Return the address of the sign-in page, which redirects to the page after sign-in."""
    return "/login" if page is None else f"/login?next={quote(page, safe='/')}"
