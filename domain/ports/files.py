"""The files of apps: the folder of one replica, and the storage that all replicas share."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Literal, Protocol

from domain.model.file import StoredFile


class FileFolder(Protocol):
    """Read and remove files by their places: paths within the folder, with "/". Implementations never leave the folder
    and follow no links. A file is removed in two steps: after `set_aside` the store can be asked again, and `put_back`
    undoes the step."""

    @abstractmethod
    def files(self) -> AsyncIterator[Sequence[StoredFile]]:
        """Iterate over all regular files in batches, including those that a dead process left set aside. A half-written
        file is not among them."""

    @abstractmethod
    async def set_aside(self, places: Collection[str]) -> Sequence[str]:
        """Take files out of their places; return the places that had a file."""

    @abstractmethod
    async def put_back(self, places: Collection[str]) -> None:
        """Undo `set_aside`; a place that has a new file keeps the new file."""

    @abstractmethod
    async def remove_aside(self, places: Collection[str]) -> None:
        """Remove files that were set aside, and folders that become empty. A file that was shared since stays."""


class FileStorage(FileFolder, Protocol):
    """The files that all replicas share. Each replica works on copies in its own folder, which have the same places. By
    default, the storage is this folder. Every method raises FilesUnavailable if the storage does not respond within
    seconds."""

    @property
    @abstractmethod
    def is_apart(self) -> bool:
        """False if the storage is the folder itself, so that there is nothing to share, bring or remove twice."""

    @abstractmethod
    async def share(self, places: Collection[str]) -> None:
        """Make the files of this replica's folder readable from every replica: whole, or not at all. Skip places without
        a file."""

    @abstractmethod
    async def bring(self, places: Collection[str]) -> None:
        """Put shared files into this replica's folder where it lacks them: whole and verified, or not at all. Skip
        places where nothing was shared. Raises DiskFull."""

    @abstractmethod
    async def state(self) -> Literal["off", "ok", "degraded"]:
        """Return whether the storage responds; "off" if it is the folder itself. Never raises."""
