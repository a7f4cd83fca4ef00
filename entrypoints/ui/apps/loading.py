"""Load authors' apps, given as `FILE.py:NAME` or `module:NAME`, as pages. Each error is one line that names the
place."""

import importlib
import importlib.util
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import gradio as gr
import structlog
from gradio.context import Context
from gradio.utils import get_cache_folder

from application.settings import examples_kept_in
from entrypoints.ui.apps.arguments import run_alone
from entrypoints.ui.apps.caches import WRAPPING
from entrypoints.ui.apps.descriptions import description_of
from entrypoints.ui.apps.launch_options import replaced_options_of
from entrypoints.ui.apps.launches import GRADIO_SERVER, Host, Launches
from entrypoints.ui.apps.names import AppName
from entrypoints.ui.apps.slugs import first_free, slug_of
from entrypoints.ui.apps.starting import Loaded, Turn, append_to_path, import_module, run_file
from entrypoints.ui.calls.call import being_built
from entrypoints.ui.sdk import Page, PageRefused
from entrypoints.ui.sdk.injection import TYPES

log = structlog.get_logger()

USUAL_NAME: Final = "demo"
_UNTITLED: Final = "Gradio"
_NO_PAGE: Final = (
    "That is an API without a page, which would have no sign-in here. Offer its functions in a gr.Blocks with "
    "gr.api(…), or run it alone: python FILE.py"
)

App = str | gr.Blocks | Page
"""`FILE.py:NAME`, `module:NAME`, or the app itself."""


class _Loading:
    """Loads apps one after the other. Several apps may be in one file, which runs once."""

    def __init__(self, apps: Iterable[App], host: Host) -> None:
        self._host = host
        self._apps = [AppName.read(app) if isinstance(app, str) else app for app in apps]
        self._loaded: dict[Path | str, Loaded] = {}
        self._refused: dict[Path | str, PageRefused] = {}
        self.pages: list[Page] = []

    def run(self) -> None:
        for app in self._apps:
            self.pages.append(self._page(app))

    def run_each(self) -> Iterator[Page | PageRefused]:
        """Yield each page, or why there is none."""
        for app in self._apps:
            try:
                page = self._page(app)
            except PageRefused as refused:
                yield refused
            else:
                self.pages.append(page)
                yield page

    def _page(self, app: AppName | gr.Blocks | Page) -> Page:
        if isinstance(app, AppName):
            with examples_kept_in(_own_folder(app)):
                return self._named(app)
        page = _titled(app, "App")
        return replace(page, description=page.description or description_of(page.demo, None))

    def let_end(self) -> None:
        for one in self._loaded.values():
            one.let_end()

    def let_unused_end(self) -> None:
        """Let the files end of which no page is found."""
        used = [page.let_end for page in self.pages]
        for one in self._loaded.values():
            if one.let_end not in used:
                one.let_end()

    def _named(self, app: AppName) -> Page:
        if not app.where:
            raise PageRefused(
                f"{app.typed!r} does not name an app. Type: gradioapp serve --app FILE.py:NAME"
            )
        if app.source in self._refused:
            raise self._refused[app.source]
        if app.source not in self._loaded:
            try:
                self._loaded[app.source] = self._load(app)
            except PageRefused as refused:
                self._refused[app.source] = refused
                raise
        loaded = self._loaded[app.source]
        page = _page(app, loaded, self.pages)
        _say_what_is_replaced(app.typed, page.demo, loaded.launches)
        return replace(
            page,
            kept_examples=get_cache_folder(),
            description=page.description or description_of(page.demo, loaded.module.__doc__),
            let_end=loaded.let_end,
        )

    def _load(self, app: AppName) -> Loaded:
        """Raises PageRefused."""
        before = Path.cwd()
        turn = Turn(
            host=self._host,
            held=ExitStack(),
            others={file.parent for file in self._loaded if isinstance(file, Path)},
            names=self._names_in(app.source),
            is_only=self._sources == {app.source},
        )
        with turn.held as held:
            if not self._loaded:  # Callbacks of all apps see the arguments of the first one.
                held.enter_context(run_alone(app.where))
            found = (
                import_module(app.where, turn)
                if app.file is None
                else run_file(app, app.file, turn)
            )
        if GRADIO_SERVER in found.launches.servers:
            found.let_end()
            raise PageRefused(f"{app.where} launches a gr.Server. {_NO_PAGE}")
        if Path.cwd() != before:
            log.warning(
                "an app has changed the working directory of the service, in which all apps look for files",
                app=app.typed,
                before=str(before),
                now=str(Path.cwd()),
            )
        return found

    @property
    def _sources(self) -> Set[Path | str]:
        return {app.source for app in self._apps if isinstance(app, AppName)}

    def _names_in(self, source: Path | str) -> Set[str]:
        """Return the names of all apps that are given for this file or module."""
        named = (app for app in self._apps if isinstance(app, AppName))
        return {app.name for app in named if app.name and app.source == source}


