"""The folder that apps keep their files in."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from domain.model.file import StoredFile


class FileFolder(Protocol):
    """Names files by their places: paths within the folder, with "/". Never leaves the folder, and follows no links.
    A file is removed in two steps: once it is out of its place, the store can be asked again, and the first step
    undone."""

    @abstractmethod
    def files(self) -> AsyncIterator[Sequence[StoredFile]]:
        """All regular files, in batches; also what was set aside by a process that did not come back."""

    @abstractmethod
    async def set_aside(self, places: Collection[str]) -> Sequence[str]:
        """Takes files out of their places; answers those that were there."""

    @abstractmethod
    async def put_back(self, places: Collection[str]) -> None:
        """Undoes `set_aside`; a place that has been filled meanwhile keeps what it has."""

    @abstractmethod
    async def remove_aside(self, places: Collection[str]) -> None:
        """Removes what was set aside, and the folders within that are empty then."""
