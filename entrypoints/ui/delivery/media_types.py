"""Choose the content type and the content security policy with which a file of an app is sent.

A file is data: browsers must not run it as a script or style of this service, and an HTML document runs without an
origin.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

PLAIN: Final = b"text/plain; charset=utf-8"
BINARY: Final = b"application/octet-stream"

_KINDS: Final = (b"audio/", b"font/", b"image/", b"model/", b"video/")
"""Types that no browser runs. SVG is an exception, which is checked first."""
_DOCUMENTS: Final = frozenset({b"text/html", b"text/xml", b"application/xml"})
"""Documents that run scripts when they are opened. All types that end in +xml do so too, such as SVG and XHTML."""
_KEPT: Final = frozenset(
    {
        *(b"text/plain", b"text/csv", b"text/tab-separated-values", b"text/markdown", b"text/vtt"),
        *(b"text/event-stream", b"application/json", b"application/pdf", b"application/zip"),
        b"application/vnd.apple.mpegurl",
    }
)

_TEXTS: Final = frozenset({b"application/javascript"})
"""Types that are sent as plain text, like all other types that begin with text/."""

_SANDBOX: Final = (
    "sandbox allow-scripts allow-popups allow-downloads; "
    "default-src https: data: blob: 'unsafe-inline' 'unsafe-eval'; base-uri 'none'; form-action 'none'"
)
"""The policy of documents. Their scripts run without an origin and cannot reach cookies, storage and pages of this
service. They may load from other hosts over https, as maps and plots do."""
_NOTHING: Final = (
    "default-src 'none'; img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'"
)
"""The policy of all other files. It has no sandbox, because the PDF viewers of some browsers do not run in one."""


@lru_cache(maxsize=256)
def safe_type(content_type: bytes) -> bytes:
    """Return the type if it is known to be harmless, otherwise plain text or binary, which no browser runs (ASVS
    3.2.1)."""
    name = _name(content_type)
    if is_document(content_type) or name in _KEPT or name.startswith(_KINDS):
        return content_type
    return PLAIN if name.startswith(b"text/") or name in _TEXTS else BINARY


@lru_cache(maxsize=256)
def is_document(content_type: bytes) -> bool:
    name = _name(content_type)
    return name in _DOCUMENTS or name.endswith(b"+xml")


def _name(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePolicies:
    """The content security policies of one app's files."""

    document: bytes
    other: bytes

    @classmethod
    def framed_by(cls, ancestors: Iterable[str]) -> Self:
        """`ancestors` are the sources that may frame the app's pages, in addition to the service itself."""
        framers = " ".join(dict.fromkeys(("'self'", *ancestors)))
        document, other = (
            f"{policy}; frame-ancestors {framers}" for policy in (_SANDBOX, _NOTHING)
        )
        return cls(document=document.encode(), other=other.encode())

    def of(self, content_type: bytes) -> bytes:
        return self.document if is_document(content_type) else self.other
