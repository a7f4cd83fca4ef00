"""`gradioapp db`: the schema of the database."""

from typing import Annotated

import typer

from entrypoints.cli.operating import on_the_database
from entrypoints.cli.program import REFUSED, Fault

app = typer.Typer(help="Bring the database's schema up and down.")


@app.command()
def upgrade() -> None:
    """Bring the database up to what the code expects. Safe to run twice, and by two at once."""
    from adapters.sql import schema

    on_the_database(schema.upgrade)
    _print_revision()


# Else -1 were an option.
@app.command(context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REV", help="A revision, -1, or base.")],
) -> None:
    """Take migrations back. What the columns that go contained is lost."""
    from adapters.sql import schema

    on_the_database(lambda engine: schema.downgrade(engine, revision))
    _print_revision()


@app.command()
def current() -> None:
    """Say which revision the database has, and which are missing."""
    from adapters.sql import schema

    _print_revision()
    if pending := on_the_database(schema.pending):
        typer.echo(f"Missing: {', '.join(pending)}. Type: gradioapp db upgrade")


@app.command()
def check() -> None:
    """Compare the database with the code; exit 1 where they differ."""
    from adapters.sql import schema

    if pending := on_the_database(schema.pending):
        raise Fault(
            f"The database misses {', '.join(pending)}. Type: gradioapp db upgrade", code=REFUSED
        )
    if differences := on_the_database(schema.check):
        raise Fault(
            *(f"The database differs from the code: {line}" for line in differences), code=REFUSED
        )
    typer.echo("The database is as the code expects it.")


def _print_revision() -> None:
    from adapters.sql import schema

    revision = on_the_database(schema.current)
    typer.echo(f"The database is at {revision}." if revision else "The database is empty.")
