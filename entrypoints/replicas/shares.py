"""Share the open files of a process between clients, requests that are sent on, and requests that arrive from other
replicas, so that none of them takes the files of the others."""

from typing import Final

try:
    import resource
except ImportError:  # pragma: no cover -- Windows, which has no such limit.
    resource = None  # type: ignore[assignment]

SHARES: Final = 3
_MOST: Final = 3_000


def share_of_files() -> int:
    """Return how many connections one of the three may have."""
    if resource is None:
        return _MOST  # pragma: no cover
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else min(_MOST, files // (SHARES + 1))
