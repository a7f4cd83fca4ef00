"""`Authorization: Bearer …`, as a program sends it (RFC 6750)."""

import re
from typing import Final

_BEARER: Final = re.compile(r"(?:^|(?P<second>,))\s*bearer(?:\s+|$)", re.IGNORECASE)


def bearer_in(authorization: str) -> str | None:
    """What stands where the token should be, whatever it is: a header sent twice, joined by a comma, holds no token.
    None where nobody speaks of one: a proxy in front may ask for a password of its own in this header."""
    found = _BEARER.search(authorization)
    if found is None:
        return None
    return authorization if found["second"] else authorization[found.end() :]
