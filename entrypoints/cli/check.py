"""`gradioapp check`: every fault in one line with what to do about it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import StoreUnavailable
from entrypoints.cli.operating import let_go, must_name_a_database
from entrypoints.cli.program import cause_of

if TYPE_CHECKING:
    from application.settings import Settings
    from application.use_cases import UseCases


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    is_fault: bool
    says: str


def ok(says: str) -> Finding:
    return Finding(is_fault=False, says=says)


def fault(says: str) -> Finding:
    return Finding(is_fault=True, says=says)


def check(
    deploy: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--deploy", help="As if GRADIOAPP_ENVIRONMENT=prod.")
    ] = False,
) -> None:
    """Look for everything that keeps the service from running well. Changes nothing."""
    has_faults = False
    for finding in _findings(deploy=deploy):
        typer.echo(f"{'FAULT' if finding.is_fault else 'ok':<7}{finding.says}")
        has_faults |= finding.is_fault
    if has_faults:
        raise typer.Exit(1)


def _findings(*, deploy: bool) -> Iterator[Finding]:
    from application.settings import SettingsInvalid, load

    settings = None
    try:
        settings = load(environment="prod") if deploy else load()
        must_name_a_database(settings)
        yield ok(f"settings, for {settings.environment}")
    except SettingsInvalid as error:
        yield from map(fault, error.faults)
        settings = _usable_settings()
    if settings is None:
        yield fault("data and database are looked at once the settings are right")
        return
    yield from _apps(settings)
    yield from _folder(settings)
    if settings.environment == "test":
        yield ok("nothing is kept, so there is no database")
        return
    yield from _database(settings, deploy=deploy)


def _usable_settings() -> "Settings | None":
    """What --deploy finds wrong may still do for looking further."""
    from application.settings import SettingsInvalid, load

    try:
        settings = load()
        must_name_a_database(settings)
    except SettingsInvalid:
        return None
    return settings


def _apps(settings: "Settings") -> Iterator[Finding]:
    """Imports them, as a start would; each by itself, so that one fault hides no other."""
    if not settings.apps:
        return
    from application.settings import quiet_gradio

    quiet_gradio(None)

    from entrypoints import ui

    for app in settings.apps:
        try:
            [page] = ui.load_pages([app])
        except ui.PageRefused as refused:
            yield fault(str(refused))
        else:
            yield ok(f"{app} is the page {page.title}")


def _folder(settings: "Settings") -> Iterator[Finding]:
    folder = settings.data_dir.resolve()
    if not settings.uses_data_dir or not folder.exists():
        yield ok(f"{folder} is made at the first start")
        return
    yield _is_private(folder, mode="700")
    if settings.key_file.exists():
        yield _is_private(settings.key_file.resolve(), mode="600")


def _is_private(path: Path, *, mode: str) -> Finding:
    if path.stat().st_mode & 0o077:
        return fault(f"{path} is open to others than its owner. Type: chmod {mode} {path}")
    return ok(f"{path} is its owner's alone")


def _database(settings: "Settings", *, deploy: bool) -> Iterator[Finding]:
    from sqlalchemy import make_url

    url = make_url(settings.database)
    if url.drivername.startswith("sqlite") and not Path(url.database or "").exists():
        yield fault("the database has not been made yet. Type: gradioapp db upgrade")
        return
    yield from _processes(settings)
    try:
        yield from asyncio.run(_store(settings, deploy=deploy))
    except StoreUnavailable as error:
        yield fault(f"the database {url!r} does not answer: {cause_of(error)}")


def _processes(settings: "Settings") -> Iterator[Finding]:
    """Count the processes that serve the SQLite file: each has its own limits and throttle, so more than one is a fault."""
    from adapters.sql.engine import file_of
    from adapters.system.serving import CannotBeCounted, places_taken_beside

    file = file_of(settings.database)
    if file is None:
        return
    try:
        serving = places_taken_beside(file)
    except CannotBeCounted:
        yield ok("whether several processes serve the SQLite file cannot be seen here")
        return
    if serving > 1:
        yield fault(
            f"{serving} processes serve {file}, and each counts wrong passwords and limits for itself. "
            "Stop all but one; with uvicorn, leave out --workers"
        )
    else:
        yield ok(f"{'one process serves' if serving else 'no process serves'} the SQLite file now")


async def _store(settings: "Settings", *, deploy: bool) -> list[Finding]:
    from pydantic import SecretStr

    from application.container import build

    # A stand-in, so that looking makes no key file, and needs none that can be read.
    stand_in = SecretStr("only for looking, never for signing")
    container = build(settings.replaced(secret_key=(stand_in,)))
    use_cases: UseCases = container.use_cases()
    try:
        await (
            use_cases.check_readiness.store.ping()
        )  # Raises with the reason, which readiness keeps to itself.
        ready = await use_cases.check_readiness()
        if ready["migrations"] != "ok":
            return [
                ok("the database answers"),
                fault(f"migrations: {ready['migrations']}. Type: gradioapp db upgrade"),
            ]
        accounts = await _accounts(use_cases, deploy=deploy)
        return [ok("the database answers"), ok("no migration is pending"), *accounts]
    finally:
        await let_go(container)


async def _accounts(use_cases: "UseCases", *, deploy: bool) -> list[Finding]:
    found = [ok("there is an admin")]
    if await use_cases.offer_setup() is not None:
        found = [fault("there is no admin. Type: gradioapp users create EMAIL --role admin")]
    if deploy:
        found += [
            fault(f"{email} has a known password. Type: gradioapp users disable {email}")
            for email in await use_cases.find_sample_users()
        ]
    return found
