"""Encryption of texts in the store."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from adapters.security.keys import derived, root_keys
from domain.ports.security import Encryption


class FernetEncryption(Encryption):
    """AES-128-CBC with HMAC-SHA-256, with keys derived from `keys`, the newest first. Add a new key in front; what an old
    key has encrypted is lost when the key is removed."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        self._fernet = MultiFernet(
            [
                Fernet(urlsafe_b64encode(derived(root, "gradioapp encryption")))
                for root in root_keys(keys)
            ]
        )

    def encrypt(self, text: str, *, belongs_to: str) -> bytes:
        return self._fernet.encrypt(json.dumps([belongs_to, text]).encode())

    def decrypt(self, encrypted: bytes, *, belongs_to: str) -> str | None:
        try:
            owner, text = json.loads(self._fernet.decrypt(encrypted))
        except InvalidToken:
            return None
        return str(text) if owner == belongs_to else None
