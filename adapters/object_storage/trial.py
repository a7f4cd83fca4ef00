"""Try out whether the object store can be used, before the service needs it."""

from typing import Final

from adapters.object_storage.bucket import Bucket, Missing
from domain.errors import FilesUnavailable

_FOLDER: Final = ".check"
_CONTENT: Final = b"gradioapp check"


class TrialFailed(Exception):
    """`step` is what did not work, and `cause` the words of the store, without secrets."""

    def __init__(self, step: str, error: Exception) -> None:
        self.step = step
        self.cause = str(error.__cause__ or error).partition("\n")[0][:300]
        super().__init__(f"{step}: {self.cause}")


async def try_out(bucket: Bucket, name: str) -> None:
    """Write, list, read and remove a small object. `name` is one that nobody else uses. Raises TrialFailed."""
    key, step = f"{_FOLDER}/{name}", "written"
    try:
        await bucket.write(key, _CONTENT)
        step = "listed"
        listed = [found for found, *_ in await bucket.below(_FOLDER)]
        step = "read"
        read = b"".join([piece async for piece in bucket.read(key)])
        step = "deleted"
        await bucket.remove([key])
    except (FilesUnavailable, Missing) as error:
        raise TrialFailed(step, error) from error
    if key not in listed or read != _CONTENT:
        raise TrialFailed("trusted", ValueError("what was written is not what was found"))
