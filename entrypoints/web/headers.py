"""Set the security headers of every response (ASVS 3.4)."""

from collections.abc import Sequence
from typing import Final

from application.settings import Settings

Headers = list[tuple[bytes, bytes]]

OWN_POLICY: Final = (
    b"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    b"manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
"""The policy of our own pages without scripts, and of every response without a policy."""


def own_policy(framers: Sequence[str]) -> str:
    """Return the policy of our own pages without scripts that these sites may show in a frame."""
    own = OWN_POLICY.decode()
    return own.replace("frame-ancestors 'none'", f"frame-ancestors {' '.join(framers)}")


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
"""Types of our own scripts and of Gradio's. Files of apps are never sent with one of them."""


def has_policy(headers: Headers) -> bool:
    return any(name.lower() == _POLICY for name, _ in headers)


class ResponseHeaders:
    def __init__(self, settings: Settings) -> None:
        # Strict-Transport-Security counts for the whole host, which may be shared with other services.
        has_host = settings.is_https and not settings.base_path
        always = dict([*_ALWAYS.items(), *([_HSTS] if has_host else [])])
        self._always: Headers = list(always.items())
        # X-Frame-Options has no list of sites, so it would contradict a policy that allows some.
        del always[b"x-frame-options"]
        self._framed: Headers = list(always.items())
        # By the HTML standard, browsers do not show a sandboxed document that has this header.
        del always[b"cross-origin-opener-policy"]
        self._sandboxed: Headers = list(always.items())

    def complete(self, headers: Headers, request_id: bytes) -> Headers:
        """Add our security headers and remove revealing ones. Keep an existing CSP or Cache-Control; otherwise send a
        deny-all CSP and `private, no-store`."""
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
        # Scripts need no policy. A worker's script would even lose what its page allows.
        if policy is None and not is_script:
            kept.append((_POLICY, OWN_POLICY))
        if not has_rule:
            kept.append((_CACHE, b"private, no-store"))
        return kept

    def _for(self, policy: bytes | None) -> Headers:
        if policy is None or _UNFRAMED in policy or _FRAMERS not in policy:
            return self._always
        return self._sandboxed if policy.startswith(_SANDBOX) else self._framed
