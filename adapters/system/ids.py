"""Ids and secrets. Only this file makes random values."""

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from itertools import count
from uuid import UUID, uuid4

from domain.ports.system import IdGenerator


class RandomIds(IdGenerator):
    def new_id(self) -> UUID:
        return uuid4()

    def new_secret(self) -> str:
        return secrets.token_urlsafe(32)


class CountingIds(IdGenerator):
    """For tests: the same ids and secrets in every run, each only once, in the format of real ones. They can be
    guessed."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._secrets = count(1)

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids), version=4)

    def new_secret(self) -> str:
        digest = sha256(f"secret {next(self._secrets)}".encode()).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()
