"""Settings from the environment, `.env` and the command line."""

from application.settings.environment import PREFIX, examples_kept_in, pass_on, quiet_gradio
from application.settings.hosts import is_loopback_name
from application.settings.loading import OLD_DATA_DIR, SettingsInvalid, load, note_on_dotenv
from application.settings.model import Settings
from application.settings.oidc import ProviderSettings
from application.settings.traces import fault_of_traces, traces_endpoint

__all__ = [
    "OLD_DATA_DIR",
    "PREFIX",
    "ProviderSettings",
    "Settings",
    "SettingsInvalid",
    "examples_kept_in",
    "fault_of_traces",
    "is_loopback_name",
    "load",
    "note_on_dotenv",
    "pass_on",
    "quiet_gradio",
    "traces_endpoint",
]
