"""Check the names of settings that a test passes. The settings themselves ignore unknown names, as variables of other
programs."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from application.settings import PREFIX, Settings
from application.settings.oidc import is_provider_variable


def must_be_settings(settings: Mapping[str, Any]) -> None:
    """Raises TypeError, which names the closest setting."""
    for name, value in settings.items():
        if name == "environment" and value != "test":
            raise TypeError("environment is always test in a test. Leave it out.")
        if name not in Settings.model_fields:
            raise TypeError(f"{name} is not a setting. {_advice(name)}")


def _advice(name: str) -> str:
    plain = name.lower().removeprefix(PREFIX.lower())
    variable = f"{PREFIX}{plain.upper()}"
    if is_provider_variable(variable):
        return f"Set the environment variable {variable} before serving()."
    if closest := get_close_matches(plain, Settings.model_fields, n=1):
        return f"Write {closest[0]}."
    return "The table in docs/operating.md has all of them; write their names in lower case."
