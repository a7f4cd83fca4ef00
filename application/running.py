"""Prepare what a process needs before it runs, and release it at the end."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql import schema
from adapters.sql.engine import file_of
from adapters.system.files import FOLDER_MODE, private_folder
from adapters.system.serving import CannotBeCounted, place_beside
from application import use_cases as uc
from application.container import Composition
from application.settings import Settings, SettingsInvalid


@asynccontextmanager
async def running(container: Composition, *, serves: bool = True) -> AsyncIterator[int]:
    """Migrate the store (dev) or require that it is migrated (prod), and release everything at the end. Accept the schema of
    a later release that this one may use. With `serves`, also create the sample users, or in prod refuse accounts that have
    their password. Tell other replicas what changes. Yield the number of other processes that serve the same SQLite file;
    prod refuses them. The container can be run again afterwards. Raises SettingsInvalid, NotOurDatabase, StoreUnavailable."""
    settings: Settings = container.settings()
    if settings.uses_data_dir:
        folder = private_folder(settings.data_dir)
        (folder / "gradio").mkdir(mode=FOLDER_MODE, exist_ok=True)
    engine = container.engine()
    try:
        if engine is not None:
            await schema.must_be_ours(engine, may_be_newer=True)
        with ExitStack() as held:
            others = held.enter_context(_only_process(settings)) if serves else 0
            if engine is not None:
                await _prepare(engine, migrates=settings.environment == "dev")
            if serves:
                await _sample_users(container, settings)
            async with container.news().running():
                yield others
    finally:
        container.hasher().close()
        if engine is not None:
            await engine.dispose()


@contextmanager
def _only_process(settings: Settings) -> Iterator[int]:
    """Yield the number of other processes that serve the same SQLite file; 0 if it cannot be known. Raises
    SettingsInvalid in prod if there is one."""
    file = file_of(settings.database) if settings.uses_data_dir else None
    with ExitStack() as held:
        others = 0
        if file is not None:
            with suppress(CannotBeCounted):
                others = held.enter_context(place_beside(file))
        if others and settings.environment == "prod":
            raise SettingsInvalid(
                [
                    f"Another process already serves the SQLite database {file}. Stop it first, and start only one process, "
                    "without --workers"
                ]
            )
        yield others


async def _prepare(engine: AsyncEngine, *, migrates: bool) -> None:
    if migrates:
        await schema.upgrade(engine, may_be_newer=True)
    elif pending := await schema.pending(engine):
        raise SettingsInvalid(
            [f"The database lacks {len(pending)} migrations. Type: gradioapp db upgrade"]
        )


async def _sample_users(container: Composition, settings: Settings) -> None:
    use_cases: uc.UseCases = container.use_cases()
    if settings.sample_users:
        await use_cases.add_sample_users()
    elif settings.environment == "prod" and (emails := await use_cases.find_sample_users()):
        raise SettingsInvalid(
            [
                f"{email} has the password of the sample users. Type: gradioapp users disable {email}"
                for email in emails
            ]
        )
