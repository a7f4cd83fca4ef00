"""Keyed marks of accounts: a browser can keep them, and nobody can make one or read the account from it."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from adapters.security.tokens import derived, root_keys
from domain.model.user import UserId
from domain.ports.security import AccountMarks


class HmacAccountMarks(AccountMarks):
    """HMAC with SHA-256, under a key of its own derived from the newest of `keys`, the first: a new key gives every
    account new marks."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        self._key = derived(root_keys(keys)[0], "gradioapp account mark")

    def mark(self, user_id: UserId, purpose: str) -> str:
        # An id always has 16 bytes, so no two pairs of id and purpose give the same message.
        message = user_id.bytes + purpose.encode("utf-8", "surrogatepass")
        return urlsafe_b64encode(hmac.digest(self._key, message, "sha256")).rstrip(b"=").decode()
