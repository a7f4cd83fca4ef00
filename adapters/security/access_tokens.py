"""Keyed hashes of access tokens: whoever has the database alone can neither make one nor try one out."""

import hmac
from collections.abc import Sequence

from adapters.security.tokens import derived, root_keys
from domain.ports.security import AccessTokenHasher


class HmacAccessTokenHasher(AccessTokenHasher):
    """HMAC with SHA-256, under a key of its own derived from each of `keys`, the newest first. An old key leaves when
    the tokens that are still in use have been used since the new one came: each is then kept under the newest."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        self._keys = [derived(root, "gradioapp access token") for root in root_keys(keys)]

    def hashes(self, value: str) -> Sequence[bytes]:
        return [hmac.digest(key, value.encode(), "sha256") for key in self._keys]
