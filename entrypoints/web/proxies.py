"""Find the client's address. Forwarding headers count only if they come from a trusted proxy."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import structlog
from starlette.types import Scope

from application.settings import Settings

Address = IPv4Address | IPv6Address

IGNORED: Final = "X-Forwarded-For is ignored"
"""The beginning of the log line about a proxy that is not trusted."""
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,100}")
MOST_NAMED: Final = 20
"""Peers that the log names: anybody can send the header."""

log = structlog.get_logger()


class Proxies:
    def __init__(self, settings: Settings) -> None:
        self._trusted = settings.trusted_proxies
        self._named: set[str] = set()
        self._known = lru_cache(maxsize=1024)(self._behind)

    def client(self, peer: str, forwarded_for: str) -> str:
        """Return the address of the client that connects to us, or to the outermost trusted proxy."""
        if not forwarded_for:
            return peer
        if not self.is_trusted(peer):
            self.name_once(
                peer,
                f"{IGNORED}, because it comes from an address that is not in GRADIOAPP_TRUSTED_PROXIES. If this is your proxy, "
                "add the address: until then, all visitors share it, with its limits of sign-in and connections",
            )
            return peer
        return self._known(peer, forwarded_for[-1000:])

    def _behind(self, peer: str, forwarded_for: str) -> str:
        """Return the first address, from right to left, that is not a trusted proxy's."""
        address = peer
        for said in reversed([peer, *forwarded_for.split(",")][1:]):
            if not self.is_trusted(address):
                break
            parsed = _address(said)
            if parsed is None:
                break
            address = str(parsed)
        return address

    def request_id(self, scope: Scope) -> str | None:
        """Return the id that a trusted proxy has given the request, so that its log and ours have the same; None if it
        has given none, several, or one that does not look like an id."""
        return self._said(scope, b"x-request-id", _REQUEST_ID)

    def traceparent(self, scope: Scope) -> str | None:
        """Return the span of a trusted proxy that has sent the request, in the format of W3C Trace Context; None as for
        `request_id`."""
        return self._said(scope, b"traceparent", _TRACEPARENT)

    def _said(self, scope: Scope, header: bytes, pattern: re.Pattern[bytes]) -> str | None:
        """Return the only value of a trusted proxy's header."""
        peer, _ = scope.get("client") or ("", 0)
        if not self._trusted or not self.is_trusted(peer):
            return None
        found = [value for name, value in scope["headers"] if name.lower() == header]
        if len(found) != 1 or not pattern.fullmatch(found[0]):
            return None
        return str(found[0], "ascii")

    def name_once(self, peer: str, sentence: str) -> None:
        """Log once in this process that a peer sends a header in vain."""
        if peer in self._named or len(self._named) >= MOST_NAMED:
            return
        self._named.add(peer)
        log.warning(sentence, peer=peer)

    def is_trusted(self, address: str) -> bool:
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def is_loopback(peer: str) -> bool:
    """Return whether the peer is on this machine."""
    parsed = _address(peer)
    return parsed is not None and parsed.is_loopback


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
