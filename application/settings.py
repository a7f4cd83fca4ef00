"""What can be set from outside: the only reader of the environment and of `.env`."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX: Final = "GRADIOAPP_"
_FILES: Final = "GRADIO_TEMP_DIR"
_EXAMPLES: Final = "GRADIO_EXAMPLES_CACHE"
DATABASE_NAME: Final = "gradioapp.sqlite3"
KEY_NAME: Final = "secret.key"
OLD_DATA_DIR: Final = Path("data")
"""The default of earlier versions, which a folder of an author's own may be called too."""
SHORTEST_SECRET: Final = 32
"""Bytes (ASVS 11.2.3)."""

_OLD_NAMES: Final = {
    "JWT_SECRET": "secret_key",
    "SECRET_KEY": "secret_key",
    "CSRF_SECRET": None,  # Form tokens are signed with a key derived from the secret key.
    "PROJECTNAME": "project_name",
    "VERSION": None,
    "RELOAD": "reload",
}
"""Names of the older template, read from `.env` only: in the environment they may be somebody else's.
Its sample secrets were too short to sign with; such a one counts as none."""

_SAMPLE_WORDS: Final = ("change", "secret", "example", "sample", "default", "password")

_GRADIO_OPENINGS: Final = (
    "GRADIO_MCP_SERVER",
    "GRADIO_SHARE",
    "GRADIO_VIBE_MODE",
    "GRADIO_ALLOWED_PATHS",
    "GRADIO_WATCH_DIRS",
    "GRADIO_LOCAL_DEV_MODE",
    "GRADIO_DEBUG",
    "GRADIO_PROFILING",
)
"""Variables that open Gradio up, refused in prod."""


