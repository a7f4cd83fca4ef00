"""The access rules of our own addresses. An address that is not named here needs a session."""

from typing import Final

from entrypoints.access import CSP_REPORTS, Access
from entrypoints.web.problems import refusal

KB: Final = 1024
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

API: Final = "/api/v1"
CONFIRMATION: Final = f"{API}/me/confirmation"

_FORM: Final = Access(who="anyone", takes_forms=True, body_limit=64 * KB)
_SIGN_IN: Final = Access(who="anyone", takes_forms=True, opens_sessions=True, body_limit=64 * KB)
_ASSET: Final = Access(who="anyone", asks_store=False, is_activity=False, body_limit=0)
_SIGNED_IN: Final = Access(who="signed in", body_limit=64 * KB)

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Health checks, which respond under every host name, because they are often requested by IP address."""

METRICS: Final = "/metrics"
"""The address for Prometheus. The gate decides who may read it. For everybody else, it does not exist."""
UNDER_EVERY_HOST: Final = PROBES | {METRICS}
"""Addresses that monitoring requests by IP address."""

TYPED: Final = ("/login", "/logout", "/setup", f"{API}/docs")
"""Pages whose addresses people type. A trailing slash redirects to the page, only here."""

_NAMED: Final = {
    "/": Access(who="anyone", body_limit=0),
    "/login": _SIGN_IN,
    "/login/done": _SIGNED_IN,
    "/logout": _FORM,
    "/setup": _FORM,
    "/manifest.json": _ASSET,
    "/favicon.ico": _ASSET,
    CSP_REPORTS: Access(who="signed in", is_activity=False, is_quiet=True, body_limit=16 * KB),
    **dict.fromkeys(UNDER_EVERY_HOST, _ASSET),
    **{f"{page}/": _ASSET for page in TYPED},
}


def access(method: str, path: str) -> Access:  # noqa: ARG001 -- The rule's signature.
    known = _NAMED.get(path)
    if known is not None:
        return known
    if path.startswith("/login/"):
        return _SIGN_IN
    return _ASSET if path.startswith("/static/") else _SIGNED_IN


def way_of(path: str, ui_prefix: str) -> str:
    """Return by which way a request comes, for the log."""
    if path.startswith(ui_prefix):
        return "app"
    return "api" if path.startswith(f"{API}/") else "page"


def is_plain(path: str, raw_path: bytes) -> bool:
    """Return whether an address of ours is in its simplest spelling: without dot segments, empty segments or encoded
    slashes, which a proxy in front may interpret differently."""
    if "//" in path or b"%2f" in raw_path.lower():
        return False
    return "/." not in path or {".", ".."}.isdisjoint(path.split("/"))


def must_be_readable(method: str, path: str) -> None:
    """Raises Refused for a method that no address has, and for a path with control characters."""
    if method not in METHODS:
        allowed = ", ".join(METHODS)
        raise refusal(405, "method-not-allowed", "Method not allowed", allow=allowed)
    is_odd = not path.isprintable() and any(
        c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in path
    )
    if is_odd or not path.startswith("/"):
        raise refusal(400, "bad-request", "Bad request", "The address is not valid.")
