"""Access rules of addresses: defined by the web routes and the UI, enforced by the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from domain.model.caller import SignedIn

SIGNED_IN: Final = "signed_in"
"""Key in the ASGI scope's `state`: the SignedIn of this request, or None at an open address without a session."""
RECOGNISE: Final = "recognise"
"""Key in the scope's `state`: a `RecogniseAgain`, which checks the session again during a long request."""
REQUEST_ID: Final = "request_id"
"""Key in the scope's `state`: the request's id as text, also sent as X-Request-ID and written to the log."""
PROOF: Final = "proof"
"""Key in the scope's `state`: what the proxy's identity header proves. Only at open addresses, such as sign-in."""
FOUND: Final = "found"
"""Key in the scope's `state`: `Access.found`, for the application behind the gate."""
NOTES: Final = "log_notes"
"""Key in the scope's `state`: a mapping of more fields for the request's line in the log."""

TRACE: Final = "trace"
"""Key in the scope's `state`: the request's span, absent if it has none."""

CSP_REPORTS: Final = "/csp-reports"
"""The address to which browsers report violations of a page's content security policy."""


def sign_in_again(provider: str) -> str:
    """Return the address at which a signed-in person signs in at a provider again, to confirm the session."""
    return f"/login/{provider}/again"


def origin_of(scope: Mapping[str, Any], *, via: str) -> dict[str, str]:
    """Return where a request comes from, for all lines of the log that it causes. The gate has put the client's
    address and the request's id into the scope."""
    address, _ = scope.get("client") or ("", 0)
    request_id = str(scope.get("state", {}).get(REQUEST_ID, "-"))
    origin = {"request_id": request_id, "address": address, "via": via}
    span = scope.get("state", {}).get(TRACE)
    return origin if span is None else {**origin, "trace_id": span.trace_id}


class RecogniseAgain(Protocol):
    async def __call__(self, *, activity: bool) -> SignedIn:
        """Return the caller, if the session or access token is still live. `activity` resets the session's idle
        timeout. Raises SessionEnded, StoreUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The access rules of one address."""

    who: Literal["anyone", "signed in", "nobody"]
    """`nobody` is for an address that does not exist: it needs a session, like other addresses, and then responds
    404."""
    roles: frozenset[str] = frozenset()
    """The caller needs one of these roles. If empty, every signed-in account has access."""
    is_activity: bool = True
    """True if a request resets the session's idle timeout."""
    asks_store: bool = True
    """False skips the session lookup. Only for open addresses."""
    is_quiet: bool = False
    """True if requests are only logged at debug level, unless they fail."""
    body_limit: int
    """Bytes. A larger body is refused with 413 before any of it is used."""
    body_limit_setting: str = ""
    """The setting with which the operator raises the limit; empty if there is none."""
    goes_to_disk: bool = False
    """True if the body is written to a file while it arrives, so that it is never in memory as a whole."""
    is_for_programs: bool = False
    """True if only programs use the address. A 401 then has `WWW-Authenticate: Bearer` (RFC 6750)."""
    takes_forms: bool = False
    """True if the address takes what an HTML form sends. Each form has a token, which forms in texts of users have not."""
    opens_sessions: bool = False
    """True for an open address that begins or finishes a sign-in. Pages of other sites may not embed it, for example as an
    image."""
    may_be_framed: bool = False
    """True if other sites may show the page in a frame, as its own CSP says."""
    framers: Sequence[str] = ()
    """The sources of the sites that may show an error page of this address in a frame: those that may show the app."""
    runs_at_home: bool = False
    """True if the response needs what the account's home has in memory: see `entrypoints/replicas`."""
    runs_at_home_with: bytes = b""
    """The field of a query with which it does, where it does not otherwise. Empty if there is none."""
    found: Any = field(default=None, compare=False)
    """The row for the address, which the gate stores in the scope's `state` under FOUND."""
    refusal: Mapping[str, Any] = field(default_factory=dict)
    """Members to add to the problem document of a 401, for a front end that looks for them."""


def needs_home(rule: Access, query: bytes) -> bool:
    """Return whether the response to a request with this query needs what the account's home has in memory."""
    field_of_home = rule.runs_at_home_with
    return rule.runs_at_home or (bool(field_of_home) and field_of_home in query)


class AccessRule(Protocol):
    def __call__(self, method: str, path: str) -> Access:
        """Return the rules for the method and path of the ASGI scope, never for a URL made from headers."""
