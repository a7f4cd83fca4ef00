"""Names of this machine."""

from ipaddress import ip_address


def is_loopback_name(host: str) -> bool:
    """Return whether the host is 127.0.0.0/8, [::1], localhost or ends in .localhost."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
