"""Apps of authors, from `FILE.py:NAME` or `module:NAME` to a page. Whatever is wrong is one line that says where."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, Final

import gradio as gr
from gradio.context import Context
from gradio.utils import get_cache_folder

from application.settings import examples_kept_in
from entrypoints.ui.calling import being_built
from entrypoints.ui.launching import launches_noted, read_main_block, run_main_block
from entrypoints.ui.neighbours import apart_from
from entrypoints.ui.sdk import Page, PageRefused
from entrypoints.ui.slugs import first_free, slug_of

USUAL_NAME: Final = "demo"
USUAL_FILES: Final = frozenset({"app", "demo", "gradio_app", "main", "run", "ui"})
"""Names of files that say nothing of the app inside; its folder's does."""
OURS: Final = ("domain", "application", "adapters", "entrypoints", "migrations")
"""Names of our own packages: a module of an author with one of them would be taken for ours, or ours for it."""
_UNTITLED: Final = "Gradio"

App = str | gr.Blocks | Page
"""`FILE.py:NAME`, `module:NAME`, or the app itself."""


def load_pages(apps: Iterable[App]) -> Sequence[Page]:
    """In the order they are named. Raises PageRefused."""
    loaded: dict[Path | str, ModuleType] = {}
    found: list[Page] = []
    with being_built(), launches_noted() as launched:
        for app in apps:
            found.append(_page(app, loaded, found, launched))
            launched.clear()
    return found


def _own_folder(app: str) -> str:
    """Gradio knows kept examples by the number of their component alone, and numbers all apps of a process through: of an
    app named before, or left out, another would show what its examples gave."""
    where, _ = _parts(app)
    name = str(Path(where).resolve()) if _is_file(where) else where
    return f"{sha256(name.encode()).hexdigest()[:16]}-{Context.id}"


def folders_of(apps: Iterable[str]) -> Sequence[Path]:
    """Where a change means that the apps have to be loaded again; of those that are there."""
    files = [_source(where) for where, _ in map(_parts, apps)]
    return sorted({file.resolve().parent for file in files if file is not None and file.is_file()})


def _source(where: str) -> Path | None:
    if _is_file(where):
        return Path(where)
    _append_to_path(Path.cwd())
    found = importlib.util.find_spec(where.partition(".")[0])
    return Path(found.origin) if found is not None and found.origin else None


def _append_to_path(folder: Path) -> None:
    """Last: nothing of an author's folder stands in for a library, or for a part of ours."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _page(
    app: App,
    loaded: dict[Path | str, ModuleType],
    others: Sequence[Page],
    launched: Sequence[gr.Blocks],
) -> Page:
    if not isinstance(app, str):
        return _titled(app, "app")
    with examples_kept_in(_own_folder(app)):
        page = _named_page(app, loaded, others, launched)
        return replace(page, kept_examples=get_cache_folder())


def _named_page(
    app: str,
    loaded: dict[Path | str, ModuleType],
    others: Sequence[Page],
    launched: Sequence[gr.Blocks],
) -> Page:
    where, name = _parts(app)
    if not where:
        raise PageRefused(f"{app!r} names no app. Type: gradioapp serve --app FILE.py:NAME")
    key: Path | str = Path(where).resolve() if _is_file(where) else where
    if key not in loaded:
        folders = {file.parent for file in loaded if isinstance(file, Path)}
        loaded[key] = _file(where, Path(where), folders) if _is_file(where) else _module(where)
    module = loaded[key]
    found = getattr(module, name or USUAL_NAME, None)
    if not name and found is None:
        found = _only_one(where, module, launched)
    if isinstance(found, Page):
        return _titled(found, where)
    if isinstance(found, gr.Blocks):
        title = _title(found, where)
        # It knows nothing of addresses, so that it gets one whatever it is called.
        taken = [page.path or slug_of(page.title) for page in others if page.demo is not found]
        return Page(found, title=title, path=first_free([title, *_words(where)], taken))
    raise PageRefused(_no_app(app, where, name or USUAL_NAME, module))


def _only_one(where: str, module: ModuleType, launched: Sequence[gr.Blocks]) -> gr.Blocks | None:
    """Without a name and without a `demo`: the one app the file has or launches, or makes to launch it when it is run."""
    apps = {id(value): value for value in vars(module).values() if isinstance(value, gr.Blocks)}
    apps = {id(app): app for app in launched} or apps
    if not apps and module.__file__:
        source = Path(module.__file__).read_text(encoding="utf-8")
        try:
            run_main_block(source, module.__file__, vars(module))
        except (Exception, SystemExit) as error:
            raise PageRefused(_raised(where, Path(module.__file__), error)) from error
        apps = {id(app): app for app in launched}
    return next(iter(apps.values())) if len(apps) == 1 else None


def _titled(app: gr.Blocks | Page, where: str) -> Page:
    page = app if isinstance(app, Page) else Page(app)
    return page if page.title else page.titled(_title(page.demo, where))


def _parts(app: str) -> tuple[str, str]:
    """File or module, and name, empty when left out; a Windows drive is no name."""
    where, colon, name = app.rpartition(":")
    if not colon or "/" in name or "\\" in name or name.endswith(".py"):
        return app, ""
    return where, name


def _is_file(where: str) -> bool:
    path = Path(where)
    return (
        where.endswith(".py")
        or "/" in where
        or "\\" in where
        or (path.suffix != "" and path.is_file())
    )


def _title(demo: gr.Blocks, where: str) -> str:
    title = str(demo.title or "")
    if title and title != _UNTITLED:
        return title
    return _words(where)[0].replace("_", " ").replace("-", " ").strip().capitalize()


def _words(where: str) -> Sequence[str]:
    """What the app may be called after, the best first: its file, unless that is called like everybody's."""
    file, *folders = reversed(Path(where).resolve().parts if _is_file(where) else where.split("."))
    names = [Path(file).stem if _is_file(where) else file, *folders[:1]]
    return sorted(names, key=lambda name: name.lower() in USUAL_FILES)


