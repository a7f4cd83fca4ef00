"""Track the files and addresses that a caller has named in text, which no app may open for that caller.

Gradio opens and copies every path that an app puts into an output. An app that returns a caller's text would give away
files of its own folder, or download an address for the caller. What the app itself has offered is allowed.
"""

from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block
from pydantic import RootModel

from domain.model.user import UserId
from entrypoints.ui.files.app_offers import OF_AN_UPLOAD, AppOffers, chosen_from
from entrypoints.ui.files.named_files import hands_json_on
from entrypoints.ui.files.words import (
    LONG_TEXT,
    Lookups,
    Names,
    TooManyFiles,
    cost_of,
    has_parent_step,
    is_address,
    named_by_word,
    named_in_any_case,
    real_paths,
    words_in,
)
from entrypoints.ui.limits import (
    LONGEST_PATH,
    NAMED_FILES,
    REMEMBERED_ADDRESSES,
    REMEMBERED_PATHS,
)
from entrypoints.ui.wire.json_bodies import texts_in
from entrypoints.ui.wire.value_walks import AT_ONCE, Turns

_REMEMBERED_WORDS: Final = 50_000
"""Limit of cached words per event that name no file. A cached word is not looked up again."""
_SEARCHED: Final = 2_000
"""Number of characters searched in the time that one visited value takes."""


class Memory:
    """The files and addresses that each account has named, in all apps. An account above the limit counts as having
    named all: otherwise it could name many to make us forget one."""

    def __init__(self) -> None:
        self._paths: dict[UserId, set[str]] = {}
        self._addresses: dict[UserId, set[int]] = {}
        """Hashes of the addresses."""

    async def add(self, account: UserId, names: Names) -> None:
        paths = self._paths.setdefault(account, set())
        if len(paths) <= REMEMBERED_PATHS:
            paths |= names.paths
        turns, addresses = Turns(), self._addresses.setdefault(account, set())
        for address in names.addresses:
            await turns.count(1)
            if len(addresses) <= REMEMBERED_ADDRESSES:
                addresses.add(hash(address))

    def forget(self, account: UserId, paths: Iterable[str]) -> None:
        """Forget paths that the account may open by now."""
        self._paths.get(account, set()).difference_update(paths)

    def has_path(self, account: UserId, path: str) -> bool:
        paths = self._paths.get(account, set())
        return path in paths or len(paths) > REMEMBERED_PATHS

    def has_address(self, account: UserId, address: str) -> bool:
        addresses = self._addresses.get(account, set())
        return hash(address) in addresses or len(addresses) > REMEMBERED_ADDRESSES


