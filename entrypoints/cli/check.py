"""`gradioapp check`: print each fault in one line, with what to do about it."""

import asyncio
import os
import sys
from collections.abc import Iterator, Set
from concurrent.futures import thread as pools
from pathlib import Path
from threading import Thread
from threading import enumerate as all_threads
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import StoreUnavailable
from entrypoints.cli import check_files_store, check_redis, check_sign_in, check_traces
from entrypoints.cli.findings import Finding, fault, note, ok
from entrypoints.cli.operating import OPERATOR, must_name_a_database, release
from entrypoints.cli.program import cause_of

if TYPE_CHECKING:
    from application.settings import Settings
    from application.use_cases import UseCases


def check(
    app: Annotated[
        list[str] | None, typer.Option(help="An app of your own, as for serve. May be repeated.")
    ] = None,
    deploy: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--deploy", help="Check as if GRADIOAPP_ENVIRONMENT were prod.")
    ] = False,
) -> None:
    """Check settings, apps, files and database for faults, without changing anything. A store of files gets a small object, and Redis
    a small value, for a moment."""
    has_faults = False
    before = frozenset(all_threads())
    overrides: dict[str, Any] = {"apps": tuple(app)} if app else {}
    for finding in _findings(overrides, deploy=deploy):
        typer.echo(f"{finding.kind:<7}{finding.says}")
        has_faults |= finding.kind == "FAULT"
    code = 1 if has_faults else 0
    if _others_run(before):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    if has_faults:
        raise typer.Exit(code)


def _others_run(before: Set[Thread]) -> bool:
    """Return whether an app has started threads, beside those from before, that Python would wait for. It waits for
    those of a pool too."""
    return any(
        not thread.daemon or thread in pools._threads_queues  # noqa: SLF001 -- Python has no other way to ask.
        for thread in frozenset(all_threads()) - before
    )


def _findings(overrides: dict[str, Any], *, deploy: bool) -> Iterator[Finding]:
    from application.settings import SettingsInvalid, load, note_on_dotenv

    settings = None
    try:
        settings = load(**(overrides | {"environment": "prod"} if deploy else overrides))
        must_name_a_database(settings)
        yield ok(f"settings, for {settings.environment}")
        if left_to_apps := note_on_dotenv(settings):
            yield note(left_to_apps)
    except SettingsInvalid as error:
        yield from map(fault, error.faults)
        settings = _usable_settings(overrides)
    if settings is None:
        yield fault("data and database were not checked. Correct the settings first")
        return
    if settings.environment == "prod" or deploy:
        yield from check_sign_in.of_proxies(settings)
        yield from check_sign_in.of_proxy_identity(settings)
        yield from check_sign_in.of_metrics(settings)
    yield from check_sign_in.of_providers(settings)
    yield from check_traces.of_traces()
    yield from _apps(settings)
    yield from _folder(settings)
    yield from check_files_store.of_files_store(settings)
    yield from check_redis.of_redis(settings)
    if settings.environment == "test":
        yield ok("everything is in memory, so there is no database")
        return
    yield from _database(settings, deploy=deploy)


def _usable_settings(overrides: dict[str, Any]) -> "Settings | None":
    """Return the settings without --deploy, which may be sufficient for the other checks, or None."""
    from application.settings import SettingsInvalid, load

    try:
        settings = load(**overrides)
        must_name_a_database(settings)
    except SettingsInvalid:
        return None
    return settings


def _apps(settings: "Settings") -> Iterator[Finding]:
    """Load the apps as the service does at its start. One fault does not hide another."""
    if not settings.apps:
        return
    from application.settings import quiet_gradio

    quiet_gradio(None)

    from entrypoints import ui

    found = ui.load_each(settings.apps, ui.Host(name=settings.host, port=settings.port))
    pages = [page for page in found if isinstance(page, ui.Page)]
    try:
        faults = list(dict.fromkeys(str(one) for one in found if isinstance(one, ui.PageRefused)))
        yield from map(fault, faults)
        servable = []
        for app, page in zip(settings.apps, found, strict=True):
            if isinstance(page, ui.Page):
                try:
                    ui.must_be_servable(page, settings)
                except ui.PageRefused as refused:
                    yield fault(str(refused))
                    continue
                servable.append(page)
                yield ok(f"{app} is the page {page.title}")
                if shared := ui.note_on_globals(page.demo):
                    yield note(shared)
        try:
            ui.paths_of(servable, settings)
        except ui.PageRefused as refused:
            yield fault(str(refused))
    finally:
        for page in pages:
            if page.let_end is not None:
                page.let_end()


