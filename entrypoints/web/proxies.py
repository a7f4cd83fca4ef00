"""Where a request really comes from: what proxies say is believed of trusted ones only."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from application.settings import Settings

Address = IPv4Address | IPv6Address

SCRUBBED: Final = frozenset(
    {
        b"forwarded",
        b"x-real-ip",
        b"x-client-ip",
        b"x-original-url",
        b"x-original-host",
        b"x-rewrite-url",
        b"x-host",
        b"x-http-method-override",
        b"x-method-override",
        b"x-http-method",
        b"x-gradio-server",
        b"x-gradio-target",
        b"x-gradio-port",
        b"x-gradio-mounted-path",
        b"x-direct-url",
    }
)
"""Headers that frameworks behind the gate would believe of anybody; all X-Forwarded-… besides (ASVS 4.1.3)."""


class Proxies:
    def __init__(self, settings: Settings) -> None:
        self._trusted = settings.trusted_proxies
        self._known = lru_cache(maxsize=1024)(self._behind)

    def client(self, peer: str, forwarded_for: str) -> str:
        """The address of who speaks to us, or to the outermost proxy that we trust."""
        if not self._trusted or not forwarded_for:
            return peer
        return self._known(peer, forwarded_for[-1000:])

    def _behind(self, peer: str, forwarded_for: str) -> str:
        """From right to left, the first address that is not a trusted proxy's."""
        address = peer
        for said in reversed([peer, *forwarded_for.split(",")][1:]):
            if not self.is_trusted(address):
                break
            parsed = _address(said)
            if parsed is None:
                break
            address = str(parsed)
        return address

    def is_trusted(self, address: str) -> bool:
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
