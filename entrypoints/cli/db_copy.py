"""`gradioapp db copy`: copy all data to another database."""

import asyncio
from contextlib import ExitStack
from typing import Annotated

import typer

from domain.errors import StoreUnavailable
from entrypoints.cli.output import print_table
from entrypoints.cli.program import REFUSED, Fault, cause_of
from entrypoints.cli.serving_processes import unserved

_GO_ON = "Type the same command to go on where it stopped."


def copy(
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="The database to copy. It is only read.")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="URL", help="An empty database, which gets all rows.")
    ],
) -> None:
    """Copy all data to an empty database, such as from SQLite to PostgreSQL, and compare every row. Stop the service
    first. After an interruption, the same command goes on."""
    from adapters.sql import copying

    source, target = _url("--from", source), _url("--to", target)
    _must_be_two_of_ours(source, target)
    with ExitStack() as held:
        _must_be_unserved(held, source, target)
        try:
            counts = asyncio.run(copying.copy(source, target, typer.echo))
        except copying.CopyRefused as refused:
            raise Fault(str(refused), code=REFUSED) from refused
        except StoreUnavailable as error:
            raise Fault(
                f"A database is unavailable: {cause_of(error)}. {_GO_ON}", code=REFUSED
            ) from error
        except KeyboardInterrupt:
            raise Fault(f"Stopped. {_GO_ON}", code=130) from None
    print_table(("TABLE", "ROWS"), [(name, str(rows)) for name, rows in counts])
    typer.echo("All rows are equal. Start the service with GRADIOAPP_DATABASE_URL set to --to.")
    typer.echo(
        "Keep the data folder and the secret key: files and signatures are not in the database."
    )


def _url(option: str, text: str) -> str:
    from adapters.sql.engine import parsed_url

    try:
        return parsed_url(text).render_as_string(hide_password=False)
    except ValueError as error:
        raise Fault(f"{option}: {error}") from error


def _must_be_two_of_ours(source: str, target: str) -> None:
    """Refuse before a file is made beside one of them."""
    from adapters.sql.copying import refuse_strangers
    from adapters.sql.engine import file_of

    file = file_of(source)
    if file is not None and not file.is_file():
        raise Fault(f"--from: there is no database {file}.", code=REFUSED)
    if file is not None and file == file_of(target):
        raise Fault("--from and --to are the same database.")
    asyncio.run(refuse_strangers(source, target))


def _must_be_unserved(held: ExitStack, source: str, target: str) -> None:
    from adapters.sql.engine import file_of

    files = [file_of(source), file_of(target)]
    for file in files:
        if file is not None:
            held.enter_context(unserved(file))
    if None in files:
        typer.echo(
            "Stop every service that uses a PostgreSQL database of the copy: this is not checked.",
            err=True,
        )
