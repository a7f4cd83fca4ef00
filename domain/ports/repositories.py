"""What the domain asks of a store. Each sentence here is the title of a contract test."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.file import FileClaim, FileKey
from domain.model.session import Session, SessionId
from domain.model.state import Changes, Entries
from domain.model.user import Email, User, UserId

Owner = TypeVar("Owner", contravariant=True)


class UserRepository(Protocol):
    @abstractmethod
    async def add(self, user: User) -> None:
        """Inserts; raises EmailTaken when another account has the e-mail, decided by a unique constraint."""

    @abstractmethod
    async def save(self, user: User) -> None:
        """Updates, never inserts; raises UserNotFound when the account is gone, EmailTaken as `add` does."""

    @abstractmethod
    async def get(self, user_id: UserId) -> User:
        """Raises UserNotFound."""

    @abstractmethod
    async def get_locked(self, user_id: UserId) -> User:
        """As `get`, and nobody else locks or changes this account until the unit of work ends."""

    @abstractmethod
    async def find_by_email(self, email: Email) -> User | None:
        """The account with exactly this canonical e-mail."""

    @abstractmethod
    async def page(
        self, *, limit: int, after: UserId | None = None, search: str = ""
    ) -> Sequence[User]:
        """At most `limit` accounts in the order of their e-mail, those behind `after` (an account that is gone or
        unknown starts at the beginning); with `search`, those whose e-mail or name contains it, ignoring case;
        `%` and `_` stand for themselves."""

    @abstractmethod
    async def acting_admins(self, *, locked: bool = False) -> int:
        """How many active admins there are; with `locked` nobody else counts them with `locked` until the unit of work ends,
        also when there are none."""


class SessionRepository(Protocol):
    @abstractmethod
    async def add(self, session: Session) -> None:
        """Inserts; raises UserNotFound when the account is gone."""

    @abstractmethod
    async def save(self, session: Session) -> None:
        """Updates `seen_at`, never inserts: a removed session stays removed. Raises SessionEnded when it is gone."""

    @abstractmethod
    async def find(self, session_id: SessionId) -> Session | None: ...

    @abstractmethod
    async def find_many(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        """Those that are there, in any order."""

    @abstractmethod
    async def find_with_user(self, secret_hash: bytes) -> tuple[Session, User, Entries] | None:
        """The session opened by this secret, its account and its data, in one round trip where the store allows."""

    @abstractmethod
    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        """All of them, the one seen last first."""

    @abstractmethod
    async def remove(self, session_ids: Sequence[SessionId]) -> int:
        """Removes them with their data and answers how many there were; unknown ones are no error."""

    @abstractmethod
    async def remove_dead(self, *, ended_by: datetime, idle_since: datetime) -> Sequence[SessionId]:
        """Removes those with `ends_at <= ended_by` or `seen_at <= idle_since`, with their data; answers which."""

    @abstractmethod
    async def page(
        self, *, limit: int, after: SessionId | None = None
    ) -> Sequence[tuple[Session, User]]:
        """At most `limit` sessions of everybody with their accounts, the newest sign-in first, those behind `after`."""


class AccessTokenRepository(Protocol):
    @abstractmethod
    async def add(self, token: AccessToken) -> None:
        """Inserts; raises UserNotFound when the account is gone."""

    @abstractmethod
    async def save(self, token: AccessToken) -> None:
        """Updates `last_used_at` and `secret_hash`, never inserts: a removed token stays removed. Raises
        AccessTokenEnded when it is gone."""

    @abstractmethod
    async def find(self, token_id: AccessTokenId) -> AccessToken | None: ...

    @abstractmethod
    async def find_many(self, token_ids: Collection[AccessTokenId]) -> Sequence[AccessToken]:
        """Those that are there, in any order."""

    @abstractmethod
    async def find_with_user(
        self, secret_hashes: Collection[bytes]
    ) -> tuple[AccessToken, User, Entries] | None:
        """The token with one of these hashes, its account and its data, in one round trip where the store allows."""

    @abstractmethod
    async def of_user(self, user_id: UserId) -> Sequence[AccessToken]:
        """All of them, the newest first."""

    @abstractmethod
    async def remove(self, token_ids: Sequence[AccessTokenId]) -> int:
        """Removes them with their data and answers how many there were; unknown ones are no error."""

    @abstractmethod
    async def remove_expired(self, expired_by: datetime) -> Sequence[AccessTokenId]:
        """Removes those with `expires_at <= expired_by`, with their data; answers which."""


class StateRepository(Protocol[Owner]):
    """Keyed JSON values of one owner: of an account, of a session, or of an access token."""

    @abstractmethod
    async def read(self, owner: Owner, *, locked: bool = False) -> Entries:
        """All values of the owner; with `locked` nobody else reads them with `locked` until the unit of work ends,
        also when there are none yet. With `locked`, raises UserNotFound, SessionEnded or AccessTokenEnded when the owner
        is gone."""

    @abstractmethod
    async def write(self, owner: Owner, changes: Changes) -> None:
        """Sets the named keys and leaves the others, each version one higher than stored (a new key starts at 1);
        REMOVED removes. Raises UserNotFound, SessionEnded or AccessTokenEnded when the owner is gone."""


class FileRepository(Protocol):
    """Which files belong to which account; one may belong to several."""

    @abstractmethod
    async def add(self, user_id: UserId, sizes: Mapping[FileKey, int], now: datetime) -> None:
        """They belong to the account from now on, with their sizes in bytes; those that did already count as used now.
        Raises UserNotFound when the account is gone."""

    @abstractmethod
    async def owned(self, user_id: UserId, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        """The account's claims on those of the keys that belong to it, in any order."""

    @abstractmethod
    async def of(self, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        """Everybody's claims on these files, in any order."""

    @abstractmethod
    async def total(self, user_id: UserId, *, locked: bool = False) -> int:
        """The bytes of all the account's files, unknown sizes left out; with `locked` nobody else adds to them or asks
        with `locked` until the unit of work ends. With `locked`, raises UserNotFound when the account is gone."""

    @abstractmethod
    async def mark_used(self, user_id: UserId, keys: Collection[FileKey], now: datetime) -> None:
        """They were used now, never earlier than they were; makes nothing the account's that is not."""

    @abstractmethod
    async def measure(self, sizes: Mapping[FileKey, int]) -> None:
        """Sets the size of everybody's claims on these files where it is unknown."""

    @abstractmethod
    async def unused(self, before: datetime, *, limit: int) -> Sequence[FileClaim]:
        """At most `limit` claims that were last used before, whoever they belong to, the longest unused first."""

    @abstractmethod
    async def remove_unused(
        self, user_id: UserId, keys: Collection[FileKey], before: datetime
    ) -> frozenset[FileKey]:
        """Ends those of the account's claims that were last used before; answers which."""
