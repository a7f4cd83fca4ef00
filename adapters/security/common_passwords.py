"""The list of common passwords that comes with the service; its licence is in the file beside it."""

import gzip
from functools import cached_property
from pathlib import Path
from typing import Final

from domain.ports.security import CommonPasswords

_FILE: Final = Path(__file__).with_name("common_passwords.txt.gz")


class BundledCommonPasswords(CommonPasswords):
    """Reads the list at the first question."""

    def has(self, password: str) -> bool:
        return password.casefold() in self._passwords

    @cached_property
    def _passwords(self) -> frozenset[str]:
        """One lower-case password per line."""
        return frozenset(gzip.decompress(_FILE.read_bytes()).decode("ascii").splitlines())
