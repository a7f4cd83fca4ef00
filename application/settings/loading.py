"""Load the settings, and report all faults at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from application.settings import environment
from application.settings.dotenv_file import ignored_names, read_dotenv
from application.settings.environment import PREFIX
from application.settings.model import DATABASE_NAME, KEY_NAME, Settings
from application.settings.oidc import is_provider_variable
from application.settings.rules import faults_of

OLD_DATA_DIR: Final = Path("data")
"""The default of earlier versions. An author's own folder may also have this name."""


class SettingsInvalid(Exception):
    """`faults` has one line per fault, which says what to do."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


def load(*, env_file: Path | None = Path(".env"), **overrides: Any) -> Settings:
    """Load the settings from `overrides` (the command line), the environment and `.env`, in this order of precedence;
    `env_file=None` reads no file. Raises SettingsInvalid with all faults."""
    faults = _unknown_names(env_file)
    try:
        settings = Settings(_env_file=env_file, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        faults += [_sentence(fault) for fault in error.errors()]
        raise SettingsInvalid(faults + _other_faults(error, env_file, overrides)) from error
    settings = _with_data_of_earlier_versions(settings)
    faults += faults_of(settings)
    if faults:
        raise SettingsInvalid(faults)
    return settings


def note_on_dotenv(settings: Settings, *, env_file: Path | None = Path(".env")) -> str:
    """Return a line about names in `.env` that were left to the apps, or an empty text. Settings that are set in
    another way need no line."""
    if env_file is None:
        return ""
    left = [
        (name, f"{PREFIX}{setting.upper()}")
        for name, setting in ignored_names(read_dotenv(env_file))
        if setting not in settings.model_fields_set
    ]
    if not left:
        return ""
    names, ours = (_listed(column) for column in zip(*left, strict=True))
    return f"{env_file.absolute()}: the service leaves {names} to the apps. For the service, write {ours}"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _with_data_of_earlier_versions(settings: Settings) -> Settings:
    """Keep using the data folder that an earlier version made under its old default name."""
    is_chosen = "data_dir" in settings.model_fields_set
    if is_chosen or settings.data_dir.exists() or not _is_of_the_service(OLD_DATA_DIR):
        return settings
    return settings.replaced(data_dir=OLD_DATA_DIR.absolute())


def _is_of_the_service(folder: Path) -> bool:
    has_key = (folder / KEY_NAME).is_file() and (folder / "gradio").is_dir()
    return has_key or (folder / DATABASE_NAME).is_file()


def _other_faults(
    error: ValidationError, env_file: Path | None, overrides: Mapping[str, Any]
) -> list[str]:
    """Return the other faults that do not name an unreadable setting."""
    unread = {str(fault["loc"][0]).removeprefix(PREFIX).lower() for fault in error.errors()}
    defaults = {name: Settings.model_fields[name].get_default() for name in unread}
    settings = Settings(_env_file=env_file, **{**overrides, **defaults})  # type: ignore[call-arg]
    names = [f"{PREFIX}{name.upper()}" for name in unread]
    return [fault for fault in faults_of(settings) if not any(name in fault for name in names)]


def _unknown_names(env_file: Path | None) -> list[str]:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields if name != "oidc"}
    named = sorted(
        name
        for name in {*environment.names(), *read_dotenv(env_file)}
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not is_provider_variable(name)
    )
    return [f"{name} is not a setting: see the table in docs/operating.md" for name in named]


def _sentence(fault: Any) -> str:
    where = str(fault["loc"][0]) if fault["loc"] else ""
    name = where if where.isupper() else f"{PREFIX}{where.upper()}"
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{name} {said}" if said.startswith("is ") else f"{name}: {said}"
