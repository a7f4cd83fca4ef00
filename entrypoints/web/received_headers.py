"""Read the headers of a request that the gate needs, and drop those that nothing behind the gate may see."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from entrypoints.web.headers import Headers
from entrypoints.web.problems import refusal, wants_page

LARGEST: Final = 64 * 1024
"""Bytes of all names and values together."""
LONGEST_TYPE: Final = 1000
"""Bytes of a Content-Type. Libraries search it with a pattern that takes time by the square of its length."""

SCRUBBED: Final = frozenset(
    {
        b"forwarded",
        b"x-real-ip",
        b"x-client-ip",
        b"x-original-url",
        b"x-original-host",
        b"x-rewrite-url",
        b"x-host",
        b"x-http-method-override",
        b"x-method-override",
        b"x-http-method",
        b"x-gradio-server",
        b"x-gradio-target",
        b"x-gradio-port",
        b"x-gradio-mounted-path",
        b"x-direct-url",
    }
)
"""Headers that are removed, because frameworks behind the gate would trust them from any client (ASVS 4.1.3)."""
NAMING_PEOPLE: Final = frozenset(
    {
        *(b"x-user", b"x-user-id", b"x-user-name", b"x-username", b"x-user-email", b"x-email"),
        *(b"x-id-token", b"x-access-token", b"x-jwt-assertion", b"remote-user", b"user"),
    }
)
"""Headers in which proxies say who a person is, and which an app may believe. Nothing behind the gate gets them: it learns
from the session who the caller is."""
SCRUBBED_STARTS: Final = (
    b"x-forwarded-",
    b"x-auth-request-",
    b"x-authenticated-",
    b"x-authentik-",
    b"x-pomerium-",
    b"x-remote-",
    b"x-vouch-",
    b"x-webauth-",
    b"x-amzn-oidc-",
    b"x-goog-authenticated-user-",
    b"x-goog-iap-",
    b"x-ms-client-principal",
    b"x-ms-token-",
    b"x-client-cert",
    b"x-ssl-",
    b"ssl-client-",
    b"cf-access-",
    b"remote-",
    b"tailscale-",
)
"""Beginnings of more such headers, of well-known proxies."""

_NOT_PASSED_ON: Final = frozenset({b"authorization", b"host", b"x-forwarded-for"})
"""Headers that the gate reads, then drops or replaces."""
_READ: Final = frozenset(
    {
        b"accept",
        b"authorization",
        b"content-length",
        b"content-type",
        b"cookie",
        b"host",
        b"origin",
        b"referer",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"transfer-encoding",
        b"x-forwarded-for",
        b"x-gradioapp-passive",
        b"x-requested-with",
    }
)


def read_headers(raw: Headers, headers: dict[bytes, str], *, identity: bytes = b"") -> Headers:
    """Fill `headers` with the headers that the gate reads, `identity` included, and return those that are passed on. If
    a header is sent twice, join its values: the result is not valid for a header that allows only one value, such as
    Host. Raises Refused."""
    passed_on: Headers = []
    size = 0
    for pair in raw:
        name, value = pair
        size += len(name) + len(value)
        if name in _READ or name == identity:
            text = value.decode("latin-1")
            if name in headers:
                text = f"{headers[name]}{'; ' if name == b'cookie' else ', '}{text}"
            headers[name] = text
            _must_be_short(name, value)
            if name not in _NOT_PASSED_ON and name != identity:
                passed_on.append(pair)
        elif (plain := _plain(name)) and plain != identity:
            _must_be_short(plain, value)
            passed_on.append(pair)
    if size > LARGEST:
        headers.clear()
        raise refusal(
            431, "headers-too-large", "Headers too large", "Delete the cookies of this site."
        )
    return passed_on


def _must_be_short(name: bytes, value: bytes) -> None:
    """Raises Refused for a Content-Type that is too long."""
    if name == b"content-type" and len(value) > LONGEST_TYPE:
        raise refusal(
            400,
            "content-type-too-long",
            "Bad request",
            f"The Content-Type has more than {LONGEST_TYPE} characters.",
        )


@lru_cache(maxsize=1024)
def _plain(name: bytes) -> bytes:
    """Return the name in lower case and with hyphens, as frameworks and CGI read it; empty if nothing behind the gate may
    see it."""
    plain = name.lower().replace(b"_", b"-")
    is_scrubbed = plain in SCRUBBED or plain in NAMING_PEOPLE or plain.startswith(SCRUBBED_STARTS)
    return b"" if is_scrubbed else plain


def is_for_a_person(headers: Mapping[bytes, str]) -> bool:
    return wants_page(headers.get(b"accept", ""), headers.get(b"sec-fetch-mode", ""))