def _folder(settings: "Settings") -> Iterator[Finding]:
    folder = settings.data_dir.resolve()
    if not settings.uses_data_dir or not folder.exists():
        yield ok(f"{folder} will be made at the first start")
        return
    yield _is_private(folder, mode="700")
    if settings.key_file.exists():
        yield _is_private(settings.key_file.resolve(), mode="600")


def _is_private(path: Path, *, mode: str) -> Finding:
    if path.stat().st_mode & 0o077:
        return fault(f"other users can read or change {path}. Type: chmod {mode} {path}")
    return ok(f"only its owner can read {path}")


def _database(settings: "Settings", *, deploy: bool) -> Iterator[Finding]:
    from adapters.sql.engine import file_of, name_of
    from adapters.sql.ownership import NotOurDatabase

    file = file_of(settings.database)
    if file is not None and not file.exists():
        if settings.environment == "prod" or deploy:
            yield fault("there is no database yet. Type: gradioapp db upgrade")
        else:
            yield ok("there is no database yet; the first start makes it")
        return
    if file is not None:
        yield from _processes(file)
    try:
        yield from asyncio.run(_store(settings, deploy=deploy))
    except NotOurDatabase as error:
        yield fault(str(error))
    except StoreUnavailable as error:
        yield fault(f"the database {name_of(settings.database)} is unavailable: {cause_of(error)}")


def _processes(file: Path) -> Iterator[Finding]:
    """Count the processes that serve the SQLite file. More than one is a fault, because each has its own limits."""
    from adapters.system.serving import CannotBeCounted, places_taken_beside

    try:
        serving = places_taken_beside(file)
    except CannotBeCounted:
        yield ok("this system cannot show how many processes serve the SQLite file")
        return
    if serving > 1:
        yield fault(
            f"{serving} processes serve {file}, and each has its own queue, quotas and session cache. "
            "Stop all but one; with uvicorn, leave out --workers"
        )
    else:
        yield ok(f"{'one process serves' if serving else 'no process serves'} the SQLite file now")


async def _store(settings: "Settings", *, deploy: bool) -> list[Finding]:
    from pydantic import SecretStr

    from adapters.sql import schema
    from application.container import build

    # A placeholder, so that the check neither makes nor reads the key file.
    stand_in = SecretStr("only for looking, never for signing")
    container = build(settings.replaced(secret_key=(stand_in,)))
    use_cases: UseCases = container.use_cases()
    try:
        await schema.must_be_ours(container.engine(), may_be_newer=True)
        # Raises with the cause, which check_readiness does not tell.
        await use_cases.check_readiness.store.ping()
        ready = await use_cases.check_readiness()
        if ready["migrations"] != "ok":
            return [
                ok("the database is available"),
                fault(f"migrations: {ready['migrations']}. Type: gradioapp db upgrade"),
            ]
        accounts = await _accounts(use_cases, deploy=deploy)
        if not settings.password_sign_in:
            accounts += await _break_glass(use_cases)
        return [ok("the database is available"), ok("no migration is pending"), *accounts]
    finally:
        await release(container)


async def _break_glass(use_cases: "UseCases") -> list[Finding]:
    if marked := await use_cases.find_break_glass(OPERATOR):
        return [ok(f"{marked[0].email} can use its password if no provider works")]
    return [
        note(
            "passwords are switched off, and no account may use one if no provider works. "
            "Type: gradioapp users break-glass EMAIL"
        )
    ]


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
