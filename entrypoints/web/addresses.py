"""What each of our own addresses asks of whoever comes to it. What is not named here asks for a session."""

from typing import Final

from entrypoints.access import CSP_REPORTS, Access

KB: Final = 1024

API: Final = "/api/v1"

_FORM: Final = Access(who="anyone", body_limit=64 * KB)
_ASSET: Final = Access(who="anyone", asks_store=False, is_activity=False, body_limit=0)
_SIGNED_IN: Final = Access(who="signed in", body_limit=64 * KB)

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Answered under every host name: who asks there has only our address."""

TYPED: Final = ("/login", "/logout", "/setup", f"{API}/docs")
"""Pages whose address people type, perhaps with a slash behind it that leads there. No other address has a second form."""

_NAMED: Final = {
    "/": Access(who="anyone", body_limit=0),
    "/login": _FORM,
    "/logout": _FORM,
    "/setup": _FORM,
    "/manifest.json": _ASSET,
    "/favicon.ico": _ASSET,
    CSP_REPORTS: Access(who="signed in", is_activity=False, is_quiet=True, body_limit=16 * KB),
    **dict.fromkeys(PROBES, _ASSET),
    **{f"{page}/": _ASSET for page in TYPED},
}


def access(method: str, path: str) -> Access:  # noqa: ARG001 -- The rule's signature.
    known = _NAMED.get(path)
    if known is not None:
        return known
    return _ASSET if path.startswith("/static/") else _SIGNED_IN


def is_plain(path: str, raw_path: bytes) -> bool:
    """Whether an address of ours is written in its one form: without dot segments, empty ones or encoded slashes, which
    a proxy in front may read as another address than we do."""
    if "//" in path or b"%2f" in raw_path.lower():
        return False
    return "/." not in path or {".", ".."}.isdisjoint(path.split("/"))
