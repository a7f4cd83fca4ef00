"""The operator's hands: the settings, and the use cases without a server around them.

What is heavy is imported when it is needed, so that help and a slip of the finger are answered at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from domain.model.caller import Caller
from entrypoints.cli.program import Fault

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from application.container import Composition
    from application.settings import Settings
    from application.use_cases import UseCases

T = TypeVar("T")

OPERATOR: Final = Caller.operator()


def settings_now(**overrides: Any) -> "Settings":
    """Raises SettingsInvalid, for a database URL that means nothing too."""
    from application.settings import load

    settings = load(**overrides)
    must_name_a_database(settings)
    return settings


def must_name_a_database(settings: "Settings") -> None:
    from sqlalchemy.exc import ArgumentError

    from adapters.sql.engine import parsed_url
    from application.settings import PREFIX, SettingsInvalid

    try:
        parsed_url(settings.database)
    except (ValueError, ArgumentError) as error:
        raise SettingsInvalid([f"{PREFIX}DATABASE_URL: {error}"]) from error


def kept_settings() -> "Settings":
    """Of a service whose data outlives the process, so that a command can see and change it."""
    settings = settings_now()
    if settings.environment == "test":
        raise Fault(
            "GRADIOAPP_ENVIRONMENT=test keeps everything in the memory of its process. Set it to dev or prod."
        )
    return settings


def operate(work: "Callable[[UseCases], Awaitable[T]]") -> T:
    """Migrates first in dev, and refuses in prod while there is something to migrate."""
    return asyncio.run(_operate(kept_settings(), work, serves=False))


async def _operate(
    settings: "Settings", work: "Callable[[UseCases], Awaitable[T]]", *, serves: bool
) -> T:
    from application.container import build, running

    container = build(settings)
    async with running(container, serves=serves):
        return await work(container.use_cases())


async def let_go(container: "Composition") -> None:
    """For a container that was used without `running`, which would migrate."""
    container.hasher().close()
    engine = container.engine()
    if engine is not None:
        await engine.dispose()


def make_ready(settings: "Settings") -> None:
    """What serving needs, tried before there is a server that could fail half-way."""

    async def nothing(_: "UseCases") -> None:
        return None

    asyncio.run(_operate(settings, nothing, serves=True))


def on_the_database(work: "Callable[[AsyncEngine], Awaitable[T]]") -> T:
    """As it is: nothing is migrated first."""
    from adapters.sql.engine import make_engine
    from adapters.system.files import private_folder

    settings = kept_settings()
    private_folder(settings.data_dir)

    async def run() -> T:
        engine = make_engine(settings.database)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def address(settings: "Settings") -> str:
    """Where people find the service."""
    if settings.public_url is not None:
        return settings.public_url
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
