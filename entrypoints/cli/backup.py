"""`gradioapp backup`: copy the SQLite database and the files of the apps into one file."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.operating import kept_settings
from entrypoints.cli.output import megabytes
from entrypoints.cli.program import REFUSED, Fault
from entrypoints.cli.version import installed

if TYPE_CHECKING:
    from adapters.system.backups.writing import BackupWriter
    from application.settings import Settings


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A name such as backup.tar, or backup.tar.gz.")
    ],
    with_key: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--with-key", help="Include the key file of the data folder.")
    ] = False,
    force: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--force", help="Replace an existing file.")
    ] = False,
) -> None:
    """Back up the SQLite database, and the uploads and outputs of the apps. The service may run."""
    from adapters.system.backups.manifest import KEY
    from adapters.system.backups.writing import writing

    settings = kept_settings()
    database = sqlite_file(settings)
    if not database.is_file():
        raise Fault(f"There is no database {database} to back up.", code=REFUSED)
    _must_be_outside(file, settings)
    if with_key and not settings.key_file.is_file():
        raise Fault(
            f"There is no key file {settings.key_file}. Keep GRADIOAPP_SECRET_KEY in a safe place instead."
        )
    try:
        with writing(file.absolute(), replaces=force) as (writer, folder):
            _write(writer, database, folder / "database", settings, with_key=with_key)
    except FileExistsError as error:
        raise Fault(
            f"{file} exists. Name another file, or type --force to replace it.", code=REFUSED
        ) from error
    _print_result(file, writer, has_key=KEY in writer.members, key_file=settings.key_file)
    if settings.files_store:
        typer.echo(
            f"It does not contain uploads and outputs, which are in {settings.files_store}: back that up with the tools of "
            "the store, after this command."
        )


def sqlite_file(settings: "Settings") -> Path:
    """Return the file of the database. Raises Fault for PostgreSQL."""
    from adapters.sql.engine import file_of

    file = file_of(settings.database)
    if file is None:
        raise Fault(
            "The database is PostgreSQL: back it up with pg_dump and restore it with pg_restore. "
            f"{_files_of(settings)} too, after the dump.",
            code=REFUSED,
        )
    return file


def _files_of(settings: "Settings") -> str:
    if settings.files_store:
        return f"Back up the object store {settings.files_store}"
    return f"Copy the folder {settings.files_folder}"


def _must_be_outside(file: Path, settings: "Settings") -> None:
    """Refuse a place in the data folder: the backup would be lost with it."""
    if not file.absolute().parent.is_dir():
        raise Fault(f"There is no folder {file.absolute().parent}.")
    if file.absolute().parent.resolve().is_relative_to(settings.data_dir.resolve()):
        raise Fault(f"{file} is inside the data folder. Name a file outside of it.")


def _write(
    writer: "BackupWriter", database: Path, copy: Path, settings: "Settings", *, with_key: bool
) -> None:
    from adapters.sql.snapshot import DatabaseDamaged, revision_in, snapshot
    from adapters.system.backups.manifest import DATABASE, KEY, Manifest
    from adapters.system.clock import SystemClock

    _must_be_ours(settings)
    made_at = SystemClock().now()
    # The database comes first: each file that it names is on the disk by then.
    try:
        snapshot(database, copy)
    except DatabaseDamaged as error:
        raise Fault(f"The database {database} is damaged: {error}", code=REFUSED) from error
    revision = revision_in(copy)
    if revision is None:
        raise Fault(f"The database {database} is empty. There is nothing to back up.", code=REFUSED)
    writer.add(DATABASE, copy)
    copy.unlink()
    if with_key:
        writer.add(KEY, settings.key_file)
    if not settings.files_store:
        writer.add_folder(settings.files_folder)
    writer.finish(
        Manifest(
            release=installed("gradioapp"),
            revision=revision,
            made_at=made_at.isoformat(timespec="seconds"),
            members=writer.members,
        )
    )


def _must_be_ours(settings: "Settings") -> None:
    from adapters.sql import ownership, schema

    asyncio.run(ownership.must_be_ours(settings.database, schema.revisions()))


def _print_result(file: Path, writer: "BackupWriter", *, has_key: bool, key_file: Path) -> None:
    files = sum(name.startswith("gradio/") for name in writer.members)
    typer.echo(
        f"Backed up the database and {files} files to {file} ({megabytes(file.stat().st_size)})."
    )
    if writer.changed:
        typer.echo(
            f"{writer.changed} files were written at the same time, and may be incomplete in the backup."
        )
    if has_key:
        typer.echo(
            "It contains the secret key, which signs sessions and decrypts the tokens of identity providers. "
            "Who has this file can sign in as anybody: keep it as safe as the key."
        )
    elif key_file.is_file():
        typer.echo(
            f"It does not contain the secret key. Keep a copy of {key_file} apart from it: without the key, "
            "everybody is signed out, and access tokens and tokens of identity providers are lost."
        )
