"""`gradioapp db`: the schema of the database, and copies of its data."""

from typing import Annotated

import typer

from entrypoints.cli import db_copy
from entrypoints.cli.operating import on_the_database
from entrypoints.cli.program import REFUSED, Fault

app = typer.Typer(help="Upgrade, downgrade and check the database's schema, and copy its data.")


@app.command()
def upgrade() -> None:
    """Upgrade the database to the schema of this version. Safe to run twice, and twice at the same time."""
    from adapters.sql import schema

    on_the_database(schema.upgrade)
    _print_revision()


# Otherwise -1 would be read as an option.
@app.command(context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REV", help="A revision, -1, or base.")],
) -> None:
    """Undo migrations. The data in the removed columns is lost."""
    from adapters.sql import schema

    on_the_database(lambda engine: schema.downgrade(engine, revision))
    _print_revision()


@app.command()
def current() -> None:
    """Show the database's revision, and the revisions that are missing."""
    from adapters.sql import schema

    _print_revision()
    if pending := on_the_database(schema.pending):
        typer.echo(f"Missing: {', '.join(pending)}. Type: gradioapp db upgrade")


@app.command()
def check() -> None:
    """Compare the database with the code. Exit with 1 if they differ."""
    from adapters.sql import schema

    if pending := on_the_database(schema.pending):
        raise Fault(
            f"The database lacks the migrations {', '.join(pending)}. Type: gradioapp db upgrade",
            code=REFUSED,
        )
    if differences := on_the_database(schema.check):
        raise Fault(
            *(f"The database differs from the code: {line}" for line in differences), code=REFUSED
        )
    typer.echo("The database matches the code.")


def _print_revision() -> None:
    from adapters.sql import schema

    revision = on_the_database(schema.current)
    typer.echo(f"The database is at {revision}." if revision else "The database is empty.")


app.command("copy")(db_copy.copy)
