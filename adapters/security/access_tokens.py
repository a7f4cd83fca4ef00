"""Keyed hashes of access tokens. Somebody who has only the database can neither make nor test a token."""

import hmac
from collections.abc import Sequence

from adapters.security.keys import derived, root_keys
from domain.ports.security import AccessTokenHasher


class HmacAccessTokenHasher(AccessTokenHasher):
    """HMAC with SHA-256, with one key derived from each of `keys`, the newest first. Each use of a token stores its
    hash under the newest key, so an old key can be removed when all tokens in use have been used since the new key was
    added."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        self._keys = [derived(root, "gradioapp access token") for root in root_keys(keys)]

    def hashes(self, value: str) -> Sequence[bytes]:
        return [hmac.digest(key, value.encode(), "sha256") for key in self._keys]
