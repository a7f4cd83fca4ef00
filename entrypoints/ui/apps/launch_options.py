"""The options of `launch()` and `mount_gradio_app()`: which of them an app keeps, and what the service does instead of
the others."""

import inspect
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import gradio as gr
from gradio import utils

HONOURED: Final = (
    *("theme", "css", "css_paths", "js", "head", "head_paths"),
    *("i18n", "allowed_paths", "blocked_paths", "max_file_size"),
)
"""Options that the mount of the app gets."""
_OF_THE_APP: Final = ("max_threads", "state_session_capacity")
"""Options that Gradio keeps as attributes of the app."""
_ACCOUNTS: Final = "people sign in with their accounts"
_ADDRESS: Final = "HOST, PORT and PUBLIC_URL apply"
_CERTIFICATE: Final = "a proxy holds the certificate"
_NO_TUNNEL: Final = "nothing is shared outside of PUBLIC_URL"
_OF_GRADIO: Final = "Gradio's own is off"
_NO_NODE: Final = "pages are not rendered on the server"
REPLACED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("auth", "auth_message", "auth_dependency"), _ACCOUNTS),
    **dict.fromkeys(("server_name", "server_port", "root_path"), _ADDRESS),
    **dict.fromkeys(("ssl_keyfile", "ssl_certfile", "ssl_keyfile_password"), _CERTIFICATE),
    **dict.fromkeys(("share", "share_server_address"), _NO_TUNNEL),
    **dict.fromkeys(("share_server_protocol", "share_server_tls_certificate"), _NO_TUNNEL),
    **dict.fromkeys(("enable_monitoring", "run_history", "pwa"), _OF_GRADIO),
    **dict.fromkeys(("ssr_mode", "node_server_name", "node_port", "num_workers"), _NO_NODE),
    "mcp_server": "--mcp offers the events as tools",
    "show_error": "errors are in the log, and people see a number",
    "footer_links": "the bar replaces the footer",
    "favicon_path": "the service has one icon",
    "app_kwargs": "the service makes the FastAPI app",
    "strict_cors": "no other site may send requests",
    "inbrowser": "no browser is opened",
}
"""Options about which the service decides, and what it does instead."""
WITHOUT_MEANING: Final = frozenset(
    {
        *("inline", "height", "width", "quiet", "debug", "prevent_thread_lock", "ssl_verify"),
        *("path", "self", "app", "blocks", "_app", "_frontend"),
    }
)
"""Parameters that say nothing about the app: how a script or a notebook runs, and which address the app has alone."""
TAKEN: Final = frozenset({*HONOURED, *_OF_THE_APP})
_OFF: Final = frozenset({"strict_cors"})
"""Options that are replaced if they are off. All others are replaced if they are on."""
_FOLDERS: Final = ("allowed_paths", "blocked_paths")
_NOTED: Final = "_gradioapp_launched"
_REPLACED: Final = "_gradioapp_replaced"


def note_options(demo: gr.Blocks, given: Mapping[str, Any], *, of: Callable[..., Any]) -> None:
    """Keep the options with which an app is launched or mounted. `of` is the function that has them. Raises ValueError
    where Gradio does."""
    for name in _FOLDERS:
        if given.get(name) and not isinstance(given[name], list):
            raise ValueError(f"`{name}` must be a list of directories.")
    utils._parse_file_size(given.get("max_file_size"))  # noqa: SLF001 -- It raises what Gradio raises.
    vars(demo)[_NOTED] = {
        name: _folders(demo, value) if name in _FOLDERS else value
        for name, value in given.items()
        if name in HONOURED
    }
    vars(demo)[_REPLACED] = sorted(_replaced(given, inspect.signature(of).parameters))
    for name in _OF_THE_APP:
        if name in given:
            setattr(demo, name, given[name])


def _folders(demo: gr.Blocks, given: Any) -> list[Any]:
    folders = list(_flat(given))
    if isinstance(demo, gr.Workflow):
        # Its launch() adds the whole temporary folder, which has files of other programs.
        return [folder for folder in folders if folder != tempfile.gettempdir()]
    return folders


def _flat(folders: Any) -> Iterator[Any]:
    """Yield the folders, also those in a list within the list: `gradio.media.MEDIA_PATHS` is one."""
    for folder in folders or ():
        if isinstance(folder, list | tuple):
            yield from _flat(folder)
        else:
            yield folder


def options_of(demo: gr.Blocks) -> dict[str, Any]:
    """Return the HONOURED options that were passed to `launch()` or `mount_gradio_app()`, or to the constructor, as in
    Gradio 5."""
    noted: Mapping[str, Any] = getattr(demo, _NOTED, {})
    found = {name: noted.get(name) for name in HONOURED}
    for name, value in found.items():
        if value is None:
            found[name] = getattr(demo, f"_deprecated_{name}", None)
    return {name: value for name, value in found.items() if value is not None}


def replaced_options_of(demo: gr.Blocks) -> Iterator[tuple[str, str]]:
    """Yield the names of the options that were passed and have no effect, each with what happens instead."""
    for name in getattr(demo, _REPLACED, ()):
        yield name, REPLACED[name]


def _replaced(
    given: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]
) -> Iterator[str]:
    for name in REPLACED.keys() & given.keys():
        value, is_on = given[name], name not in _OFF
        if bool(value) is is_on and value != parameters[name].default:
            yield name
