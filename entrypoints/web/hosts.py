"""Check the Host header: requests to unknown host names are refused."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from application.settings import Settings, is_loopback_name
from entrypoints.web.problems import Refused, refusal

_LONGEST_SHOWN: Final = 100
"""Characters of an unknown host in a message."""
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Origin:
    scheme: str
    host: str
    """The host name, with the port unless it is the scheme's default."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


class Hosts:
    """Accepts the host of the public URL, and in dev and test also any loopback name and port."""

    def __init__(self, settings: Settings) -> None:
        parts = urlsplit(settings.public_url or "")
        self._public = Origin(parts.scheme, parts.netloc) if settings.public_url else None
        self._takes_loopback = settings.environment != "prod"
        self.origin = lru_cache(maxsize=256)(self._origin)

    def _origin(self, header: str | None, scheme: str) -> Origin:
        """Return the origin to which the request was sent, as the settings spell it. Raises Refused."""
        host = (header or "").lower()
        public = self._public
        if public is not None and _without_default_port(host, public.scheme) == public.host:
            return public
        if self._takes_loopback and is_loopback_host(host):
            return Origin(scheme, _without_default_port(host, scheme))
        raise refusal(400, "unknown-host", "Unknown host", self._explanation(host))

    @property
    def expected(self) -> str:
        """The host of the public URL, or a loopback name."""
        return "localhost" if self._public is None else self._public.host

    def _explanation(self, host: str) -> str:
        sent = f"The request names the host {shown(host)}, but this service is at {self.expected}."
        if host and host == self.expected.partition(":")[0]:
            return f"{sent} The proxy in front drops the port. In nginx, write: proxy_set_header Host $http_host;"
        return f"{sent} Open it there. If people are to type the other name, the operator sets it in GRADIOAPP_PUBLIC_URL."

    def any(self, header: str | None, scheme: str) -> Origin:
        """Return an origin for any Host header, for addresses such as health checks, which are requested by IP."""
        try:
            return self.origin(header, scheme)
        except Refused:
            return self._public or Origin(scheme, "localhost")


def shown(host: str) -> str:
    """Return the host as a message shows it."""
    return (
        host[:_LONGEST_SHOWN] if host.isascii() and host.isprintable() and host else "(unreadable)"
    )


def is_loopback_host(host: str) -> bool:
    """Return whether a Host header in lower case names this machine, with or without a port."""
    ipv6, bracket, rest = host.rpartition("]") if host.startswith("[") else ("", "", host)
    before, _, port = rest.partition(":")
    name = f"{ipv6}]{before}" if bracket else before
    is_number = port.isascii() and port.isdigit() and len(port) <= 5
    is_port = port == "" or (is_number and int(port) <= 65535)
    return is_port and name.isascii() and _is_name(name) and is_loopback_name(name)


def _is_name(name: str) -> bool:
    inside = name[1:-1] if name.startswith("[") else name
    return all(c.isalnum() or c in ".-" or (c == ":" and inside != name) for c in inside)


def _without_default_port(host: str, scheme: str) -> str:
    return host.removesuffix(f":{_DEFAULT_PORTS.get(scheme, '')}")
