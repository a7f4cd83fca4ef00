"""Check where requests come from: unsafe ones only from our own pages, or from programs without our cookie (ASVS
3.5.1), and other sites may not embed our pages and files (ASVS 3.5.8)."""

from typing import Final
from urllib.parse import urlsplit

from entrypoints.web.hosts import Origin
from entrypoints.web.problems import refusal

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
NO_FORMS: Final = "This address takes no HTML forms. Send JSON, as Content-Type: application/json."
_OF_FORMS: Final = frozenset({"text/plain", "application/x-www-form-urlencoded"})
"""Types that a form can send, and that no address takes that is not for forms. Browsers say that a form sends the request
too, but not over http to another machine."""
FRAMES: Final = frozenset({"frame", "iframe"})
"""Values of Sec-Fetch-Dest for a page in a frame."""


def must_be_from_here(
    here: Origin,
    *,
    fetch_site: str | None,
    fetch_mode: str | None,
    origin: str | None,
    referer: str | None,
    has_cookie: bool,
    has_requested_with: bool,
) -> None:
    """Check a request with an unsafe method, by the first of these headers that was sent. Raises Refused."""
    if fetch_site is not None:
        is_from_here = fetch_site == "same-origin" or (
            fetch_site == "none" and fetch_mode == "navigate"
        )
    elif origin is not None:
        is_from_here = origin.lower() == str(here)
    elif referer is not None:
        is_from_here = _origin_of(referer) == str(here)
    else:
        is_from_here = not has_cookie or has_requested_with
    if not is_from_here:
        raise refusal(
            403,
            "foreign-origin",
            "Request from another site",
            "A page of another site sent this request. Load our page again and repeat it there.",
        )


def must_be_no_form(*, fetch_mode: str | None, content_type: str) -> None:
    """Check a request with an unsafe method at an address that takes no HTML forms. Texts of users may contain a form,
    which sends what they like as soon as its reader clicks. Raises Refused."""
    if fetch_mode == "navigate" or content_type.partition(";")[0].strip().lower() in _OF_FORMS:
        raise refusal(415, "unsupported-media-type", "Unsupported media type", NO_FORMS)


def is_embedded(
    *, fetch_site: str | None, fetch_mode: str | None, fetch_dest: str | None, may_be_framed: bool
) -> bool:
    """Return whether a page of another origin embeds the response. A link does not count. Over http to another machine,
    browsers do not send the headers; there, only Cross-Origin-Resource-Policy protects the response."""
    if fetch_site in {None, "same-origin", "none"}:
        return False
    is_framed = may_be_framed and fetch_dest in FRAMES
    return not (fetch_mode == "navigate" and (fetch_dest == "document" or is_framed))


def _origin_of(referer: str) -> str:
    if " " in referer:  # Two headers, which the gate has joined: no browser sends them.
        return ""
    try:
        parts = urlsplit(referer)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()
