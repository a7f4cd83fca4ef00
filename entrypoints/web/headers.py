"""The headers every answer leaves with (ASVS 3.4)."""

from typing import Final

from application.settings import Settings

Headers = list[tuple[bytes, bytes]]

OWN_POLICY: Final = (
    b"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    b"manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
"""For our own pages, which have no script, and for everything that does not say otherwise."""

_ALWAYS: Final = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(self), microphone=(self), display-capture=(), geolocation=(), payment=(), usb=()",
}
_HSTS: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_DROPPED: Final = frozenset({*_ALWAYS, _HSTS[0], b"server", b"x-powered-by", b"x-request-id"})

_POLICY: Final = b"content-security-policy"
_UNFRAMED: Final = b"frame-ancestors 'none'"
_CACHE: Final = b"cache-control"
_TYPE: Final = b"content-type"


class Dressing:
    def __init__(self, settings: Settings) -> None:
        self._always: Headers = [*_ALWAYS.items(), *([_HSTS] if settings.is_https else [])]
        self._always_framed = [pair for pair in self._always if pair[0] != b"x-frame-options"]

    def dressed(self, headers: Headers, request_id: bytes) -> Headers:
        """With ours, and without what an answer must not say. A policy or caching rule it came with stays: without one,
        nobody keeps it, and it may do nothing."""
        kept: Headers = []
        has_policy = has_rule = is_framed = False
        for pair in headers:
            name = pair[0].lower()
            if name in _DROPPED or name.startswith(b"access-control-"):
                continue
            # A script has no use for a policy, except as a worker, which then lacks what its page allows.
            if name == _POLICY or (name == _TYPE and b"javascript" in pair[1]):
                has_policy = True
                is_framed = b"frame-ancestors " in pair[1] and _UNFRAMED not in pair[1]
            elif name == _CACHE:
                has_rule = True
            kept.append(pair)
        # The old header knows no list: where a policy names who may frame an answer, it would say the opposite.
        kept += self._always_framed if is_framed else self._always
        kept.append((b"x-request-id", request_id))
        if not has_policy:
            kept.append((_POLICY, OWN_POLICY))
        if not has_rule:
            kept.append((_CACHE, b"private, no-store"))
        return kept
