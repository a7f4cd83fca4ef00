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
_FRAMERS: Final = b"frame-ancestors "
_UNFRAMED: Final = b"frame-ancestors 'none'"
_SANDBOX: Final = b"sandbox "
_CACHE: Final = b"cache-control"
_TYPE: Final = b"content-type"
_SCRIPTS: Final = frozenset({b"text/javascript", b"application/javascript"})
"""Types of our own scripts and of Gradio's; files of apps have none of them."""


class Dressing:
    def __init__(self, settings: Settings) -> None:
        always = dict([*_ALWAYS.items(), *([_HSTS] if settings.is_https else [])])
        self._always: Headers = list(always.items())
        # The old header knows no list: where a policy names who may frame an answer, it would say the opposite.
        del always[b"x-frame-options"]
        self._framed: Headers = list(always.items())
        # By the HTML standard a sandboxed document with such a header is not shown at all.
        del always[b"cross-origin-opener-policy"]
        self._sandboxed: Headers = list(always.items())

    def dressed(self, headers: Headers, request_id: bytes) -> Headers:
        """With ours, and without what an answer must not say. A policy or caching rule it came with stays: without one,
        nobody keeps it, and it may do nothing."""
        kept: Headers = []
        policy: bytes | None = None
        is_script = has_rule = False
        for pair in headers:
            name = pair[0].lower()
            if name in _DROPPED or name.startswith(b"access-control-"):
                continue
            if name == _POLICY:
                policy = pair[1]
            elif name == _TYPE:
                is_script = pair[1].partition(b";")[0] in _SCRIPTS
            elif name == _CACHE:
                has_rule = True
            kept.append(pair)
        kept += self._for(policy)
        kept.append((b"x-request-id", request_id))
        # A script has no use for a policy, except as a worker, which then lacks what its page allows.
        if policy is None and not is_script:
            kept.append((_POLICY, OWN_POLICY))
        if not has_rule:
            kept.append((_CACHE, b"private, no-store"))
        return kept

    def _for(self, policy: bytes | None) -> Headers:
        if policy is None or _UNFRAMED in policy or _FRAMERS not in policy:
            return self._always
        return self._sandboxed if policy.startswith(_SANDBOX) else self._framed
