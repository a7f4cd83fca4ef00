"""Keyed marks of accounts. Browsers may store them: nobody without the key can make one or find its account."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from adapters.security.keys import derived, root_keys
from domain.model.user import UserId
from domain.ports.security import AccountMarks


class HmacAccountMarks(AccountMarks):
    """HMAC with SHA-256, with a key derived from the newest of `keys`, the first. A new key changes all marks."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        newest = root_keys(keys)[0]
        self._key = derived(newest, "gradioapp account mark")
        self._text_key = derived(newest, "gradioapp text mark")

    def mark(self, user_id: UserId, purpose: str) -> str:
        # An id always has 16 bytes, so no two pairs of id and purpose give the same message.
        message = user_id.bytes + purpose.encode("utf-8", "surrogatepass")
        return _encoded(hmac.digest(self._key, message, "sha256"))

    def mark_of_text(self, text: str) -> str:
        message = text.encode("utf-8", "surrogatepass")
        return _encoded(hmac.digest(self._text_key, message, "sha256"))


def _encoded(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