def _file(where: str, path: Path, folders: Set[Path]) -> ModuleType:
    """`folders`: of the apps before it."""
    if not path.is_file():
        raise PageRefused(f"{where} is not there. Type: gradioapp serve --app FILE.py:NAME")
    path = path.resolve()
    _must_not_be_taken(path)
    name = _free_name(path)
    with apart_from(folders - {path.parent}, keep=OURS):
        return _imported(where, path, name)


def _imported(where: str, path: Path, name: str) -> ModuleType:
    _append_to_path(path.parent)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PageRefused(f"{where} is no Python file: its name has to end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise PageRefused(_raised(where, path, error)) from error
    read_main_block(path.read_text(encoding="utf-8"), vars(module))
    return module


def _module(name: str) -> ModuleType:
    if name.partition(".")[0] in OURS:
        raise PageRefused(f"{name} has the name of a part of gradioapp: rename it.")
    _append_to_path(Path.cwd())
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise PageRefused(_raised(name, None, error)) from error
    if module.__file__:
        read_main_block(Path(module.__file__).read_text(encoding="utf-8"), vars(module))
    return module


def _must_not_be_taken(path: Path) -> None:
    ours = Path(__file__).resolve().parents[2]
    taken = [name for name in OURS if name == path.stem]
    if path.parent != ours:
        taken += [n for n in OURS if _is_module(path.parent / n)]
    if taken:
        raise PageRefused(
            f"{path.parent / taken[0]} has the name of a part of gradioapp, which would be imported instead: rename it."
        )


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _free_name(path: Path) -> str:
    """The file's own, unless a library or another app has it."""
    found = importlib.util.find_spec(path.stem) if path.stem.isidentifier() else None
    is_other = found is not None and found.origin not in {None, str(path)}
    name = path.stem
    while is_other or name in sys.modules:
        name, is_other = f"{name}_app", False
    return name


def _raised(where: str, path: Path | None, error: BaseException) -> str:
    """File and line of the author that raised, as they are in a traceback."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: SyntaxError: {error.msg}"
    if isinstance(error, ModuleNotFoundError) and error.name == where:
        return f"There is no module {where} in this folder, nor installed. Type: gradioapp serve --app FILE.py:NAME"
    steps = [s for s in extract_tb(error.__traceback__) if "importlib" not in s.filename]
    theirs = [s for s in steps if path is not None and s.filename == str(path)] or steps[-1:]
    place = f"{theirs[-1].filename}, line {theirs[-1].lineno}" if theirs else where
    said = f"{type(error).__name__}: {error}".strip().rstrip(":")
    if isinstance(error, ModuleNotFoundError):
        return f"{place}: {said}. What the app needs is given with it: uv run --with {error.name} …"
    return f"{place}: {said}"


def _no_app(app: str, where: str, name: str, module: ModuleType) -> str:
    values: dict[str, Any] = {n: v for n, v in vars(module).items() if not n.startswith("_")}
    apps = [n for n, value in values.items() if isinstance(value, gr.Blocks | Page)]
    if name in values:
        said = f"{name} of {where} is a {type(values[name]).__name__}, not a gr.Blocks"
    else:
        said = f"{where} has no {name}"
    if not apps:
        return f"{said}. It has no gr.Blocks at its top level: write one there, as in demo = gr.Blocks()."
    return (
        f"{said}. It has: {', '.join(apps)}. Type: --app {app.removesuffix(f':{name}')}:{apps[0]}"
    )