class SettingsInvalid(Exception):
    """`faults` has one line for each, saying what to do."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class _OldNames(PydanticBaseSettingsSource):
    """A `.env` in the style of the older template keeps working."""

    def __init__(self, settings_cls: type[BaseSettings], old: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self.old = old

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 -- The library's signature.
        return self.old.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self.old)


class Settings(BaseSettings):
    """Frozen. Made by `load`, which reports all faults at once."""

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
    data_dir: Path = Path("gradioapp-data")
    secret_key: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    public_url: str | None = None
    allow_http: bool = False
    host: str = "127.0.0.1"
    port: int = Field(
        default=8080, ge=0, le=65535, validation_alias=AliasChoices(f"{PREFIX}PORT", "PORT")
    )
    ui_path: str = "/gradio"
    apps: Annotated[tuple[str, ...], NoDecode] = ()
    reload: bool = False
    sample_users: bool = False
    mcp: bool = False
    project_name: str = Field(default="gradioapp", min_length=1, max_length=80)
    body_limit_mb: int = Field(default=10, ge=1, le=1024)
    upload_limit_mb: int = Field(default=100, ge=1, le=102400)
    files_quota_mb: int = Field(default=2000, ge=1, le=1024**3)
    files_keep_days: int = Field(default=30, ge=0, le=3650)
    image_pixels: int = Field(default=52_000_000, ge=1)
    stall_seconds: float = Field(default=30, ge=0.1, le=3600)
    connections_per_address: int | None = Field(default=None, ge=1)
    registration: Literal["closed"] = "closed"
    session_idle_minutes: int = Field(default=30, ge=1, le=60 * 24 * 30)
    session_absolute_hours: int = Field(default=12, ge=1, le=24 * 30)
    session_cache_seconds: float = Field(default=2, ge=0, le=5)
    sessions_per_user: int = Field(default=10, ge=1, le=1000)
    password_scheme: Literal["argon2", "bcrypt"] = "argon2"  # noqa: S105 -- A scheme, no password.
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    log_format: Literal["json", "console"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("secret_key", "apps", mode="before")
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
    def _origin_only(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.rstrip("/"))
        has_more = parts.path or parts.query or parts.fragment or parts.username
        if parts.scheme not in {"http", "https"} or not parts.hostname or has_more:
            raise ValueError("is an origin such as https://app.example.com, without a path")
        default = {"http": 80, "https": 443}[parts.scheme]
        port = f":{parts.port}" if parts.port not in {None, default} else ""
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{parts.scheme}://{host}{port}"

    @field_validator("ui_path")
    @classmethod
    def _absolute_path(cls, value: str) -> str:
        path = value.rstrip("/")
        taken = {"login", "logout", "setup", "api", "static", "healthz", "readyz", "csp-reports"}
        parts = path.split("/")
        plain = all(part.replace("-", "").replace("_", "").isalnum() for part in parts[1:])
        if not path.startswith("/") or not plain or parts[1] in taken:
            raise ValueError("is a path such as /gradio that is not one of the service's own")
        return path

    @property
    def is_https(self) -> bool:
        return self.public_url is not None and self.public_url.startswith("https://")

    @property
    def database(self) -> str:
        """The URL of the database; without one, a SQLite file in the data folder."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir.resolve() / DATABASE_NAME}"

    @property
    def key_file(self) -> Path:
        """Where dev keeps its signing key when none is set."""
        return self.data_dir / KEY_NAME

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None where the database is a server, or in memory."""
        scheme, _, place = self.database.partition(":///")
        path = place.partition("?")[0].removeprefix("file:")
        return Path(path) if scheme.startswith("sqlite") and path not in {"", ":memory:"} else None

    @property
    def files_folder(self) -> Path:
        """Where Gradio keeps uploads and outputs."""
        if self.uses_data_dir:
            return self.data_dir.resolve() / "gradio"
        return Path(os.environ.get(_FILES) or Path(gettempdir()) / "gradio")

    @property
    def uses_data_dir(self) -> bool:
        return self.environment != "test"

    @property
    def logs_json(self) -> bool:
        return (self.log_format or ("json" if self.environment == "prod" else "console")) == "json"

    @property
    def session_idle(self) -> timedelta:
        return timedelta(minutes=self.session_idle_minutes)

    @property
    def session_absolute(self) -> timedelta:
        return timedelta(hours=self.session_absolute_hours)

    @property
    def session_cache(self) -> timedelta:
        return timedelta(seconds=self.session_cache_seconds)

    @property
    def files_quota(self) -> int:
        return self.files_quota_mb * 1024 * 1024

    @property
    def files_keep(self) -> timedelta | None:
        """None: for ever."""
        return timedelta(days=self.files_keep_days) if self.files_keep_days else None

    def replaced(self, **changes: Any) -> Self:
        """A copy; for tests and tools, unchecked."""
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
        dotenv_file = getattr(dotenv_settings, "env_file", None)
        old = _OldNames(settings_cls, _old_values(_dotenv(dotenv_file)))
        return init_settings, env_settings, dotenv_settings, old


def load(*, env_file: Path | None = Path(".env"), **overrides: Any) -> Settings:
    """From `overrides` (the command line), the environment and `.env`, in this order; `env_file=None` reads none.
    Raises SettingsInvalid with all faults."""
    faults = _unknown_names(env_file)
    try:
        settings = Settings(_env_file=env_file, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        faults += [_sentence(fault) for fault in error.errors()]
        raise SettingsInvalid(faults + _other_faults(error, env_file, overrides)) from error
    settings = _with_data_of_earlier_versions(settings)
    faults += _faults(settings)
    if faults:
        raise SettingsInvalid(faults)
    return settings


def _with_data_of_earlier_versions(settings: Settings) -> Settings:
    """Go on using the folder that the service made before its default had another name."""
    is_chosen = "data_dir" in settings.model_fields_set
    if is_chosen or settings.data_dir.exists() or not _is_of_the_service(OLD_DATA_DIR):
        return settings
    return settings.replaced(data_dir=OLD_DATA_DIR)


def _is_of_the_service(folder: Path) -> bool:
    has_key = (folder / KEY_NAME).is_file() and (folder / "gradio").is_dir()
    return has_key or (folder / DATABASE_NAME).is_file()


def _other_faults(
    error: ValidationError, env_file: Path | None, overrides: Mapping[str, Any]
) -> list[str]:
    """What else is wrong, as far as it does not speak of the settings that could not be read."""
    unread = {str(fault["loc"][0]).removeprefix(PREFIX).lower() for fault in error.errors()}
    defaults = {name: Settings.model_fields[name].get_default() for name in unread}
    settings = Settings(_env_file=env_file, **{**overrides, **defaults})  # type: ignore[call-arg]
    names = [f"{PREFIX}{name.upper()}" for name in unread]
    return [fault for fault in _faults(settings) if not any(name in fault for name in names)]


def pass_on(values: Mapping[str, str]) -> None:
    """Makes settings of the command line those of the processes that a reloading server starts."""
    os.environ.update({f"{PREFIX}{name.upper()}": value for name, value in values.items()})


def quiet_gradio(data_dir: Path | None) -> None:
    """Before Gradio is imported: it calls home unless told not to, and keeps its files where it is told."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if data_dir is not None:
        os.environ[_FILES] = str(data_dir.resolve() / "gradio")
        os.environ[_EXAMPLES] = str(data_dir.resolve() / "examples")


@contextmanager
def examples_kept_in(folder: str) -> Iterator[None]:
    """Inside, what examples of apps give is kept in this folder below the usual one."""
    before = os.environ.get(_EXAMPLES)
    os.environ[_EXAMPLES] = str(Path(before or ".gradio/cached_examples") / folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_EXAMPLES]
        else:
            os.environ[_EXAMPLES] = before


