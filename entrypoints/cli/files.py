"""`gradioapp files`: move the files of apps to an object store."""

import typer

from entrypoints.cli.operating import kept_settings, operate
from entrypoints.cli.program import Fault

app = typer.Typer(help="Move the files of apps to an object store.")


@app.callback()
def files() -> None:
    """Move the files of apps to an object store."""


@app.command()
def share() -> None:
    """Share the uploads and outputs in this machine's folder through the object store. Safe to repeat; the service may
    run."""
    settings = kept_settings()
    if not settings.files_store:
        raise Fault(
            "There is no object store. Set GRADIOAPP_FILES_STORE, such as s3://bucket/prefix"
        )
    shared = operate(lambda use_cases: use_cases.share_folder())
    typer.echo(f"{shared} files of {settings.files_folder} are in {settings.files_store}.")
