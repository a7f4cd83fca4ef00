"""Decide under which content type a file of an app leaves, and under which content security policy.

A file is data: no page takes it for a script or a style of this service, and a document in it has no origin.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

PLAIN: Final = b"text/plain; charset=utf-8"
BINARY: Final = b"application/octet-stream"

_KINDS: Final = (b"audio/", b"font/", b"image/", b"model/", b"video/")
"""Kinds of types that no browser runs, whatever is in them; SVG is judged before."""
_DOCUMENTS: Final = frozenset({b"text/html", b"text/xml", b"application/xml"})
"""Documents that run scripts when they are opened; so do all types that end in +xml, such as SVG and XHTML."""
_KEPT: Final = frozenset(
    {
        *(b"text/plain", b"text/csv", b"text/tab-separated-values", b"text/markdown", b"text/vtt"),
        *(b"text/event-stream", b"application/json", b"application/pdf", b"application/zip"),
        b"application/vnd.apple.mpegurl",
    }
)

_TEXTS: Final = frozenset({b"application/javascript"})
"""To be read as texts, like all that begin with text/."""

_SANDBOX: Final = (
    "sandbox allow-scripts allow-popups allow-downloads; "
    "default-src https: data: blob: 'unsafe-inline' 'unsafe-eval'; base-uri 'none'; form-action 'none'"
)
"""For documents: their scripts run without an origin, so that cookies, storage and pages of this service are out of their
reach. They may load from other hosts over https, as maps and figures do."""
_NOTHING: Final = (
    "default-src 'none'; img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'"
)
"""For everything else. PDF has no sandbox, in which not every browser's viewer runs."""


@lru_cache(maxsize=256)
def safe_type(content_type: bytes) -> bytes:
    """The type itself where it is known to be harmless, else text or bytes that no browser runs (ASVS 3.2.1)."""
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
    """The policies of one app's files."""

    document: bytes
    other: bytes

    @classmethod
    def framed_by(cls, ancestors: Iterable[str]) -> Self:
        """`ancestors`: sources that may frame the app's pages, besides the service itself."""
        framers = " ".join(dict.fromkeys(("'self'", *ancestors)))
        document, other = (
            f"{policy}; frame-ancestors {framers}" for policy in (_SANDBOX, _NOTHING)
        )
        return cls(document=document.encode(), other=other.encode())

    def of(self, content_type: bytes) -> bytes:
        return self.document if is_document(content_type) else self.other
