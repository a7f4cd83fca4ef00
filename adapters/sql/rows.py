"""The tables. A changed row and its migration are one commit."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """Always aware and in UTC: SQLite forgets time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment without a time zone is none.")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy's own declaration.


class UserRow(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    # Ordered by code point everywhere, as SQLite and Python do, whatever the language of the server.
    email: Mapped[str] = mapped_column(
        String(254).with_variant(String(254, collation="C"), "postgresql"), unique=True
    )
    name: Mapped[str] = mapped_column(String(200))
    search: Mapped[str] = mapped_column(Text)
    """E-mail and name, folded: neither database folds case beyond ASCII on every machine."""
    password_hash: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class UserRoleRow(Base):
    __tablename__ = "user_roles"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(String(50), primary_key=True, index=True)


class SessionRow(Base):
    __tablename__ = "sessions"
    __table_args__ = (Index(None, "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(String(400))


class AccessTokenRow(Base):
    __tablename__ = "access_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    hint: Mapped[str] = mapped_column(String(4))
    roles: Mapped[str | None] = mapped_column(Text)
    """Joined by commas, of which roles have none; NULL: all that the account has."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    last_used_at: Mapped[datetime | None]


class EntryRow(Base):
    """A kept value: JSON as text, as it was encoded."""

    __abstract__ = True

    owner_id: Mapped[UUID]
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    version: Mapped[int]


class SessionDataRow(EntryRow):
    __tablename__ = "session_data"

    owner_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


class TokenDataRow(EntryRow):
    __tablename__ = "token_data"

    owner_id: Mapped[UUID] = mapped_column(
        ForeignKey("access_tokens.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


class AccountStateRow(EntryRow):
    __tablename__ = "account_state"

    owner_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


class FileRow(Base):
    """A file belongs to an account; which file, only its key tells."""

    __tablename__ = "files"
    # The total of an account is read from this index alone.
    __table_args__ = (Index(None, "user_id", "size"),)

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True, index=True)
    size: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes; NULL until the file of an earlier release's row is seen."""
    used_at: Mapped[datetime] = mapped_column(index=True)
