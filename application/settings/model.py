"""The settings, typed and frozen."""

import json
import re
from contextlib import suppress
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from application.settings.dotenv_file import (
    OldNames,
    is_of_the_template,
    old_values,
    read_dotenv,
)
from application.settings.environment import PREFIX, gradio_folder
from application.settings.event_time import EventTimeSettings
from application.settings.files_store import FilesStoreSettings
from application.settings.oidc import ProviderNames, ProviderSettings
from application.settings.proxy_identity import ProxyIdentitySettings
from domain.model.identity import Providers
from domain.model.session import SessionPolicy

_EVERYBODY: Final = {"0.0.0.0", "::"}  # noqa: S104 -- Refused: nobody can be reached at these.
_REDIS: Final = re.compile(r"rediss?://[^\s/]+(/\d*)?(\?\S*)?|unix://\S+")
_SQLITE: Final = re.compile(
    r"(?P<scheme>sqlite(\+\w+)?:///)(?P<path>(?!/|:|file:)[^?]+)(?P<options>\?.*)?"
)
"""The URL of a SQLite database with a relative path."""
OWN_PATHS: Final = frozenset(
    {
        "login",
        "logout",
        "setup",
        "api",
        "static",
        "healthz",
        "readyz",
        "metrics",
        "csp-reports",
        "gradio_api",
    }
)
"""The first parts of the service's own addresses."""
DATABASE_NAME: Final = "gradioapp.sqlite3"
KEY_NAME: Final = "secret.key"


