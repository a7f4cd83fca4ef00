"""An app's events by their api_name: inputs and outputs as `gradio_client` sends and hands them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from gradio.block_function import BlockFunction
from gradio_client import utils  # type: ignore[import-untyped]

from entrypoints.ui.mounting import Mounted


@dataclass(frozen=True, slots=True)
class File:
    """One of the service's: uploaded, or the output of an event; an input of the next as it is."""

    path: str
    """On the server."""
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
    """Those that a client sees, as the API's description has them."""

    def __str__(self) -> str:
        names = [
            f"{p['parameter_name']}=…" if p["parameter_has_default"] else str(p["parameter_name"])
            for p in self.parameters
        ]
        return f"/{self.fn.api_name}({', '.join(names)})"

    def data(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """In the order of the components, with None for those that the server fills in. Raises TypeError."""
        values = iter(self._filled_in(inputs, named))
        return [
            None if block.skip_api else _with_files_as_sent(next(values))
            for block in self.fn.inputs
        ]

    def outputs(self, data: Sequence[Any]) -> Any:
        """One as itself, several as a tuple, none as None."""
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
    """Of the pages of authors, and of ours by their titles."""

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
        """On the page of that title, else on any of an author. Raises LookupError."""
        pages = self.authors if on is None else [self.page(on)]
        there = [event for event in self._all if event.page in pages]
        found = [event for event in there if event.fn.api_name == api_name.removeprefix("/")]
        if not found:
            names = ", ".join(map(str, there)) or "none that a client can call"
            raise LookupError(f"There is no event {api_name}. There are: {names}.")
        if len(found) > 1:
            titles = " and ".join(event.page.page.title for event in found)
            raise LookupError(f"{titles} both have an event {api_name}: say .on(title).")
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


def _with_files_as_sent(value: Any) -> Any:
    return utils.traverse(value, File.as_input, lambda found: isinstance(found, File))


def _with_files_as_found(value: Any) -> Any:
    return utils.traverse(value, _found, utils.is_file_obj_with_meta)


def _found(value: Mapping[str, Any]) -> File:
    path = str(value["path"])
    return File(path, str(value.get("orig_name") or PurePath(path).name))
