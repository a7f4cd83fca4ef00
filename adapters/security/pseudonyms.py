"""Keyed hashes of texts that must not be stored in the clear."""

import hmac
from collections.abc import Sequence

from adapters.security.keys import derived, root_keys
from domain.ports.security import Pseudonyms


class HmacPseudonyms(Pseudonyms):
    """HMAC with SHA-256, with a key derived from the newest of `keys`, the first. A new key changes all pseudonyms."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        self._key = derived(root_keys(keys)[0], "gradioapp pseudonym")

    def of(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")
