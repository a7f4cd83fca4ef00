"""Unsafe requests come from our own pages, or from a program without our cookie (ASVS 3.5.1), and pages of other sites load
nothing of ours into themselves (ASVS 3.5.8)."""

from typing import Final
from urllib.parse import urlsplit

from entrypoints.web.hosts import Origin
from entrypoints.web.problems import refusal

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FRAMES: Final = frozenset({"frame", "iframe"})


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
    """For unsafe methods, by the first of the headers that was sent. Raises Refused."""
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
            "Not from here",
            "This request was sent by a page of another site. Load the page again and repeat it there.",
        )


def is_embedded(
    *, fetch_site: str | None, fetch_mode: str | None, fetch_dest: str | None, may_be_framed: bool
) -> bool:
    """Whether a page of another origin loads this into itself; a link that leads here is none. Over plain http to another
    machine browsers send nothing to tell it by: there Cross-Origin-Resource-Policy alone keeps it from that page."""
    if fetch_site in {None, "same-origin", "none"}:
        return False
    is_framed = may_be_framed and fetch_dest in _FRAMES
    return not (fetch_mode == "navigate" and (fetch_dest == "document" or is_framed))


def _origin_of(referer: str) -> str:
    try:
        parts = urlsplit(referer)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()
