"""Read the access token in `Authorization: Bearer …`, as programs send it (RFC 6750)."""

import re
from typing import Final

_BEARER: Final = re.compile(r"(?:^|(?P<second>,))\s*bearer(?:\s+|$)", re.IGNORECASE)


def bearer_in(authorization: str) -> str | None:
    """Return the text in place of the token, unchecked. Two headers, joined by a comma, yield no valid token. Return
    None without `Bearer`: a proxy in front may use the header for its own password."""
    found = _BEARER.search(authorization)
    if found is None:
        return None
    return authorization if found["second"] else authorization[found.end() :]