def load_pages(apps: Iterable[App], host: Host | None = None) -> Sequence[Page]:
    """Load the apps, in the given order. `host` is what the apps are told of their server. Raises PageRefused."""
    loading = _Loading(apps, host or Host())
    with being_built(), TYPES.used(), WRAPPING.used():
        try:
            loading.run()
        except BaseException:
            loading.let_end()
            raise
    return loading.pages


def load_each(apps: Iterable[App], host: Host | None = None) -> Sequence[Page | PageRefused]:
    """Load the apps as `load_pages` does, and return each page, or why it is refused: one fault hides no other one."""
    loading = _Loading(apps, host or Host())
    with being_built(), TYPES.used(), WRAPPING.used():
        try:
            found = list(loading.run_each())
            loading.let_unused_end()
        except BaseException:
            loading.let_end()
            raise
    return found


def _own_folder(app: AppName) -> str:
    """Return the name of the app's own folder for cached examples. Gradio names cached examples by the component's
    number, counted over all apps of a process. In one shared folder, an app would show the cached outputs of another
    app when the list of apps changes."""
    return f"{sha256(str(app.source).encode()).hexdigest()[:16]}-{Context.id}"


def folders_of(apps: Iterable[str]) -> Sequence[Path]:
    """Return the existing folders in which a change requires reloading the apps. A file itself may be missing yet."""
    named = [AppName.read(app) for app in apps]
    files = [file for app in named for file in _sources(app)]
    folders = {folder for file in files for folder in (file.parent, file.resolve().parent)}
    return sorted(folder for folder in folders if folder.is_dir())


def _sources(app: AppName) -> Sequence[Path]:
    if app.file is not None:
        return [app.file]
    append_to_path(Path.cwd())
    found = importlib.util.find_spec(app.where.partition(".")[0])
    return [Path(found.origin)] if found is not None and found.origin else []


def _page(app: AppName, loaded: Loaded, before: Sequence[Page]) -> Page:
    """Return the page of an app. `before` are the pages before it."""
    module = loaded.module
    found = getattr(module, app.name, None) if app.name else _usual(loaded)
    if isinstance(found, Page):
        return _titled(found, app.title)
    if isinstance(found, gr.Blocks):
        title = _title(found, app.title)
        # A plain app has no path=, so its address is made from its name, and is unique.
        taken = [page.path or slug_of(page.title) for page in before if page.demo is not found]
        return Page(found, title=title, path=first_free([title, *app.words], taken))
    if isinstance(found, gr.Server):
        raise PageRefused(f"{app.name} of {app.where} is a gr.Server. {_NO_PAGE}")
    raise PageRefused(_no_app(app, module))


def _usual(loaded: Loaded) -> object:
    """Find the app if no name is given: the only one that is launched, `demo`, or the only one of the module. A Page named
    `demo` comes first, because it has roles."""
    demo, launched = getattr(loaded.module, USUAL_NAME, None), loaded.launches.apps
    if len(launched) == 1 and not isinstance(demo, Page):
        return launched[0]
    if demo is not None:
        return demo
    of_module = {id(one): one for one in vars(loaded.module).values() if isinstance(one, gr.Blocks)}
    apps = launched or list(of_module.values())
    return apps[0] if len(apps) == 1 else None


def _say_what_is_replaced(app: str, demo: gr.Blocks, launches: Launches) -> None:
    """Log in one line which options of the app have no effect, and what happens instead."""
    instead: dict[str, list[str]] = {}
    for what, happens in (*replaced_options_of(demo), *launches.replaced()):
        instead.setdefault(happens, []).append(what)
    if instead:
        log.warning(
            "the service replaces options of the app",
            app=app,
            replaced="; ".join(f"{', '.join(what)}: {how}" for how, what in instead.items()),
        )


def _titled(app: gr.Blocks | Page, otherwise: str) -> Page:
    page = app if isinstance(app, Page) else Page(app)
    return page if page.title else page.titled(_title(page.demo, otherwise))


def _title(demo: gr.Blocks, otherwise: str) -> str:
    title = str(demo.title or "")
    return title if title and title != _UNTITLED else otherwise


def _no_app(app: AppName, module: ModuleType) -> str:
    name = app.name or USUAL_NAME
    values: dict[str, Any] = {n: v for n, v in vars(module).items() if not n.startswith("_")}
    apps = [n for n, value in values.items() if isinstance(value, gr.Blocks | Page)]
    if name in values:
        said = f"{name} of {app.where} is a {type(values[name]).__name__}, not a gr.Blocks"
    else:
        said = f"{app.where} has no {name}"
    if not apps:
        return f"{said}. It has no gr.Blocks at its top level. Write one there, as in demo = gr.Blocks()."
    return f"{said}. It has: {', '.join(apps)}. Type: --app {app.where}:{apps[0]}"
