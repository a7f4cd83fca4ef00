"""Print the results of commands: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import typer


def show_all_characters() -> None:
    """Escape what the terminal cannot show: no command fails because of a name."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def counted_tokens(tokens: int) -> str:
    return "1 access token" if tokens == 1 else f"{tokens} access tokens"


def megabytes(size: int) -> str:
    """Return a number of bytes for people. A megabyte is 1,048,576 bytes."""
    return f"{size / 1024**2:.1f} MB"
