"""Find the files and addresses that a text names."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from entrypoints.ui.limits import LONGEST_PATH, PATHS_LOOKED_UP
from entrypoints.ui.wire.value_walks import AT_ONCE, Turns

_LONGEST_WORD: Final = 4 * LONGEST_PATH
"""A longer text names no file, and splitting it into the parts of a path takes long."""
_BETWEEN: Final = r"""\"'\n\r\t\v\f\x1c-\x1e\x85\u2028\u2029,;|<>"""
"""Signs between the items of a list, among them all at which Python ends a line."""
_SEPARATOR: Final = re.compile(f"[{_BETWEEN}]")
_ITEM: Final = re.compile(f"[^{_BETWEEN}]+")
"""An item of a list of paths that is sent as one text."""
_IN_A_SENTENCE: Final = re.compile(r"https?:\S+|(?<![\w./~-])(?:/|~|\.{1,2}/)\S+", re.IGNORECASE)
"""An address or a path within a sentence. Apps cut such words out of what a caller writes."""
_ENDS: Final = re.compile(r"""["'<>|,;()\[\]{}`“”„\u2018\u2019«»*]""")
"""Signs at which an app may end such a word."""
_MOST_ENDS: Final = 8
_QUOTES: Final = "\"'`"
_ESCAPE: Final = re.compile(r"""\\(?:u([0-9a-fA-F]{4})|([/\\]))""")
"""A sign as JSON may write it."""
_END: Final = ".,;:!?)]}"
"""Signs that end a sentence and rarely a path."""
_ADDRESS: Final = re.compile(r"\s*https?:", re.IGNORECASE)
_PARENT_STEP: Final = re.compile(r"(?<![\w.])\.\.(?![\w.])")
_ONE_BY_ONE: Final = 100
LONG_TEXT: Final = 50_000
"""Characters that are looked at before other tasks get their turn."""


class TooManyFiles(Exception):
    """The texts of one event name more files than the limit, or more paths than are looked up."""


@dataclass(slots=True)
class Names:
    """Real paths of existing files, and addresses in their original spelling."""

    paths: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)

    def add(self, other: "Names") -> None:
        self.paths |= other.paths
        self.addresses |= other.addresses

    def __bool__(self) -> bool:
        return bool(self.paths or self.addresses)


def words_in(text: str) -> Iterator[str]:
    """Yield the text, and each item of a list within it. Of a long text, yield at least one word, which may be empty,
    for each piece, so that the caller can let other tasks run in between."""
    yield text
    whole = text.strip()
    if whole != text:
        yield whole
    begin = 0
    while begin < len(text):
        end = _end_of_item(text, begin + LONG_TEXT)
        piece = text[begin:end]
        for spelling in (piece, *_decoded(piece)):
            yield from (word for word in _words_of(spelling) if word != whole)
            yield ""
        begin = end


def _decoded(text: str) -> Iterator[str]:
    """Yield what an app gets that reads the text as JSON, or as a part of an address, if that differs."""
    if "%" in text and (of_address := unquote(text)) != text:
        yield of_address
    if "\\" in text and (of_json := _ESCAPE.sub(_unescaped, text)) != text:
        yield of_json


def _words_of(text: str) -> Iterator[str]:
    for item in _ITEM.finditer(text):
        yield item[0].strip()
    for found in _IN_A_SENTENCE.finditer(text):
        yield from _spellings(found[0])
    for quote in _QUOTES:
        for part in text.split(quote)[1:-1] if quote in text else ():
            # Without a separator, it is an item.
            if len(part) <= _LONGEST_WORD and _SEPARATOR.search(part):
                yield part.strip()


def _spellings(word: str) -> set[str]:
    """Return the word up to its end, and up to each of the first signs at which an app may end it."""
    cuts = [end.start() for end, _ in zip(_ENDS.finditer(word), range(_MOST_ENDS), strict=False)]
    words = [word, *(word[:cut] for cut in cuts)]
    return {each for one in words for each in (one, one.rstrip(_END)) if each}


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]


