"""Add whether a session belongs to a device that stays signed in."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # The default is for sessions that exist, and for those that a replica of the last release still opens.
    op.add_column(
        "sessions",
        sa.Column("is_remembered", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    # These sessions would otherwise outlive what an earlier release allows.
    op.execute("DELETE FROM sessions WHERE is_remembered")
    op.execute("ALTER TABLE sessions DROP COLUMN is_remembered")