@dataclass(frozen=True)
class CallerNames:
    """The files and addresses that one caller has named in text, in this event and in earlier ones."""

    memory: Memory
    offers: AppOffers
    account: UserId
    texts: str = ""
    """The texts of this event, as `words.folded` returns them."""
    missing: set[str] = field(default_factory=set)
    """Cache of words that name no file: each generator step sends most words again."""
    has_parent_step: bool = False
    """True if a text has a part `..`. An app that puts its own folder before the text would leave that folder."""
    brings_files: bool = False
    """True if the inputs contain files. Their content is not scanned, so no choice made of it is an offer."""

    def names(self, path: str) -> bool:
        """Return whether the caller has named this file or address."""
        if is_address(path):
            address = path.strip()
            is_offered = self.offers.has(self.account, address)
            return not is_offered and self.memory.has_address(self.account, address)
        return any(self._names_file(real) for real in real_paths(path))

    def _names_file(self, path: str) -> bool:
        if self.memory.has_path(self.account, path):
            return True
        if not self.has_parent_step or self.offers.has(self.account, path):
            return False
        return not self.offers.is_new_to(self.account, path)

    def has_said(self, word: str) -> bool:
        """Return whether the caller's texts contain the word, ignoring case. An app that cuts or joins these texts
        names nothing itself."""
        return word.casefold() in self.texts

    def is_written_by_author(self, path: str) -> bool:
        """Return whether the author has written the path into a component of the app."""
        return any(self.offers.is_written(real) for real in real_paths(path))

    def note_opened(self, path: str) -> None:
        """Record a file that the app has opened by itself, so that it may open it again."""
        self.offers.add(self.account, real_paths(path))

    async def note_offers(self, outputs: Iterable[tuple[str, Any]]) -> None:
        """Record what the app offers in its outputs, each with the name of its component. Above the limit, skip the
        rest."""
        offered: set[str] = set()
        turns, lookups, searched = Turns(), Lookups(), 0
        may_offer_addresses = not self.has_said("http")
        for word, is_chosen in _texts_of(outputs):
            await turns.count(cost_of(word))
            if (
                word in self.missing
                or len(word) > LONGEST_PATH
                or (has_parent_step(word) and not is_chosen)
            ):
                continue
            try:
                named = named_by_word(word) if lookups.may_name(word) else Names()
            except TooManyFiles:
                break
            if not named and len(self.missing) < _REMEMBERED_WORDS:
                self.missing.add(word)
            is_chosen = is_chosen and not self.brings_files
            found = named.addresses if is_chosen and may_offer_addresses else set()
            found |= {
                path
                for path in named.paths
                if is_chosen or self.offers.is_new_to(self.account, path)
            }
            if found:
                searched += 1
                await turns.count(len(self.texts) // _SEARCHED)
                if not self.names(word) and not self.has_said(word):
                    offered |= found
                if searched > REMEMBERED_PATHS:
                    break
        self.offers.add(self.account, offered)


def _texts_of(outputs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Yield each text in the outputs, and whether it is a choice, a sample or a cell."""
    for kind, output in outputs:
        value = output.root if isinstance(output, RootModel) else output
        for text in chosen_from(kind, value):
            yield text, True
        for text in texts_in([value], but_of_files=OF_AN_UPLOAD):
            yield text, False


current: Final[ContextVar[CallerNames | None]] = ContextVar("caller_names", default=None)
"""The names of the current event's caller; None outside events."""


def texts_sent(blocks: Iterable[Block], values: Iterable[Any]) -> Iterator[str]:
    """Yield the texts in one sample of an event's inputs, including names of members. Selections in a FileExplorer are
    checked elsewhere."""
    for block, value in zip(blocks, values, strict=False):
        if not isinstance(block, gr.FileExplorer):
            left_out = OF_AN_UPLOAD if _keeps_names_back(block) else frozenset()
            if isinstance(value, int | float):  # A component may make a text of it.
                yield str(value)
            yield from texts_in([value], but_of_files=left_out, with_names=True)
            if isinstance(block, gr.Dialogue):
                yield from _lines_of(value)


def _keeps_names_back(block: Block) -> bool:
    """Return whether the component hides upload names from the app. A custom one may pass them on."""
    is_gradios = type(block).__module__.partition(".")[0] == "gradio"
    reads_files = getattr(block, "data_model", None) is not None and not hands_json_on(block)
    return is_gradios and reads_files


def _lines_of(dialogue: Any) -> Iterator[str]:
    """Yield the lines that gr.Dialogue makes of what is sent."""
    for line in dialogue if isinstance(dialogue, list) else ():
        if isinstance(line, dict):
            yield f"[{line.get('speaker')}] {line.get('text')}"


async def names_in(texts: Iterable[str], missing: set[str] | None = None) -> Names:
    """Return the files and addresses in the texts. Look up each text, and each item of a list within a text. Add words
    that name nothing to `missing`. Raises TooManyFiles."""
    names, count, turns, lookups = Names(), 0, Turns(), Lookups()
    missing = set() if missing is None else missing
    for text in texts:
        is_long = len(text) > LONG_TEXT
        for word in words_in(text):
            # A long text is searched in pieces. Each one takes about the time of a whole turn, and ends with no word.
            await turns.count(cost_of(word) if word or not is_long else AT_ONCE)
            if not word or word in missing:
                continue
            named = named_in_any_case(word) if lookups.may_name(word) else Names()
            names.add(named)
            count += bool(named.paths)
            if count > NAMED_FILES:
                raise TooManyFiles
            if not named and len(missing) < _REMEMBERED_WORDS:
                missing.add(word)
    return names
