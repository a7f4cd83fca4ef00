"""What an address asks of whoever comes to it: said by the web routes and by the UI, enforced by the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from domain.model.caller import SignedIn

SIGNED_IN: Final = "signed_in"
"""Key in the ASGI scope's `state`: the SignedIn of this request, or None on an open address."""
RECOGNISE: Final = "recognise"
"""Key in the scope's `state`: a `RecogniseAgain`, for what outlives the request's first check."""
REQUEST_ID: Final = "request_id"
"""Key in the scope's `state`: text, also sent as X-Request-ID and written to the log."""
NOTES: Final = "log_notes"
"""Key in the scope's `state`: a mapping of more fields for the request's line in the log."""

CSP_REPORTS: Final = "/csp-reports"
"""Where browsers tell what a page's content security policy has stopped."""


class RecogniseAgain(Protocol):
    async def __call__(self, *, activity: bool) -> SignedIn:
        """Who is signed in now; `activity` keeps the session awake. Raises SessionEnded, StoreUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    who: Literal["anyone", "signed in", "nobody"]
    """`nobody`: the address asks for a session like those that are there, and then answers 404 to all."""
    roles: frozenset[str] = frozenset()
    """Of those who are signed in, only whoever has one of these; all when empty."""
    is_activity: bool = True
    """Whether coming here keeps the session from growing idle."""
    asks_store: bool = True
    """Open addresses only: False where nobody needs to know who is there, so that no query is made."""
    is_quiet: bool = False
    """Whether what comes here goes without a line in the log at the usual level, unless it fails."""
    body_limit: int
    """Bytes; more is 413 before any of it is used."""
    goes_to_disk: bool = False
    """Whether the body is written to a file as it arrives, and is never in memory as a whole."""
    is_for_programs: bool = False
    """Whether only programs come here: one without a token is told that it needs one (RFC 6750)."""
    may_be_framed: bool = False
    """Whether pages of other addresses may show it in a frame, as its own policy says."""
    refusal: Mapping[str, Any] = field(default_factory=dict)
    """Members added to the problem document of a 401, for a front end that looks for them."""


class AccessRule(Protocol):
    def __call__(self, method: str, path: str) -> Access:
        """By the ASGI scope's method and path, never by a URL made from headers."""
