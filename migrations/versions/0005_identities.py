"""Add identities at providers, the sign-in with which a session began, spent logout tokens, and break-glass accounts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_COLUMNS = (
    ("users", "is_break_glass"),
    ("sessions", "sid"),
    ("sessions", "subject"),
    ("sessions", "issuer"),
)


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_identities_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
        sa.UniqueConstraint("user_id", "issuer", name=op.f("uq_identities_user_id_issuer")),
    )
    op.create_table(
        "spent_logout_tokens",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_spent_logout_tokens")),
    )
    with op.batch_alter_table("spent_logout_tokens", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_spent_logout_tokens_expires_at"), ["expires_at"], unique=False
        )
    # Both databases can add a column in place; Alembic would copy the whole table on SQLite.
    op.add_column("sessions", sa.Column("issuer", sa.String(length=500), nullable=True))
    op.add_column("sessions", sa.Column("subject", sa.String(length=255), nullable=True))
    op.add_column("sessions", sa.Column("sid", sa.String(length=255), nullable=True))
    op.create_index(op.f("ix_sessions_issuer_subject"), "sessions", ["issuer", "subject"])
    op.create_index(op.f("ix_sessions_issuer_sid"), "sessions", ["issuer", "sid"])
    op.add_column(
        "users",
        sa.Column("is_break_glass", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_sessions_issuer_sid"), "sessions")
    op.drop_index(op.f("ix_sessions_issuer_subject"), "sessions")
    for table, column in _COLUMNS:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    op.drop_table("spent_logout_tokens")
    op.drop_table("identities")
