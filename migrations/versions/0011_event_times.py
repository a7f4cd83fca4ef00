"""Add the time that events of accounts have taken, by minute."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | Sequence[str] | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "event_times",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("microseconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "minute", name=op.f("pk_event_times")),
    )
    op.create_index(op.f("ix_event_times_minute"), "event_times", ["minute"])


def downgrade() -> None:
    op.drop_table("event_times")
