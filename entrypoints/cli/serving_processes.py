"""Refuse commands that need a database that no process serves."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

from entrypoints.cli.program import REFUSED, Fault


@contextmanager
def unserved(file: Path) -> Iterator[None]:
    """Take the place of a process that serves the SQLite file, until the block ends. Raises Fault if a process serves
    it."""
    from adapters.system.serving import CannotBeCounted, place_beside

    with ExitStack() as held:
        others = 0
        try:
            others = held.enter_context(place_beside(file))
        except CannotBeCounted:
            typer.echo(
                f"This system cannot show whether a process serves {file}. Make sure that none does.",
                err=True,
            )
        if others:
            raise Fault(
                f"Another process serves or copies {file}. Stop it, and type the same command again.",
                code=REFUSED,
            )
        yield