def _dotenv(env_file: object) -> dict[str, str]:
    if not isinstance(env_file, str | Path) or not Path(env_file).is_file():
        return {}
    return {name: value for name, value in dotenv_values(env_file).items() if value}


def _old_values(dotenv: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for old, new in _OLD_NAMES.items():
        value = dotenv.get(old, "")
        is_too_short = new == "secret_key" and len(value.encode()) < SHORTEST_SECRET
        if new is not None and value and not is_too_short:
            values.setdefault(new, value)
    return values


def _unknown_names(env_file: Path | None) -> list[str]:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    named = sorted(
        name
        for name in {*os.environ, *_dotenv(env_file)}
        if name.upper().startswith(PREFIX) and name.upper() not in known
    )
    return [f"{name} is not a setting: see the table in the README" for name in named]


def _sentence(fault: Any) -> str:
    where = str(fault["loc"][0]) if fault["loc"] else ""
    name = where if where.isupper() else f"{PREFIX}{where.upper()}"
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{name} {said}" if said.startswith("is ") else f"{name}: {said}"


def _faults(settings: Settings) -> list[str]:
    faults = [
        f"{PREFIX}SECRET_KEY: every key has at least {SHORTEST_SECRET} bytes; "
        "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        for key in settings.secret_key
        if len(key.get_secret_value().encode()) < SHORTEST_SECRET
    ][:1]
    if settings.uses_data_dir and Path.cwd().is_relative_to(settings.data_dir.resolve()):
        faults.append(
            f"{PREFIX}DATA_DIR={settings.data_dir} has the working directory in it, and nothing of the folder is shown by "
            "any app: name a folder of its own, such as gradioapp-data"
        )
    public = settings.public_url
    opens_http = (
        public is not None and not settings.is_https and not is_loopback_name(_host(public))
    )
    if settings.environment == "prod":
        return faults + _prod_faults(settings)
    if opens_http and not settings.allow_http:
        faults.append(
            f"{PREFIX}PUBLIC_URL is http:// off this machine: use https://, "
            f"or {PREFIX}ALLOW_HTTP=true to try it on a trusted network"
        )
    if not is_loopback_name(settings.host) and not (settings.is_https or settings.allow_http):
        faults.append(
            f"{PREFIX}HOST={settings.host} is reachable from other machines: set {PREFIX}PUBLIC_URL to the https:// "
            f"address people type, or {PREFIX}ALLOW_HTTP=true with {PREFIX}PUBLIC_URL to try it on a trusted network"
        )
    is_reachable = public is not None and not is_loopback_name(_host(public))
    if settings.sample_users and (is_reachable or not is_loopback_name(settings.host)):
        faults.append(
            f"{PREFIX}SAMPLE_USERS have a password that everybody knows: they are for this machine alone"
        )
    if settings.allow_http and public is None:
        faults.append(
            f"{PREFIX}ALLOW_HTTP needs {PREFIX}PUBLIC_URL: the http:// address people type"
        )
    return faults


def _prod_faults(settings: Settings) -> list[str]:
    public = settings.public_url
    secrets = [key.get_secret_value() for key in settings.secret_key]
    checks = {
        f"{PREFIX}SECRET_KEY is missing: prod does not use the key file of dev": not secrets,
        f"{PREFIX}SECRET_KEY looks like a sample: make one of your own": any(
            len(set(key)) < 10 or any(word in key.lower() for word in _SAMPLE_WORDS)
            for key in secrets
        ),
        f"{PREFIX}PUBLIC_URL is missing: set it to the https:// address people type": public
        is None,
        f"{PREFIX}PUBLIC_URL must be https:// in prod": public is not None
        and not settings.is_https
        and not is_loopback_name(_host(public)),
        f"{PREFIX}ALLOW_HTTP is for dev only": settings.allow_http,
        f"{PREFIX}SAMPLE_USERS is for dev only": settings.sample_users,
        f"{PREFIX}RELOAD is for dev only": settings.reload,
        f"{PREFIX}TRUSTED_PROXIES trusts everybody: name the proxy's addresses": any(
            network.prefixlen < _WIDEST[network.version] for network in settings.trusted_proxies
        ),
    }
    opened = [name for name in _GRADIO_OPENINGS if os.environ.get(name, "").lower() not in _OFF]
    return [line for line, is_fault in checks.items() if is_fault] + [
        f"{name} opens Gradio up: remove it" for name in opened
    ]


_OFF: Final = {"", "0", "false"}
_WIDEST: Final = {4: 8, 6: 7}
"""Bits: the private networks 10.0.0.0/8 and fc00::/7."""


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def is_loopback_name(host: str) -> bool:
    """127.0.0.1 and its like, [::1], localhost and what ends in .localhost."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
