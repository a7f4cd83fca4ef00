"""Run an author's file, or import a module, and record what it launches."""

import importlib
import importlib.util
import sys
from collections.abc import Set
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from entrypoints.ui.apps.arguments import first_in_path, run_alone
from entrypoints.ui.apps.faults import OURS, ROOT, fault_of
from entrypoints.ui.apps.launches import Host, Launches
from entrypoints.ui.apps.main_module import as_main, begin_to_find, end_to_find
from entrypoints.ui.apps.names import AppName
from entrypoints.ui.apps.recording import begin_to_record, end_to_record, keep_as_served
from entrypoints.ui.apps.running import FileRun
from entrypoints.ui.apps.sibling_modules import apart_from
from entrypoints.ui.sdk import PageRefused


@dataclass(frozen=True, slots=True)
class Loaded:
    """A module, and what it has launched."""

    module: ModuleType
    launches: Launches

    def begin(self) -> None:
        """Make the module known, before its code runs."""
        sys.modules[self.module.__name__] = self.module
        begin_to_find(self.module)
        self.launches.held.callback(end_to_find, self.module)
        begin_to_record(self.launches)
        self.launches.held.callback(end_to_record, self.launches)

    def let_end(self) -> None:
        """Let the author's code end, and take back what was replaced for it. May be called again."""
        self.launches.let_end()
        self.launches.held.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The turn of a file or module to be loaded."""

    host: Host
    held: ExitStack
    """Becomes a part of what the launches hold."""
    others: Set[Path]
    """The folders of the files that were loaded before."""
    names: Set[str]
    """The names of all apps that are given for this file."""
    is_only: bool
    """Whether no other file is served. Then it is the program, as under `python FILE.py`, until the service ends."""


def append_to_path(folder: Path) -> None:
    """Append the folder to `sys.path`, unless it is there. It comes last, so that no module of one app hides a library
    that another app needs."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def run_file(app: AppName, file: Path, turn: Turn) -> Loaded:
    """Run a file until it has launched all apps of it that are given."""
    if not file.is_file():
        raise PageRefused(f"{app.where} does not exist. Type: gradioapp serve --app FILE.py:NAME")
    folder = file.resolve().parent
    _must_not_be_taken(file.stem, folder)
    name = _free_name(file)
    if turn.is_only:
        turn.held.enter_context(first_in_path(folder))
    with apart_from(turn.others - {folder}, keep=OURS):
        append_to_path(folder)
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            raise PageRefused(f"{app.where} is not a Python file: its name must end in .py.")
        module = importlib.util.module_from_spec(spec)
        run = FileRun(app.where, turn.host, module, partial(_execute, spec.loader, module))
        run.held.push(turn.held.pop_all())
        loaded = Loaded(module, run)
        loaded.begin()
        try:
            with ExitStack() as until_served, run_alone(app.where):
                (run.held if turn.is_only else until_served).enter_context(as_main(module))
                run.until_served(
                    lambda: all(run.has_launched(vars(module).get(one)) for one in turn.names)
                )
            _must_have_run(run, file)
        except BaseException:
            loaded.let_end()
            del sys.modules[name]
            raise
    for one in run.apps:
        keep_as_served(one)
    return loaded


def _must_have_run(run: FileRun, file: Path) -> None:
    if run.fault is not None:
        raise PageRefused(fault_of(run.name, file, run.fault)) from run.fault


def _execute(loader: SourceFileLoader, module: ModuleType) -> None:
    code = loader.get_code(loader.name)
    assert code is not None  # noqa: S101 -- The loader has a source.
    exec(code, vars(module))  # noqa: S102 -- The author's own code.


def import_module(name: str, turn: Turn) -> Loaded:
    """Import a module. Its main block does not run."""
    if name.partition(".")[0] in OURS:
        raise PageRefused(f"{name} has the name of a package of gradioapp. Rename it.")
    append_to_path(Path.cwd())
    launches = Launches(name, turn.host)
    launches.held.push(turn.held.pop_all())
    begin_to_record(launches)
    launches.held.callback(end_to_record, launches)
    try:
        with run_alone(name):
            launches.module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        launches.held.close()
        raise PageRefused(fault_of(name, None, error)) from error
    launches.is_served = True
    return Loaded(launches.module, launches)


def _must_not_be_taken(name: str, folder: Path) -> None:
    taken = [ours for ours in OURS if ours == name]
    if folder != ROOT:
        taken += [ours for ours in OURS if _is_module(folder / ours)]
    if taken:
        raise PageRefused(
            f"{folder / taken[0]} has the name of a package of gradioapp, which would be imported instead. "
            "Rename it."
        )


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _free_name(file: Path) -> str:
    """Return a module name for the file, under which another process can import it: its own name, with a suffix if a
    library or another app has that name."""
    name = "".join(c if c.isalnum() else "_" for c in file.stem)
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    is_other = found is not None and found.origin not in {None, str(file), str(file.resolve())}
    while is_other or name in sys.modules:
        name, is_other = f"{name}_app", False
    return name
