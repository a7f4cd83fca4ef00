"""Tell addresses of the internet from those of a network of one's own."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_TRANSLATED: Final = tuple(
    map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"))
)
"""Addresses that stand for IPv4 addresses, private ones among them."""


def is_public(ip: str) -> bool:
    """Return whether an app may fetch a file from this address. Gradio's own function takes shared address space
    (100.64.0.0/10, where some clouds tell a machine its secrets), 6to4 and site-local addresses for public."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_global and not (
        address.is_multicast or address.is_reserved or _is_local(address)
    )


def _is_local(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return False
    return address.is_site_local or any(address in network for network in _TRANSLATED)
