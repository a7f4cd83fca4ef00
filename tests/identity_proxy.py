"""A proxy on loopback that signs people in, and says in a signed header who they are, like oauth2-proxy does."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from tests.lying_provider import CLIENT, LyingProvider

HEADER: Final = "X-Proxy-Jwt"
SIGN_OUT: Final = "/oauth2/sign_out"


def settings_of(provider: LyingProvider, **more: Any) -> dict[str, Any]:
    """Return the settings, without prefix and in lower case, of a service that believes the provider's tokens."""
    return {
        "trusted_proxies": "127.0.0.1",
        "proxy_identity_header": HEADER,
        "proxy_identity_issuer": provider.issuer,
        "proxy_identity_audience": CLIENT,
        "proxy_identity_jwks_url": f"{provider.issuer}/keys",
        "proxy_identity_domains": "example.org",
        "proxy_identity_label": "Corp",
        **more,
    }


def token_for(provider: LyingProvider, name: str) -> str:
    """Return a token for the person of this name, such as `ada`."""
    email = f"{name}@example.org"
    return provider.token(sub=name, email=email, email_verified=True, name=name.capitalize())


class IdentityProxy:
    """Passes requests on between its port and another one of this machine, each over a connection of its own."""

    def __init__(self, provider: LyingProvider) -> None:
        self.person: str | None = None
        """Who is signed in at the proxy. Can be changed at any time."""
        self.to = 0
        self.port = 0
        self._provider = provider

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.split(b" ")[1] == SIGN_OUT.encode():
                self.person = None
            if self.person is None:
                body = b"You are signed out of Corp"
                writer.write(b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\n")
                writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
            else:
                await self._pass_on(head, self.person, reader, writer)
        writer.close()

    async def _pass_on(
        self,
        head: bytes,
        person: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        behind, to_behind = await asyncio.open_connection("127.0.0.1", self.to)
        first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        kept = [
            line for line in lines if not line.lower().startswith((b"connection:", b"x-proxy-jwt:"))
        ]
        said = f"{HEADER}: {token_for(self._provider, person)}".encode()
        to_behind.write(b"\r\n".join([first, *kept, b"connection: close", said, b"", b""]))
        sending = asyncio.ensure_future(_copy(reader, to_behind))
        try:
            await _copy(behind, writer)
        finally:
            sending.cancel()
            to_behind.transport.abort()

    async def run(self, has_begun: Callable[[Callable[[], object]], None]) -> None:
        """Call `has_begun` with a function that ends the run."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            has_begun(lambda: loop.call_soon_threadsafe(over.set))
            await over.wait()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()


@contextmanager
def identity_proxy(provider: LyingProvider) -> Iterator[IdentityProxy]:
    """Run a proxy in a thread of its own, because Playwright has the loop of ours."""
    made, begun = IdentityProxy(provider), queue.Queue[Callable[[], object]]()
    thread = threading.Thread(target=lambda: asyncio.run(made.run(begun.put)))
    thread.start()
    end = begun.get(timeout=10)
    try:
        yield made
    finally:
        end()
        thread.join(timeout=10)


def as_environment(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as the texts of variables, without prefix."""
    return {name.upper(): str(value) for name, value in settings.items()}
