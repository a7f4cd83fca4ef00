"""Decide who may read the metrics: Prometheus with its token, or a program on this machine."""

from collections.abc import Iterable, Mapping
from hmac import compare_digest
from typing import Final

from starlette.types import Scope

from application.settings import Settings
from application.settings.environment import PREFIX
from entrypoints.web.bearer import bearer_in
from entrypoints.web.hosts import is_loopback_host
from entrypoints.web.proxies import is_loopback

_FORWARDING: Final = frozenset(
    {
        *("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip"),
        *("x-cluster-client-ip", "cf-connecting-ip", "fastly-client-ip"),
    }
)


def came_by_proxy(scope: Scope) -> bool:
    """Return whether the request looks like one that a proxy has passed on. A proxy without settings, such as nginx with
    proxy_pass alone, adds no header, but speaks HTTP/1.0, which neither browsers nor Prometheus do."""
    return scope.get("http_version") == "1.0" or _names_a_proxy(scope.get("headers", ()))


def _names_a_proxy(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    for name, _ in headers:
        plain = name.decode("latin-1").lower().replace("_", "-")
        if plain in _FORWARDING or plain.startswith("x-forwarded-"):
            return True
    return False


class Scrapers:
    def __init__(self, settings: Settings) -> None:
        token = settings.metrics_token
        self._token = None if token is None else token.get_secret_value().encode()
        self._takes_this_machine = settings.shows_metrics_to_this_machine

    def refusal(self, scope: Scope, headers: Mapping[bytes, str]) -> str:
        """Return why this request may not read the metrics, for the log; empty if it may. `headers` are those that the
        gate reads. Neither a session nor an access token counts."""
        if self._token is not None:
            sent = bearer_in(headers.get(b"authorization", "")) or ""
            is_right = compare_digest(sent.encode(), self._token)
            return "" if is_right else f"needs {PREFIX}METRICS_TOKEN as bearer token"
        if not self._takes_this_machine:
            return f"set {PREFIX}METRICS_TOKEN: in prod behind a proxy, only its bearer token opens the metrics"
        peer, _ = scope.get("client") or ("", 0)
        # A browser on this machine may have been led here by a name of another site (DNS rebinding).
        is_named = is_loopback_host(headers.get(b"host", "").lower())
        if is_loopback(peer) and is_named and not came_by_proxy(scope):
            return ""
        return f"only this machine may read the metrics; set {PREFIX}METRICS_TOKEN for others"
