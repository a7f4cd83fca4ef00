"""The folder for the files of apps."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from domain.model.file import StoredFile


class FileFolder(Protocol):
    """Read and remove files by their places: paths within the folder, with "/". Implementations never leave the folder
    and follow no links. A file is removed in two steps: after `set_aside` the store can be asked again, and `put_back`
    undoes the step."""

    @abstractmethod
    def files(self) -> AsyncIterator[Sequence[StoredFile]]:
        """Iterate over all regular files in batches, including those that a dead process left set aside."""

    @abstractmethod
    async def set_aside(self, places: Collection[str]) -> Sequence[str]:
        """Take files out of their places; return the places that had a file."""

    @abstractmethod
    async def put_back(self, places: Collection[str]) -> None:
        """Undo `set_aside`; a place that has a new file keeps the new file."""

    @abstractmethod
    async def remove_aside(self, places: Collection[str]) -> None:
        """Remove files that were set aside, and folders that become empty."""
