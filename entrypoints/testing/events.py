"""Find an app's events by their api_name, and convert inputs and outputs as `gradio_client` does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from gradio.block_function import BlockFunction
from gradio_client import utils  # type: ignore[import-untyped]

from entrypoints.testing.inputs import advice_on
from entrypoints.ui.mounted import Mounted


@dataclass(frozen=True, slots=True)
class File:
    """A file on the server, either uploaded or from an event's outputs. It can be an input of the next event."""

    path: str
    """The path on the server."""
    name: str

    def as_input(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "orig_name": self.name,
            "meta": {"_type": "gradio.FileData"},
        }


@dataclass(frozen=True)
class Event:
    page: Mounted
    number: int
    fn: BlockFunction
    parameters: Sequence[Mapping[str, Any]]
    """The parameters that clients see, as in the API description."""

    def __str__(self) -> str:
        names = [
            f"{p['parameter_name']}=…" if p["parameter_has_default"] else str(p["parameter_name"])
            for p in self.parameters
        ]
        return f"/{self.fn.api_name}({', '.join(names)})"

    def data(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """Return the inputs in the order of the components, with None for those that the server fills in. Raises
        TypeError."""
        values = iter(self._filled_in(inputs, named))
        names = iter(str(p["parameter_name"]) for p in self.parameters)
        return [
            None if block.skip_api else self._sent(next(names), next(values))
            for block in self.fn.inputs
        ]

    def _sent(self, name: str, value: Any) -> Any:
        """Raises TypeError."""
        if advice := advice_on(value, besides=File):
            raise TypeError(f"{self}: {name} {advice}")
        return _with_files_as_sent(value)

    def outputs(self, data: Sequence[Any]) -> Any:
        """Return one output as itself, several as a tuple, and none as None."""
        shown = [
            _with_files_as_found(value)
            for value, block in zip(data, self.fn.outputs, strict=False)
            if not block.skip_api
        ]
        if not shown:
            return None
        return shown[0] if len(shown) == 1 else tuple(shown)

    def _filled_in(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        names = [str(p["parameter_name"]) for p in self.parameters]
        if len(inputs) > len(names):
            raise TypeError(f"{self} was called with {len(inputs)} inputs.")
        if unknown := sorted(named.keys() - names):
            raise TypeError(f"{self} has no input {unknown[0]}.")
        given = dict(zip(names, inputs, strict=False))
        if twice := sorted(given.keys() & named.keys()):
            raise TypeError(f"{self} was given {twice[0]} twice.")
        given |= named
        for parameter in self.parameters:
            if parameter["parameter_has_default"]:
                given.setdefault(parameter["parameter_name"], parameter["parameter_default"])
        if missing := [name for name in names if name not in given]:
            raise TypeError(f"{self} was called without {' and '.join(missing)}.")
        return [given[name] for name in names]


class Events:
    """The events of all pages."""

    def __init__(self, pages: Sequence[Mounted], *, authors: Sequence[Mounted]) -> None:
        self._pages = pages
        self.authors = authors

    def page(self, title: str | None) -> Mounted:
        if title is None:
            return self.authors[0]
        for page in self._pages:
            if page.page.title == title:
                return page
        titles = ", ".join(page.page.title for page in self._pages)
        raise LookupError(f"There is no page {title!r}. There are: {titles}.")

    def find(self, api_name: str, *, on: str | None) -> Event:
        """Find an event on the page with the title `on`, or on any author's page if it is None. Raises LookupError, and
        TypeError if this is no name."""
        if not isinstance(api_name, str):
            kind = type(api_name).__name__
            raise TypeError(
                f'call() takes the api_name of an event, as in call("/name"), not {kind}.'
            )
        pages = self.authors if on is None else [self.page(on)]
        there = [event for event in self._all if event.page in pages]
        found = [event for event in there if event.fn.api_name == api_name.removeprefix("/")]
        if not found:
            names = ", ".join(map(str, there)) or "none that a client can call"
            said = f"There is no event {api_name}. There are: {names}."
            raise LookupError(f"{said}{_why_missing(api_name.removeprefix('/'), pages)}")
        if len(found) > 1:
            titles = " and ".join(event.page.page.title for event in found)
            raise LookupError(
                f"{titles} both have an event {api_name}. Choose one with .on(title)."
            )
        return found[0]

    @cached_property
    def _all(self) -> Sequence[Event]:
        return [event for page in self._pages for event in _events_of(page)]


def _events_of(page: Mounted) -> Sequence[Event]:
    demo = page.page.demo
    described = demo.get_api_info(all_endpoints=True)["named_endpoints"]
    return [
        Event(page, number, fn, described[f"/{fn.api_name}"]["parameters"])
        for number, fn in demo.fns.items()
        if f"/{fn.api_name}" in described and fn.api_visibility != "private"
    ]


def _why_missing(api_name: str, pages: Sequence[Mounted]) -> str:
    """Return why an event that the app may have has no name for clients, or an empty text."""
    demos = [page.page.demo for page in pages]
    named = [fn for demo in demos for fn in demo.fns.values() if fn.api_name == api_name]
    if any(fn.api_visibility == "private" for fn in named):
        return (
            f" /{api_name} is private, so no client can call it. Test its function, or write "
            'api_visibility="undocumented".'
        )
    if any(demo.renderables for demo in demos):
        return " Events within gr.render have no name for clients. Test their functions."
    return ""


def _with_files_as_sent(value: Any) -> Any:
    return utils.traverse(value, File.as_input, lambda found: isinstance(found, File))


def _with_files_as_found(value: Any) -> Any:
    return utils.traverse(value, _found, utils.is_file_obj_with_meta)


def _found(value: Mapping[str, Any]) -> File:
    path = str(value["path"])
    return File(path, str(value.get("orig_name") or PurePath(path).name))
