"""The refusal of a copy, and names of rows for people."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table

Key = tuple[Any, ...]
"""The values of a primary key: UUIDs, texts or bytes."""


class CopyRefused(Exception):
    """The copy does not begin or cannot go on. The message is for the operator."""


def row_name(table: Table, key: Sequence[Any]) -> str:
    """Return a name such as `the row id=… of users`."""
    columns = zip(table.primary_key.columns, key, strict=True)
    values = ", ".join(f"{column.name}={_shown(value)}" for column, value in columns)
    return f"the row {values} of {table.name}"


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, UUID) else repr(value)
