"""Alembic's environment. It uses the connection from `adapters.sql.schema`, or opens its own for the alembic command."""

import asyncio
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from adapters.sql.rows import Base, UtcDateTime


def render_item(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Render our column type as plain SQLAlchemy: a migration that imports live code would change with the code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_configured() -> None:
    from adapters.sql.schema import migrating
    from application.settings import Settings

    async with migrating(Settings().database) as connection:
        await connection.run_sync(migrate)


if handed_over := context.config.attributes.get("connection"):
    migrate(handed_over)
else:
    asyncio.run(migrate_configured())
