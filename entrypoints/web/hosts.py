"""Under which names the service answers: an unknown Host header goes no further."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from application.settings import Settings, is_loopback_name
from entrypoints.web.problems import Refused, refusal

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Origin:
    scheme: str
    host: str
    """With the port, where it is not the scheme's own."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


class Hosts:
    """In prod exactly the public URL's; in dev and test any loopback name and port besides."""

    def __init__(self, settings: Settings) -> None:
        parts = urlsplit(settings.public_url or "")
        self._public = Origin(parts.scheme, parts.netloc) if settings.public_url else None
        self._takes_loopback = settings.environment != "prod"
        self.origin = lru_cache(maxsize=256)(self._origin)

    def _origin(self, header: str | None, scheme: str) -> Origin:
        """Where the request came to, in the words of our settings. Raises Refused."""
        if header is None:
            raise _unknown()
        host = header.lower()
        public = self._public
        if public is not None and _without_default_port(host, public.scheme) == public.host:
            return public
        if self._takes_loopback and _is_loopback(host):
            return Origin(scheme, _without_default_port(host, scheme))
        raise _unknown()

    def any(self, header: str | None, scheme: str) -> Origin:
        """For addresses that answer under every name, such as probes by IP."""
        try:
            return self.origin(header, scheme)
        except Refused:
            return self._public or Origin(scheme, "localhost")


def _unknown() -> Refused:
    return refusal(
        400,
        "unknown-host",
        "Unknown host",
        "This service does not answer under that name. The operator sets its name as GRADIOAPP_PUBLIC_URL.",
    )


def _is_loopback(host: str) -> bool:
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