class Settings(FilesStoreSettings, ProxyIdentitySettings, EventTimeSettings):
    """Frozen. Use `load` to make one: it reports all faults at once."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    environment: Literal["dev", "test", "prod"] = "dev"
    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices(f"{PREFIX}DATABASE_URL", "DATABASE_URL")
    )
    database_pool: int = Field(default=10, ge=1, le=500)
    database_overflow: int = Field(default=5, ge=0, le=500)
    database_connect_seconds: float = Field(default=3, ge=0.1, le=60)
    database_statement_seconds: float = Field(default=5, ge=0.1, le=600)
    redis_url: SecretStr | None = None
    replica_url: str | None = None
    data_dir: Path = Field(default=Path("gradioapp-data"), validate_default=True)
    secret_key: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    public_url: str | None = None
    allow_http: bool = False
    host: str = "127.0.0.1"
    port: int = Field(
        default=8080, ge=0, le=65535, validation_alias=AliasChoices(f"{PREFIX}PORT", "PORT")
    )
    ui_path: str = "/gradio"
    apps: Annotated[tuple[str, ...], NoDecode] = ()
    workers: int = Field(default=1, ge=1, le=64)
    reload: bool = False
    sample_users: bool = False
    mcp: bool = False
    project_name: str = Field(default="gradioapp", min_length=1, max_length=80)
    body_limit_mb: int = Field(default=10, ge=1, le=1024)
    upload_limit_mb: int = Field(default=100, ge=1, le=102400)
    files_quota_mb: int = Field(default=2000, ge=1, le=1024**3)
    files_keep_days: int = Field(default=30, ge=0, le=3650)
    image_pixels: int = Field(default=52_000_000, ge=1)
    drain_seconds: float = Field(default=10, ge=0, le=600)
    stall_seconds: float = Field(default=30, ge=0.1, le=3600)
    connections_per_address: int | None = Field(default=None, ge=1)
    registration: Literal["closed"] = "closed"
    session_idle_minutes: int = Field(default=30, ge=1, le=60 * 24 * 30)
    session_absolute_hours: int = Field(default=12, ge=1, le=24 * 30)
    remember_days: int = Field(default=0, ge=0, le=365)
    session_cache_seconds: float = Field(default=2, ge=0, le=5)
    sessions_per_user: int = Field(default=10, ge=1, le=1000)
    password_scheme: Literal["argon2", "bcrypt"] = "argon2"  # noqa: S105 -- A scheme, not a password.
    password_sign_in: bool = True
    oidc: Annotated[tuple[ProviderSettings, ...], NoDecode] = ()
    """One for each name in the variables GRADIOAPP_OIDC_<NAME>_…, in the order of their names."""
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    metrics_token: SecretStr | None = None
    log_format: Literal["json", "console"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # An app may change the working directory, so paths are absolute.
    @field_validator("data_dir")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.absolute()

    @field_validator("redis_url")
    @classmethod
    def _must_be_of_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _REDIS.fullmatch(value.get_secret_value()):
            raise ValueError("must be redis://host/0, rediss://user:password@host/0 or unix://path")
        return value

    @field_validator("replica_url")
    @classmethod
    def _must_be_of_a_listener(cls, value: str | None) -> str | None:
        """Port 0 means a free port."""
        if value is None:
            return None
        parts = urlsplit(value.rstrip("/"))
        has_more = parts.path or parts.query or parts.fragment or parts.username
        names_one = parts.scheme == "http" and parts.hostname not in {None, *_EVERYBODY}
        with suppress(ValueError):  # The port is no number.
            if names_one and parts.port is not None and not has_more:
                return value.rstrip("/")
        raise ValueError("must be http://host:port, where the other replicas reach this one")

    @field_validator("database_url")
    @classmethod
    def _make_its_path_absolute(cls, value: SecretStr | None) -> SecretStr | None:
        found = None if value is None else _SQLITE.fullmatch(value.get_secret_value())
        if found is None:
            return value
        options = found["options"] or ""
        return SecretStr(f"{found['scheme']}{Path(found['path']).absolute()}{options}")

    @field_validator("apps", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        """Split a list with commas, or read a JSON list: a name may contain a comma."""
        if isinstance(value, str) and value.startswith("["):
            with suppress(ValueError):
                return tuple(json.loads(value))
        return cls._split(value)

    @field_validator("secret_key", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())

    @field_validator("public_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.rstrip("/"))
        has_more = parts.query or parts.fragment or parts.username
        is_plain = not parts.path or _is_plain_path(parts.path)
        if parts.scheme not in {"http", "https"} or not parts.hostname or has_more or not is_plain:
            raise ValueError(
                "is not an address such as https://app.example.com or https://example.com/app"
            )
        default = {"http": 80, "https": 443}[parts.scheme]
        port = f":{parts.port}" if parts.port not in {None, default} else ""
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{parts.scheme}://{host}{port}{parts.path}"

    @field_validator("ui_path")
    @classmethod
    def _absolute_path(cls, value: str) -> str:
        path = value.rstrip("/")
        if not _is_plain_path(path) or path.split("/")[1] in OWN_PATHS:
            raise ValueError("is not a path such as /gradio, or the service itself uses it")
        return path

    @property
    def base_path(self) -> str:
        """The path of the public URL, below which a proxy serves all our addresses, such as `/app`. Empty for a service
        that has its host for itself."""
        return urlsplit(self.public_url or "").path

    @property
    def is_https(self) -> bool:
        return self.public_url is not None and self.public_url.startswith("https://")

    @property
    def database(self) -> str:
        """The database URL; if it is not set, the URL of a SQLite file in the data folder."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir.resolve() / DATABASE_NAME}"

    @property
    def may_have_replicas(self) -> bool:
        """Whether other processes may serve the same data."""
        return self.uses_data_dir and not self.database.startswith("sqlite")

    @property
    def key_file(self) -> Path:
        """The file for the signing key in dev if no key is set."""
        return self.data_dir / KEY_NAME

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None for a server or an in-memory database."""
        scheme, _, place = self.database.partition(":///")
        path = place.partition("?")[0].removeprefix("file:")
        return Path(path) if scheme.startswith("sqlite") and path not in {"", ":memory:"} else None

    @property
    def files_folder(self) -> Path:
        """Gradio's folder for uploads and outputs."""
        if self.uses_data_dir:
            return self.data_dir.resolve() / "gradio"
        return gradio_folder()

    @property
    def uses_data_dir(self) -> bool:
        return self.environment != "test"

    @property
    def providers(self) -> Providers:
        """The identity providers."""
        return Providers(
            all=tuple(settings.provider for settings in self.oidc), proxy=self.identity_proxy
        )

    @property
    def shows_metrics_to_this_machine(self) -> bool:
        """True if programs on this machine may read the metrics without a token. Behind a proxy in prod, a visitor's
        request could look like one of them."""
        is_behind_proxy = self.environment == "prod" and bool(self.trusted_proxies)
        return self.metrics_token is None and not is_behind_proxy

    @property
    def logs_json(self) -> bool:
        return (self.log_format or ("json" if self.environment == "prod" else "console")) == "json"

    @property
    def session_policy(self) -> SessionPolicy:
        return SessionPolicy(
            idle=timedelta(minutes=self.session_idle_minutes),
            absolute=timedelta(hours=self.session_absolute_hours),
            per_user=self.sessions_per_user,
            remembered=timedelta(days=self.remember_days) if self.remember_days else None,
        )

    @property
    def session_cache(self) -> timedelta:
        return timedelta(seconds=self.session_cache_seconds)

    @property
    def files_quota(self) -> int:
        return self.files_quota_mb * 1024 * 1024

    @property
    def files_keep(self) -> timedelta | None:
        """None: no limit."""
        return timedelta(days=self.files_keep_days) if self.files_keep_days else None

    def replaced(self, **changes: Any) -> Self:
        """Return an unchecked copy with changes; for tests and tools."""
        return self.model_copy(update=changes)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- The library's signature.
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        dotenv = read_dotenv(getattr(dotenv_settings, "env_file", None))
        if isinstance(dotenv_settings, DotEnvSettingsSource) and not is_of_the_template(dotenv):
            dotenv_settings.env_vars = {
                name: value
                for name, value in dotenv_settings.env_vars.items()
                if name.startswith(PREFIX.lower())
            }
        old = OldNames(settings_cls, old_values(dotenv))
        providers = ProviderNames(settings_cls, dotenv)
        return init_settings, env_settings, dotenv_settings, providers, old


def _is_plain_path(path: str) -> bool:
    """Return whether the path is absolute, and has no other characters than letters, digits, - and _."""
    first, *parts = path.split("/")
    words = [part.replace("-", "").replace("_", "") for part in parts]
    return not first and bool(words) and all(w.isascii() and w.isalnum() for w in words)
