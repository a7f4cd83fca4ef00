"""Run use cases for the operator's commands, without a server.

Heavy modules are imported only when they are needed, so that help and error messages appear at once.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
import typer
from structlog.contextvars import bound_contextvars

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
    """Load the settings, and say which names in `.env` are left to the apps. Raises SettingsInvalid, also for an
    invalid database URL."""
    from application.settings import load, note_on_dotenv

    settings = load(**overrides)
    must_name_a_database(settings)
    if note := note_on_dotenv(settings):
        _print_once(note)
    return settings


@cache
def _print_once(line: str) -> None:
    typer.echo(line, err=True)


def must_name_a_database(settings: "Settings") -> None:
    """Raises SettingsInvalid for an invalid database URL."""
    from adapters.sql.engine import parsed_url
    from application.settings import PREFIX, SettingsInvalid

    try:
        parsed_url(settings.database)
    except ValueError as error:
        raise SettingsInvalid([f"{PREFIX}DATABASE_URL: {error}"]) from error


def kept_settings() -> "Settings":
    """Load the settings. Raises Fault if the data is only in the memory of the service's process, where a command
    cannot reach it."""
    settings = settings_now()
    if settings.environment == "test":
        raise Fault(
            "With GRADIOAPP_ENVIRONMENT=test, all data is in the memory of the service's process. "
            "Set it to dev or prod."
        )
    return settings


def operate(work: "Callable[[UseCases], Awaitable[T]]") -> T:
    """Run use cases on the operator's database. Pending migrations are run first in dev, and refused in prod."""
    from application.container import build
    from application.running import running

    settings = kept_settings()
    container = build(settings)

    async def run() -> T:
        async with running(container, serves=False):
            return await work(container.use_cases())

    with _logging_to_standard_error(settings):
        return asyncio.run(run())


@contextmanager
def _logging_to_standard_error(settings: "Settings") -> Iterator[None]:
    """Keep the log apart from the output of the command. Acts that concern security are logged where logs are JSON, as
    in prod; a terminal of a developer shows warnings only."""
    before = structlog.get_config()
    level = logging.INFO if settings.logs_json else logging.WARNING
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    try:
        with bound_contextvars(via="command line"):
            yield
    finally:
        structlog.configure(**before)


async def release(container: "Composition") -> None:
    """Close a container that was used without `running`, which would run migrations."""
    container.hasher().close()
    engine = container.engine()
    if engine is not None:
        await engine.dispose()


def make_ready(container: "Composition") -> None:
    """Try everything that serving needs, such as the database, before the server starts."""
    from application.running import running

    async def run() -> None:
        async with running(container):
            pass

    asyncio.run(run())


def on_the_database(work: "Callable[[AsyncEngine], Awaitable[T]]") -> T:
    """Run `work` on the database as it is, without running migrations first."""
    from adapters.sql import schema
    from adapters.sql.engine import make_engine
    from adapters.system.files import private_folder

    settings = kept_settings()
    private_folder(settings.data_dir)

    async def run() -> T:
        engine = make_engine(settings.database)
        try:
            await schema.must_be_ours(engine)
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def address(settings: "Settings") -> str:
    """Return the URL of the service for its users."""
    if settings.public_url is not None:
        return settings.public_url
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
