"""The tables of one unit of work."""

from adapters.memory.store import Tables


class MemoryTransaction:
    """The tables of one unit of work, with checks that it is still open and may write."""

    def __init__(self, tables: Tables, *, may_write: bool) -> None:
        self._tables = tables
        self._may_write = may_write
        self._is_open = True

    @property
    def tables(self) -> Tables:
        if not self._is_open:
            raise RuntimeError("The unit of work has ended.")
        return self._tables

    @property
    def writable(self) -> Tables:
        """The tables for writing, or for reading with a lock. Raises RuntimeError in a unit of work from reading()."""
        if not self._may_write:
            raise RuntimeError("A unit of work from reading() must neither write nor lock.")
        return self.tables

    def close(self) -> None:
        self._is_open = False
