"""The file `.env`: ours, an app's own, or one in the style of the older template."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from domain.model.signed_token import SHORTEST_KEY

_WITHOUT_PREFIX: Final = {"DATABASE_URL": "database_url", "PORT": "port"}
"""Names that platforms set in the environment. In a `.env`, they may be an app's own."""

_OLD_NAMES: Final = {
    "JWT_SECRET": "secret_key",
    "SECRET_KEY": "secret_key",
    "CSRF_SECRET": None,  # Form tokens are signed with a key derived from the secret key.
    "PROJECTNAME": "project_name",
    "VERSION": None,
    "RELOAD": "reload",
}
"""Names of the older template. They are read from its `.env` only: elsewhere they may belong to other programs. A
secret that is too short for signing, like the template's sample secrets, is ignored."""


_OF_THE_TEMPLATE: Final = frozenset({"JWT_SECRET", "PROJECTNAME"})
"""Names that show that a `.env` is in the style of the older template."""


class OldNames(PydanticBaseSettingsSource):
    """Settings under the names of the older template."""

    def __init__(self, settings_cls: type[BaseSettings], old: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self.old = old

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 -- The library's signature.
        return self.old.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self.old)


def read_dotenv(env_file: object) -> dict[str, str]:
    if not isinstance(env_file, str | Path) or not Path(env_file).is_file():
        return {}
    return {name: value for name, value in dotenv_values(env_file).items() if value}


def is_of_the_template(dotenv: Mapping[str, str]) -> bool:
    """Return whether names without our prefix count in this `.env`."""
    return not _OF_THE_TEMPLATE.isdisjoint(name.upper() for name in dotenv)


def ignored_names(dotenv: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Return the names in `.env` that would count in a template's `.env` or in the environment, each with its
    setting."""
    if is_of_the_template(dotenv):
        return []
    known = {**_WITHOUT_PREFIX, **_OLD_NAMES}
    settings = [(name, known.get(name.upper())) for name in dotenv]
    return [(name, setting) for name, setting in settings if setting is not None]


def old_values(dotenv: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the older names in a template's `.env` set."""
    values: dict[str, str] = {}
    if not is_of_the_template(dotenv):
        return values
    for old, new in _OLD_NAMES.items():
        value = dotenv.get(old, "")
        is_too_short = new == "secret_key" and len(value.encode()) < SHORTEST_KEY
        if new is not None and value and not is_too_short:
            values.setdefault(new, value)
    return values
