"""What several repositories in memory share."""

import json

from adapters.memory.store import Tables
from domain.errors import (
    DomainError,
    UserNotFound,
)
from domain.model.state import Entries, Entry
from domain.model.user import User, UserId


def user_of(tables: Tables, user_id: UserId) -> User:
    try:
        return tables.users[user_id]
    except KeyError:
        raise UserNotFound from None


def must(holds: bool, refusal: type[DomainError]) -> None:  # noqa: FBT001 - reads as a sentence.
    if not holds:
        raise refusal


def entries_of(kept: dict[str, tuple[str, int]]) -> Entries:
    return {key: Entry(value=json.loads(text), version=v) for key, (text, v) in kept.items()}
