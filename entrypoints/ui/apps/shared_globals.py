"""Name the module globals of an app that its callbacks change. All users share them, which is rarely meant."""

import ast
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import gradio as gr
import structlog

from entrypoints.ui.apps.global_changes import FUNCTIONS, Function, Search, bindings
from entrypoints.ui.sdk.reach import is_of_an_author, reachable

_CACHE: Final = re.compile(r"cache|memo(?!r)", re.I)
_MEANT: Final = re.compile(r"#\s*shared\b")
_OURS: Final = Path(__file__).resolve().parents[2]
"""The package `entrypoints`, which has the words for authors."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, order=True)
class Shared:
    """A global of an author's module, and one function that changes it."""

    file: str
    line: int
    name: str
    changed_by: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.file}, line {self.line}, changed by {self.changed_by})"


def shared_globals(demo: gr.Blocks) -> Sequence[Shared]:
    """Return the globals that callbacks of the app change, each once, in the order of the files."""
    callbacks: list[Any] = []
    for fn in demo.fns.values():
        callbacks += [fn.fn, fn.validator]
    for block in demo.blocks.values():
        callbacks += getattr(block, "server_fns", ())
    functions = {id(f): f for callback in callbacks for f in reachable(callback) if _is_theirs(f)}
    modules: dict[str, _Module | None] = {}
    found: dict[tuple[str, str], Shared] = {}
    for function in functions.values():
        file = function.__code__.co_filename
        if file not in modules:
            modules[file] = _Module.read(file)
        module = modules[file]
        for name, line in module.changed_by(function) if module is not None else ():
            found.setdefault((file, name), Shared(file, line, name, _name(function)))
    return sorted(found.values())


def note_on_globals(demo: gr.Blocks) -> str:
    """Return a line for the author, or an empty text. A hint never stops a start, whatever an author's code looks like."""
    try:
        found = shared_globals(demo)
    except Exception as error:
        log.debug("the globals of an app were not searched", fault=type(error).__name__)
        return ""
    if not found:
        return ""
    return (
        f"All users share {', '.join(map(str, found))}. Keep data of one user in gr.State (for a tab), "
        "current_session().data or State (for an account): see docs/authors.md. "
        "If all users may share it, write # shared at the end of its line"
    )


def _is_theirs(function: types.FunctionType) -> bool:
    return is_of_an_author(function) and not Path(function.__code__.co_filename).is_relative_to(
        _OURS
    )


def _name(function: types.FunctionType) -> str:
    return "a lambda" if function.__name__ == "<lambda>" else function.__name__


@dataclass(frozen=True, slots=True)
class _Module:
    """The source of a module: its functions by their first line, and the lines of its globals."""

    functions: Mapping[int, Sequence[Function]]
    globals: Mapping[str, int]
    lines: Sequence[str]

    @classmethod
    def read(cls, file: str) -> "_Module | None":
        try:
            source = Path(file).read_text(encoding="utf-8")
            tree = ast.parse(source)
        except (OSError, ValueError, SyntaxError):  # Made from a text, or no UTF-8.
            return None
        functions: dict[int, list[Function]] = {}
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS):
                functions.setdefault(_first_line(node), []).append(node)
        bound: dict[str, int] = {}
        for name, line in bindings(tree.body):
            bound.setdefault(name, line)
        return cls(functions, bound, source.splitlines())

    def changed_by(self, function: types.FunctionType) -> Iterator[tuple[str, int]]:
        """Yield each global that the function changes, with the line of its definition."""
        values = function.__globals__
        for node in self.functions.get(function.__code__.co_firstlineno, ()):
            if getattr(node, "name", "<lambda>") != function.__code__.co_name:
                continue
            for name, line in Search(values).changes(
                node, frozenset(function.__code__.co_freevars)
            ):
                defined = self.globals.get(name, line)
                is_meant = _MEANT.search(self.lines[defined - 1]) or _CACHE.search(name)
                if not is_meant:
                    yield name, defined


def _first_line(node: Function) -> int:
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min(part.lineno for part in (node, *decorators))
