"""`gradioapp restore`: put a backup into an empty data folder."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.backup import sqlite_file
from entrypoints.cli.operating import kept_settings
from entrypoints.cli.output import megabytes
from entrypoints.cli.program import REFUSED, Fault
from entrypoints.cli.serving_processes import unserved

if TYPE_CHECKING:
    from adapters.system.backups.manifest import Manifest
    from application.settings import Settings


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that backup has made.")],
) -> None:
    """Restore a backup into an empty data folder. The service must not run."""
    from adapters.system.backups.manifest import BackupDamaged
    from adapters.system.backups.placing import NotEmpty
    from adapters.system.backups.reading import DiskFull

    settings = kept_settings()
    try:
        manifest = _restored(file, settings)
    except NotEmpty as error:
        in_folder = error.path.is_relative_to(settings.data_dir)
        away = settings.data_dir if in_folder else error.path
        raise Fault(
            f"There is data already: {error.path}. Stop the service, and move it away: "
            f"mv {away} {away}.before",
            code=REFUSED,
        ) from error
    except BackupDamaged as error:
        raise Fault(f"{file} is no backup that can be restored: {error}.", code=REFUSED) from error
    except DiskFull as error:
        raise Fault(
            f"{file} needs more space than the disk of {settings.data_dir} has.", code=REFUSED
        ) from error
    _print_result(manifest, settings)


def _restored(file: Path, settings: "Settings") -> "Manifest":
    """Unpack and check everything before anything is put into place."""
    from adapters.system.backups.manifest import DATABASE
    from adapters.system.backups.placing import (
        must_be_empty,
        place,
        placed_file,
        unpacking_for,
    )
    from adapters.system.backups.reading import unpack

    database, folder = sqlite_file(settings), settings.data_dir.resolve()
    must_be_empty(folder)
    with ExitStack() as held:
        is_inside = database.is_relative_to(folder)
        if not is_inside:
            _must_be_free(database, held)
        staged = held.enter_context(unpacking_for(folder))
        manifest = unpack(file, staged)
        content = staged / DATABASE
        _must_be_restorable(content, manifest)
        (staged / "gradio").mkdir(mode=0o700, exist_ok=True)
        if is_inside:
            moved = staged / database.relative_to(folder)
            moved.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            content.rename(moved)
        else:
            held.enter_context(placed_file(content, database))
            content.unlink()
        place(staged, folder, last=database.relative_to(folder).parts[0] if is_inside else "")
    return manifest


def _must_be_free(database: Path, held: ExitStack) -> None:
    """Refuse an existing database outside of the data folder, and one that a process serves."""
    from adapters.system.backups.placing import NotEmpty

    if not database.parent.is_dir():
        raise Fault(f"There is no folder {database.parent} for the database.")
    for name in (database.name, f"{database.name}-wal"):
        if database.with_name(name).exists():
            raise NotEmpty(database.with_name(name))
    held.enter_context(unserved(database))


def _must_be_restorable(database: Path, manifest: "Manifest") -> None:
    from adapters.sql import schema
    from adapters.sql.snapshot import DatabaseDamaged, must_be_whole, revision_in
    from adapters.system.backups.manifest import BackupDamaged

    if manifest.revision not in schema.revisions():
        raise Fault(
            f"The backup has the schema {manifest.revision} of release {manifest.release}, which this release does not "
            "know. Install that release or a newer one.",
            code=REFUSED,
        )
    try:
        must_be_whole(database)
    except DatabaseDamaged as error:
        raise BackupDamaged(f"its database is damaged: {error}") from error
    if revision_in(database) != manifest.revision:
        raise BackupDamaged("its database has another schema than its manifest says")


def _print_result(manifest: "Manifest", settings: "Settings") -> None:
    from adapters.sql import schema
    from adapters.system.backups.manifest import KEY

    files = sum(name.startswith("gradio/") for name in manifest.members)
    typer.echo(
        f"Restored the database and {files} files ({megabytes(manifest.size)}) to {settings.data_dir}. "
        f"Release {manifest.release} made the backup at {manifest.made_at}."
    )
    if settings.files_store:
        typer.echo(
            f"Uploads and outputs are read from {settings.files_store}, which this command does not touch."
        )
    if KEY not in manifest.members and not settings.secret_key:
        typer.echo(
            f"The backup has no secret key. Put yours into {settings.key_file} (mode 600) before the first start: "
            "with a new key, everybody is signed out, and access tokens and tokens of identity providers are lost."
        )
    if manifest.revision != schema.revisions()[-1]:
        typer.echo("Its schema is of an older release. Type: gradioapp db upgrade")