def _end_of_item(text: str, at: int) -> int:
    """Return where the item at this place ends. A longer one than a path can be is cut."""
    longest = min(at + _LONGEST_WORD, len(text))
    separator = _SEPARATOR.search(text, at, longest)
    return separator.start() if separator else longest


def named_by_word(word: str) -> Names:
    if is_address(word):
        return Names(addresses={word.strip()})
    return Names(paths=set(real_paths(word)))


def named_in_any_case(word: str) -> Names:
    """Return what the word names, also in small letters or in capitals: an app may change them."""
    names = named_by_word(word)
    if len(word) <= LONGEST_PATH and not names.addresses:
        for other in {word.lower(), word.upper()} - {word}:
            names.paths |= set(real_paths(other))
    return names


def real_paths(word: str) -> Iterator[str]:
    """Yield the real path of the file that the word names, if it exists: as Python opens it, as `pathlib` shortens it,
    as Gradio normalizes it, and as pandas expands a home folder in it. A path that is too long for the system may be short enough when normalized."""
    if not word or len(word) > _LONGEST_WORD or "\0" in word:
        return
    spellings = {word, str(Path(word)), os.path.normpath(word)}
    if "~" in word:
        spellings |= {os.path.expanduser(each) for each in spellings}  # noqa: PTH111 -- Path raises for unknown users.
    for path in spellings:
        if len(path) <= LONGEST_PATH:
            try:
                is_folder = stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 -- Faster.
                if not is_folder:
                    yield os.path.realpath(path)
            except (OSError, ValueError):
                continue


class Lookups:
    """Dismisses words that name no file without asking the system for each: a table may have 200,000 of them."""

    def __init__(self) -> None:
        self._plain = self._paths = 0
        self._here: frozenset[str] | None = None
        """The names in the working directory, listed when there are many words."""

    def may_name(self, word: str) -> bool:
        """Return whether the word may name a file or an address. Raises TooManyFiles for too many paths."""
        if is_address(word):
            return True
        if "/" in word:
            self._paths += 1
            if self._paths > PATHS_LOOKED_UP:
                raise TooManyFiles
            return True
        self._plain += 1
        if self._plain <= _ONE_BY_ONE:
            return True
        if self._here is None:
            self._here = frozenset(os.listdir())  # noqa: PTH208 -- Only the names.
        return not self._here.isdisjoint({word, word.lower(), word.upper()})


def cost_of(word: str) -> int:
    """Return the cost of looking a word up, in visited values: resolving a path takes time for each of its parts."""
    return 1 if len(word) > _LONGEST_WORD else 1 + 4 * word.count("/")


def is_address(word: str) -> bool:
    return _ADDRESS.match(word) is not None


def has_parent_step(word: str) -> bool:
    """Return whether the word is a path with a part `..`."""
    return ".." in word and ".." in word.split("/")


async def folded(texts: Sequence[str]) -> tuple[str, bool]:
    """Return the texts in one, without a difference between capitals and small letters, and whether one of them has a
    part `..`. The texts follow each other twice, with and without a separator: an app may join what was sent in
    parts."""
    turns, parts, has_parent_step = Turns(), list[str](), False
    for text in texts:
        for begin in range(0, len(text), LONG_TEXT):
            end = begin + LONG_TEXT
            parts.append(text[begin:end].casefold())
            if not has_parent_step and ".." in text[begin : end + 1]:
                # The end of a piece counts as the end of the text, so that at worst too much is refused.
                has_parent_step = _PARENT_STEP.search(text, begin, end + 1) is not None
            await turns.count(AT_ONCE // 4)
        parts.append("\n")
    return "".join(parts) + "".join(part for part in parts if part != "\n"), has_parent_step


def is_special(path: str) -> bool:
    """Return whether the path is neither a file nor a folder, but a device, or a pipe, whose reader may wait
    forever."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 -- Faster, and called for each file.
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
