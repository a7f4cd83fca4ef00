"""The Gradio pages of the service: load authors' apps, mount them behind the gate and serve them."""

import entrypoints.ui.apps.gradio_stubs  # noqa: F401 -- Must be imported before anything that imports Gradio.
from entrypoints.ui.apps.launches import Host
from entrypoints.ui.apps.loading import App, folders_of, load_each, load_pages
from entrypoints.ui.apps.shared_globals import note_on_globals
from entrypoints.ui.calls.call import being_built
from entrypoints.ui.isolation.accounts import Accounts
from entrypoints.ui.mounted import UI
from entrypoints.ui.mounting import mount, unmount
from entrypoints.ui.pages import EXAMPLES, PAGES
from entrypoints.ui.queueing.event_time import WRITE_EVERY, event_times
from entrypoints.ui.refusals import must_be_servable, paths_of
from entrypoints.ui.sdk import Page, PageRefused

__all__ = [
    "EXAMPLES",
    "PAGES",
    "UI",
    "WRITE_EVERY",
    "Accounts",
    "App",
    "Host",
    "Page",
    "PageRefused",
    "being_built",
    "event_times",
    "folders_of",
    "load_each",
    "load_pages",
    "mount",
    "must_be_servable",
    "note_on_globals",
    "paths_of",
    "unmount",
]
