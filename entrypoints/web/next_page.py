"""Where to go after signing in: only to an address of ours (ASVS 3.7.2)."""

from typing import Final
from urllib.parse import quote, unquote

LONGEST: Final = 2048
"""Characters (ASVS 4.2.5)."""

_PATH_CHARACTERS: Final = "/:@!$&'()*+,;=~-._"
_NOT_BACK_TO: Final = {"/login", "/logout", "/setup"}


def safe_next(text: str | None) -> str | None:
    """The text if it is a path-absolute address of ours, else None."""
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable():
        return None
    if not text.startswith("/") or "\\" in text or " " in text:
        return None
    path = unquote(text.partition("?")[0].partition("#")[0])
    is_plain = path.isprintable() and "\\" not in path
    if not is_plain or path.startswith("//") or "/../" in f"{path}/" or "/./" in f"{path}/":
        return None
    return None if path.rstrip("/") in _NOT_BACK_TO else text


def sign_in_address(path: str, query: bytes = b"") -> str:
    """The sign-in page, which leads back to where the person wanted to go."""
    wanted = quote(path, safe=_PATH_CHARACTERS)
    if query:
        wanted += f"?{query.decode('latin-1')}"
    if path == "/" or safe_next(wanted) is None:
        return "/login"
    return f"/login?next={quote(wanted, safe='/')}"
