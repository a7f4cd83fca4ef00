"""Serve all addresses below the path of the public URL, such as `https://example.com/app`.

Inside the service, addresses have no such path. A proxy may remove it from requests or keep it.
"""

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope


@dataclass(frozen=True, slots=True)
class BasePath:
    path: str
    """Without a trailing slash; empty for a service that has its host for itself."""

    def without(self, address: str) -> str:
        """Return an address of a request as the service knows it."""
        if not self._has(address):
            return address
        rest = address[len(self.path) :]
        return rest if rest.startswith("/") else f"/{rest}"

    def outside(self, address: str) -> str:
        """Return an address of the service as the browser knows it. Addresses of other hosts stay as they are."""
        is_path = address.startswith("/") and not address.startswith("//")
        return f"{self.path}{address}" if is_path else address

    def once(self, address: str) -> str:
        """Return an address as the browser knows it, whether it begins with the path already or not."""
        return address if self._has(address) else self.outside(address)

    def inside(self, scope: Scope) -> Scope:
        """Return the scope of a request with the address as the service knows it."""
        if not self._has(scope["path"]):
            return scope
        raw = (scope.get("raw_path") or b"")[len(self.path) :] or b"/"
        return {**scope, "path": self.without(scope["path"]), "raw_path": raw}

    def outer(self, scope: Scope) -> Scope:
        """Return the scope of a request with the address as the browser knows it, for an application that makes links
        from it."""
        raw = self.path.encode() + (scope.get("raw_path") or scope["path"].encode())
        roots = {
            name: f"{self.path}{scope.get(name, '')}" for name in ("root_path", "app_root_path")
        }
        return {**scope, **roots, "path": f"{self.path}{scope['path']}", "raw_path": raw}

    def _has(self, address: str) -> bool:
        if not self.path or not address.startswith(self.path):
            return False
        return address[len(self.path) :][:1] in {"", "/", "?", "#"}


AT_ROOT: Final = BasePath("")
