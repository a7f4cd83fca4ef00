"""Track the files and addresses that an app offers, and that its callers may therefore send back as text.

An app offers to everybody what its author has written into its components. It offers to one account the choices, samples and table cells
in its outputs. Any other output text may be the caller's own text, changed by the app. Such a text offers only files
that were written after the account's first event.
"""

import math
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from gradio.blocks import Block

from domain.model.user import UserId
from entrypoints.ui.files.named_files import drawn_on
from entrypoints.ui.files.words import Names, named_by_word, words_in
from entrypoints.ui.limits import REMEMBERED_PATHS
from entrypoints.ui.wire.json_bodies import texts_in

OF_AN_UPLOAD: Final = frozenset({"orig_name", "url", "mime_type"})
"""Members of a file object that come from the browser. Gradio's components do not pass them to the app. In an output,
they are not texts of the app."""
_CHOOSE: Final = frozenset({"dropdown", "radio", "checkboxgroup", "dataset"})
"""Names of the components that let a caller choose from a list."""
_TYPES: Final = frozenset({"components"})
"""Arguments that become names of Gradio's classes."""
_CLOCK_STEP: Final = 1.0
"""Seconds by which the times of two file systems may differ."""


class _Latest:
    """The latest offers to one account. Above the limit, the oldest are forgotten."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, None] = OrderedDict()

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            self._names[name] = None
            self._names.move_to_end(name)
        while len(self._names) > REMEMBERED_PATHS:
            self._names.popitem(last=False)

    def __contains__(self, name: str) -> bool:
        return name in self._names


def written_in(block: Block) -> dict[str, Any]:
    """Return those properties of a component that its author has written. The others are Gradio's own, also its examples
    of inputs for the API page: `gr.FileExplorer` names `app.py` there, and `gr.Image` an address."""
    properties, written = block.get_config(), _arguments_of(block)
    return {name: value for name, value in properties.items() if name in written}


def _read_when_built(block: Block) -> Iterator[str]:
    """Yield the paths of files that are read when the component is built, so that its properties have their content."""
    yield from drawn_on(block)
    subtitles = block.constructor_args.get("subtitles")
    if isinstance(subtitles, str | Path):
        yield str(subtitles)


def _arguments_of(block: Block) -> set[str]:
    """Return the names of the arguments that the author has passed: to Gradio's class, and to each class derived from it.
    Gradio's own classes pass further ones to their base classes."""
    classes = [class_ for class_ in type(block).__mro__ if "__init__" in vars(class_)]
    calls = 1 + [_is_gradios(class_) for class_ in classes].index(True)
    passed = set().union(*block._constructor_args[:calls])  # noqa: SLF001 -- Its public form has one call only.
    if getattr(block, "choices", None):  # They may be set later.
        passed.add("choices")
    return passed - _TYPES


def _is_gradios(class_: type) -> bool:
    return class_.__module__.partition(".")[0] == "gradio"


class AppOffers:
    """The real paths and the addresses that one app has offered."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        """`blocks` are the components of the app."""
        blocks, self._to_all = list(blocks), Names()
        for text in texts_in([written_in(block) for block in blocks]):
            for word in words_in(text):
                self._to_all.add(named_by_word(word))
        for path in chain.from_iterable(map(_read_when_built, blocks)):
            self._to_all.add(named_by_word(path))
        self._to_one: dict[UserId, _Latest] = {}
        self._since: dict[UserId, float] = {}
        """The time of each account's first event."""

    def begin(self, account: UserId) -> None:
        """Note that an event of the account begins."""
        if account not in self._since:
            self._since[account] = _time_of_files()

    def add(self, account: UserId, names: Iterable[str]) -> None:
        self._to_one.setdefault(account, _Latest()).add(names)

    def has(self, account: UserId, name: str) -> bool:
        return self.is_written(name) or name in self._to_one.get(account, ())

    def is_written(self, name: str) -> bool:
        """Return whether the author has written the name into a component."""
        return name in self._to_all.paths or name in self._to_all.addresses

    def is_new_to(self, account: UserId, path: str) -> bool:
        """Return whether the file was written after the account's first event."""
        try:
            written = os.stat(path).st_ctime  # noqa: PTH116 -- Faster, and called for each file.
        except OSError:
            return False
        return written >= self._since.get(account, math.inf) - _CLOCK_STEP


def _time_of_files() -> float:
    """Return the file system's time, in seconds since the epoch. It may lag behind the system's clock. If no file can
    be made, return infinity: then no file is new."""
    try:
        with TemporaryFile() as file:
            return os.fstat(file.fileno()).st_ctime
    except OSError:
        return math.inf


def chosen_from(kind: str, value: Any) -> Iterable[str]:
    """Return the choices, samples and cells in an output. `kind` is the name of the component. `value` is the value of
    the component or an update. For a component that gr.render has made, `value` is its properties."""
    if not isinstance(value, dict):
        return ()
    if kind in _CHOOSE:
        return texts_in([value.get("choices"), value.get("samples")])
    if kind == "dataframe":
        table = value.get("value", value)
        return texts_in([table.get("data") if isinstance(table, dict) else None])
    return ()
