"""The tables. Commit a changed row together with its migration."""

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
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """Times with a time zone, always in UTC. SQLite does not store time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time needs a time zone, such as datetime(..., tzinfo=UTC).")
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
    # Sort by code point like SQLite and Python, whatever the locale of the server.
    email: Mapped[str] = mapped_column(
        String(254).with_variant(String(254, collation="C"), "postgresql"), unique=True
    )
    name: Mapped[str] = mapped_column(String(200))
    search: Mapped[str] = mapped_column(Text)
    """E-mail and name, casefolded: not every database server folds case beyond ASCII."""
    password_hash: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool]
    is_break_glass: Mapped[bool] = mapped_column(server_default=false())
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
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "issuer", "subject"),
        Index(None, "issuer", "sid"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(String(400))
    is_remembered: Mapped[bool] = mapped_column(server_default=false())
    confirmed_at: Mapped[datetime | None]
    issuer: Mapped[str | None] = mapped_column(String(500))
    """NULL for a sign-in with a password."""
    subject: Mapped[str | None] = mapped_column(String(255))
    sid: Mapped[str | None] = mapped_column(String(255))


class IdentityRow(Base):
    """A person at an identity provider, linked to an account."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("user_id", "issuer"),)

    issuer: Mapped[str] = mapped_column(String(500), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]


class ProviderTokensRow(Base):
    """The tokens that a provider gave at the sign-in of a session, encrypted."""

    __tablename__ = "provider_tokens"

    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True
    )
    sealed: Mapped[bytes]
    refreshing_until: Mapped[datetime | None]


class SpentLogoutTokenRow(Base):
    """A logout token of a provider that was accepted, until it would have expired."""

    __tablename__ = "spent_logout_tokens"

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class KnownDeviceRow(Base):
    __tablename__ = "known_devices"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    session_id: Mapped[UUID] = mapped_column(index=True)
    """No foreign key: a device stays known after its session."""
    seen_at: Mapped[datetime] = mapped_column(index=True)
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
    """Separated by commas, which roles do not contain. NULL: all roles of the account."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    last_used_at: Mapped[datetime | None]


class AttemptRow(Base):
    """A rate limit of attempts, by the generic cell rate algorithm."""

    __tablename__ = "attempts"

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    free_at: Mapped[int] = mapped_column(BigInteger, index=True)
    """When all attempts are free again: microseconds since 1970, because SQLite cannot add to a time."""
    pending: Mapped[int]
    """How many counted attempts are not settled."""


class EventTimeRow(Base):
    """The time that events of an account have taken within one minute."""

    __tablename__ = "event_times"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    """No foreign key: events of several accounts are written together, and a row is removed after two hours."""
    minute: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    """Its beginning."""
    microseconds: Mapped[int] = mapped_column(BigInteger)


class EntryRow(Base):
    """A stored value as JSON text."""

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
    """A claim of an account on a file; the key identifies the file."""

    __tablename__ = "files"
    # This index alone gives the total of an account.
    __table_args__ = (Index(None, "user_id", "size"),)

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True, index=True)
    size: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes. NULL for a row of an earlier release until its file is seen."""
    used_at: Mapped[datetime] = mapped_column(index=True)


class ReplicaRow(Base):
    """A running process that serves this database."""

    __tablename__ = "replicas"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    beats: Mapped[int] = mapped_column(BigInteger)
    is_stopping: Mapped[bool]


class HomeRow(Base):
    """The replica that runs an account's events."""

    __tablename__ = "homes"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    replica_id: Mapped[UUID] = mapped_column(
        ForeignKey("replicas.id", ondelete="CASCADE"), index=True
    )
