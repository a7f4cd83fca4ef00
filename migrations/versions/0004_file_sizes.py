"""Add the size of a file and the time of its last use."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_files_claimed_at"))
        batch_op.add_column(sa.Column("size", sa.BigInteger(), nullable=True))

    # Both databases can rename a column in place; Alembic would copy the whole table on SQLite.
    op.execute("ALTER TABLE files RENAME COLUMN claimed_at TO used_at")
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_files_used_at"), ["used_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_files_key"), ["key"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_files_user_id_size"), ["user_id", "size"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_files_user_id_size"))
        batch_op.drop_index(batch_op.f("ix_files_key"))
        batch_op.drop_index(batch_op.f("ix_files_used_at"))

    op.execute("ALTER TABLE files RENAME COLUMN used_at TO claimed_at")
    op.execute("ALTER TABLE files DROP COLUMN size")
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_files_claimed_at"), ["claimed_at"], unique=False)
