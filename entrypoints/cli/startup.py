"""Keep the reason why a service cannot start. uvicorn would print a traceback and end with exit code 3."""

from collections.abc import Callable
from typing import Protocol

import structlog
from starlette.types import Message, Receive, Scope, Send

from application.use_cases import UseCases
from entrypoints import ui
from entrypoints.cli.program import Fault

log = structlog.get_logger()


class _Served(Protocol):
    @property
    def use_cases(self) -> UseCases | None: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Startup:
    """An ASGI application around a service. Its startup runs code of the apps, such as the functions of cached
    examples."""

    def __init__(self, service: _Served, instead: Callable[[str], _Served] | None = None) -> None:
        """`instead` takes a fault and returns what is served in place of a service that cannot start. Without it, a
        PageRefused becomes a Fault in `must_have_started`, and any other error is uvicorn's."""
        self._service = service
        self._instead = instead
        self._refused: str | None = None

    @property
    def use_cases(self) -> UseCases | None:
        return self._service.use_cases

    def must_have_started(self) -> None:
        """Raises Fault."""
        if self._refused is not None:
            raise Fault(self._refused)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._service(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: list[Message] = []

        async def send_unless_failed(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._service(scope, receive, send_unless_failed)
        except Exception as error:
            if not failed or not self._is_told(error):
                for message in failed:
                    await send(message)
                raise
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    def _is_told(self, error: Exception) -> bool:
        """Return whether the reason is kept, or shown on every page."""
        if isinstance(error, ui.PageRefused):
            fault = str(error)
        elif self._instead is not None:
            log.error("the service cannot start", exc_info=error)
            fault = f"{type(error).__name__}: {error}"
        else:
            return False
        if self._instead is None:
            self._refused = fault
        else:
            self._service = self._instead(fault)
        return True
