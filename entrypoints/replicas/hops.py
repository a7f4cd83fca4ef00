"""Sign the one hop that a request makes from the replica that received it to the home of its account.

The signature covers the method, the whole path with its query, the replica it is for, who sent the request, and the time.
It holds for ten seconds and once. The caller's cookie or access token goes along and is checked again: a hop gives no rights.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import Any, Final, Protocol

from domain.errors import SignedTokenRefused
from domain.model.replica import ReplicaId
from domain.model.signed_token import Claims, Purpose

HEADER: Final = b"x-gradioapp-hop"
"""The name of the header with the signature. It counts only on the listener for replicas; see BetweenReplicas."""
REFUSED: Final = "refused"
"""The value of the header in the response to a request whose signature does not hold."""
HOP: Final = "hop"
"""Key in the ASGI scope's `state`: the Hop by which a request came, absent for a request of a client."""
LASTS: Final = timedelta(seconds=10)
TOLD: Final = b"/told"
"""The path of what a replica says by itself, without a request of a client."""


class Codec(Protocol):
    """Signs and reads signed tokens."""

    def encode(self, purpose: Purpose, claims: Claims) -> str: ...

    def decode(self, purpose: Purpose, signed_token: str) -> Claims:
        """Raises SignedTokenRefused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What the replica that received a request knows of it."""

    peer: str
    """The address that opened the connection: a proxy's or the client's."""
    port: int
    scheme: str
    request_id: str
    traceparent: str = ""
    """The span of the request there, empty if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hops:
    codec: Codec
    now: Callable[[], datetime]
    new_secret: Callable[[], str]
    this: ReplicaId
    _used: dict[str, datetime] = field(default_factory=dict)
    """The nonces of the hops that have arrived, each until its hop expires."""

    def sign(
        self, scope: Mapping[str, Any], request_id: str, *, to: ReplicaId, traceparent: str = ""
    ) -> str:
        """Return the value of the header for a request that goes to the replica `to`."""
        peer, port = scope.get("client") or ("", 0)
        said = {
            "peer": peer,
            "port": port,
            "scheme": scope.get("scheme", "http"),
            "request_id": request_id,
            "traceparent": traceparent,
            "is": _fingerprint(scope, to),
        }
        now = self.now()
        return self.codec.encode(
            Purpose.HOP,
            Claims(
                subject=json.dumps(said),
                secret_id=self.new_secret(),
                issued_at=now,
                expires_at=now + LASTS,
            ),
        )

    def read(self, scope: Mapping[str, Any]) -> Hop:
        """Return what the other replica knows of a request that has arrived. Raises SignedTokenRefused unless it was
        signed for exactly this request and this replica, and has not arrived before."""
        tokens = [value for name, value in scope["headers"] if name == HEADER]
        if len(tokens) != 1:
            raise SignedTokenRefused
        claims = self.codec.decode(Purpose.HOP, tokens[0].decode("latin-1"))
        said = json.loads(claims.subject)
        if said["is"] != _fingerprint(scope, self.this):
            raise SignedTokenRefused
        self._must_be_new(claims)
        return Hop(
            peer=said["peer"],
            port=said["port"],
            scheme=said["scheme"],
            request_id=said["request_id"],
            # A replica of an earlier release sends none.
            traceparent=said.get("traceparent", ""),
        )

    def _must_be_new(self, claims: Claims) -> None:
        now = self.now()
        # The oldest come first, because all last equally long.
        for nonce in list(takewhile(lambda nonce: self._used[nonce] <= now, self._used)):
            del self._used[nonce]
        if claims.secret_id in self._used:
            raise SignedTokenRefused
        self._used[claims.secret_id] = claims.expires_at


def target_of(scope: Mapping[str, Any]) -> bytes:
    """Return the path and the query as the client has written them."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _fingerprint(scope: Mapping[str, Any], to: ReplicaId) -> str:
    parts = (scope["method"].encode(), target_of(scope), to.bytes)
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).hexdigest()
