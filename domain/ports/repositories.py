"""The repositories that the domain needs. Each sentence here is the title of a contract test."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.event_time import EventTime, UsedTime
from domain.model.file import FileClaim, FileKey
from domain.model.identity import Identity
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.model.provider_tokens import SealedTokens
from domain.model.replica import Replica, ReplicaId
from domain.model.session import Session, SessionId
from domain.model.state import Changes, Entries
from domain.model.user import Email, User, UserId

Owner = TypeVar("Owner", contravariant=True)


class UserRepository(Protocol):
    @abstractmethod
    async def add(self, user: User) -> None:
        """Insert an account. Raises EmailTaken if another account has the e-mail; a unique constraint decides."""

    @abstractmethod
    async def save(self, user: User) -> None:
        """Update an account, never insert one. Raises UserNotFound if the account is gone, and EmailTaken like `add`."""

    @abstractmethod
    async def get(self, user_id: UserId) -> User:
        """Return the account. Raises UserNotFound."""

    @abstractmethod
    async def get_locked(self, user_id: UserId) -> User:
        """Return the account like `get`, and lock it: nobody else can lock or change it until the unit of work ends."""

    @abstractmethod
    async def find_by_email(self, email: Email) -> User | None:
        """Return the account with exactly this canonical e-mail."""

    @abstractmethod
    async def page(
        self, *, limit: int, after: UserId | None = None, search: str = ""
    ) -> Sequence[User]:
        """Return at most `limit` accounts after the account `after`, ordered by e-mail; if `after` is unknown, start at
        the beginning. With `search`, return only accounts whose e-mail or name contains it, ignoring case; `%` and `_`
        have no special meaning."""

    @abstractmethod
    async def count_active_admins(self, *, locked: bool = False) -> int:
        """Return the number of active admins. With `locked`, nobody else can count them with `locked` until the unit of
        work ends, even if there are none."""

    @abstractmethod
    async def break_glass(self) -> Sequence[User]:
        """Return the accounts that are marked as break-glass, ordered by e-mail."""


class IdentityRepository(Protocol):
    @abstractmethod
    async def add(self, identity: Identity) -> None:
        """Insert an identity. Raises UserNotFound if the account is gone, and IdentityTaken if issuer and subject are
        linked already or the account has another identity of this issuer; unique constraints decide."""

    @abstractmethod
    async def find(self, issuer: str, subject: str) -> Identity | None:
        """Return the identity with exactly this issuer and subject."""

    @abstractmethod
    async def of_user(self, user_id: UserId) -> Sequence[Identity]:
        """Return the identities of the account, ordered by issuer."""

    @abstractmethod
    async def remove_of_user(self, user_id: UserId) -> int:
        """Remove all identities of the account and return how many there were."""

    @abstractmethod
    async def spend_logout_token(self, key: bytes, *, expires_at: datetime) -> bool:
        """Return True for the first call with this key of 32 bytes, and False for each later one."""

    @abstractmethod
    async def forget_logout_tokens(self, *, expired_by: datetime) -> int:
        """Forget the spent keys with `expires_at <= expired_by`; return how many."""


class ProviderTokenRepository(Protocol):
    """The encrypted tokens that a provider gave at the sign-in of a session. They are gone with the session."""

    @abstractmethod
    async def add(self, session_id: SessionId, sealed: bytes) -> None:
        """Insert the tokens of a new session. Raises SessionEnded if the session is gone."""

    @abstractmethod
    async def find(self, session_id: SessionId) -> SealedTokens | None: ...

    @abstractmethod
    async def save(self, session_id: SessionId, sealed: bytes) -> bool:
        """Update the tokens, never insert, and end their refresh. Return False if they are gone."""

    @abstractmethod
    async def begin_refresh(self, session_id: SessionId, *, now: datetime, until: datetime) -> bool:
        """Return True if the caller may refresh the tokens `until` then, and False for everybody else meanwhile, and if
        there are no tokens. One statement decides."""

    @abstractmethod
    async def end_refresh(self, session_id: SessionId) -> None:
        """Let others refresh the tokens, which stay as they are."""

    @abstractmethod
    async def remove(self, session_id: SessionId) -> None:
        """Remove the tokens. Missing ones are no error."""

    @abstractmethod
    async def remove_of_user(self, user_id: UserId) -> int:
        """Remove the tokens of all sessions of the account, and return of how many."""


class SessionRepository(Protocol):
    @abstractmethod
    async def add(self, session: Session) -> None:
        """Insert a session. Raises UserNotFound if the account is gone."""

    @abstractmethod
    async def save(self, session: Session) -> None:
        """Update `seen_at`, never insert: a removed session stays removed. Raises SessionEnded if the session is gone."""

    @abstractmethod
    async def confirm(self, session_id: SessionId, now: datetime) -> None:
        """Update `confirmed_at`, never insert: a removed session stays removed. Raises SessionEnded if the session is
        gone."""

    @abstractmethod
    async def find(self, session_id: SessionId) -> Session | None: ...

    @abstractmethod
    async def find_many(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        """Return the sessions that exist, in any order."""

    @abstractmethod
    async def find_with_user(self, secret_hash: bytes) -> tuple[Session, User, Entries] | None:
        """Return the session with this secret, its account and its data, in one round trip if the store allows it."""

    @abstractmethod
    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        """Return all sessions of the account, the most recently seen first."""

    @abstractmethod
    async def of_provider(
        self, issuer: str, *, subject: str | None, sid: str | None
    ) -> Sequence[Session]:
        """Return the sessions that began with a sign-in at this issuer, of this subject and with this `sid` if they
        are given, in any order. Without both there are none."""

    @abstractmethod
    async def remove(self, session_ids: Sequence[SessionId]) -> int:
        """Remove sessions with their data and return how many existed. Unknown ids are no error."""

    @abstractmethod
    async def remove_dead(
        self, *, ended_by: datetime, idle_since: datetime, spares_remembered: bool
    ) -> Sequence[SessionId]:
        """Remove sessions with `ends_at <= ended_by` or `seen_at <= idle_since`, with their data; return their ids. With
        `spares_remembered`, remembered sessions have no idle timeout."""

    @abstractmethod
    async def page(
        self, *, limit: int, after: SessionId | None = None
    ) -> Sequence[tuple[Session, User]]:
        """Return at most `limit` sessions of all accounts after the session `after`, with their accounts, the newest
        sign-in first."""


class KnownDeviceRepository(Protocol):
    @abstractmethod
    async def add(self, device: KnownDevice) -> None:
        """Insert a known device. Raises UserNotFound if the account is gone."""

    @abstractmethod
    async def save(self, device: KnownDevice) -> None:
        """Update `session_id`, `seen_at` and `device`, never insert: a forgotten device stays forgotten. Raises
        KnownDeviceNotFound if it is gone."""

    @abstractmethod
    async def find(self, user_id: UserId, secret_hashes: Collection[bytes]) -> KnownDevice | None:
        """Return the account's device that was seen last among those with one of these hashes."""

    @abstractmethod
    async def of_user(self, user_id: UserId) -> Sequence[KnownDevice]:
        """Return all known devices of the account, the most recently seen first."""

    @abstractmethod
    async def remove(self, device_ids: Sequence[KnownDeviceId]) -> int:
        """Remove devices and return how many existed. Unknown ids are no error."""

    @abstractmethod
    async def remove_of_session(self, session_id: SessionId) -> int:
        """Remove the devices whose last sign-in opened this session, and return how many."""

    @abstractmethod
    async def remove_of_user(self, user_id: UserId, *, keep: SessionId | None = None) -> int:
        """Remove all known devices of the account, except that of the session `keep`, and return how many."""

    @abstractmethod
    async def remove_unused(self, *, since: datetime) -> int:
        """Remove devices with `seen_at <= since`, and return how many."""


class AccessTokenRepository(Protocol):
    @abstractmethod
    async def add(self, token: AccessToken) -> None:
        """Insert an access token. Raises UserNotFound if the account is gone."""

    @abstractmethod
    async def save(self, token: AccessToken) -> None:
        """Update `last_used_at` and `secret_hash`, never insert: a removed token stays removed. Raises AccessTokenEnded
        if the token is gone."""

    @abstractmethod
    async def find(self, token_id: AccessTokenId) -> AccessToken | None: ...

    @abstractmethod
    async def find_many(self, token_ids: Collection[AccessTokenId]) -> Sequence[AccessToken]:
        """Return the tokens that exist, in any order."""

    @abstractmethod
    async def find_with_user(
        self, secret_hashes: Collection[bytes]
    ) -> tuple[AccessToken, User, Entries] | None:
        """Return the token with one of these hashes, its account and its data, in one round trip if the store allows
        it."""

    @abstractmethod
    async def of_user(self, user_id: UserId) -> Sequence[AccessToken]:
        """Return all tokens of the account, the newest first."""

    @abstractmethod
    async def remove(self, token_ids: Sequence[AccessTokenId]) -> int:
        """Remove tokens with their data and return how many existed. Unknown ids are no error."""

    @abstractmethod
    async def remove_expired(self, expired_by: datetime) -> Sequence[AccessTokenId]:
        """Remove tokens with `expires_at <= expired_by`, with their data; return their ids."""


class StateRepository(Protocol[Owner]):
    """JSON values by key of one owner: an account, a session or an access token."""

    @abstractmethod
    async def read(self, owner: Owner, *, locked: bool = False) -> Entries:
        """Return all values of the owner. With `locked`, nobody else can read them with `locked` until the unit of work
        ends, even if there are none yet; raises UserNotFound, SessionEnded or AccessTokenEnded if the owner is gone."""

    @abstractmethod
    async def write(self, owner: Owner, changes: Changes) -> None:
        """Set the named keys and leave the others. Each written version is one higher than the stored one (a new key
        starts at 1), and REMOVED removes a key. Raises UserNotFound, SessionEnded or AccessTokenEnded if the owner is
        gone."""


class FileRepository(Protocol):
    """The claims of accounts on files. A file may belong to several accounts."""

    @abstractmethod
    async def add(self, user_id: UserId, sizes: Mapping[FileKey, int], now: datetime) -> None:
        """Add claims of the account with the files' sizes in bytes; existing claims count as used now. Raises
        UserNotFound if the account is gone."""

    @abstractmethod
    async def owned(self, user_id: UserId, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        """Return the account's claims on these files, in any order."""

    @abstractmethod
    async def of(self, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        """Return the claims of all accounts on these files, in any order."""

    @abstractmethod
    async def total(self, user_id: UserId, *, locked: bool = False) -> int:
        """Return the bytes of all files of the account, without files of unknown size. With `locked`, nobody else can
        add claims or ask with `locked` until the unit of work ends; raises UserNotFound if the account is gone."""

    @abstractmethod
    async def mark_used(self, user_id: UserId, keys: Collection[FileKey], now: datetime) -> None:
        """Set the time of use of the account's claims on these files, never to an earlier time. Adds no claims."""

    @abstractmethod
    async def measure(self, sizes: Mapping[FileKey, int]) -> None:
        """Set the size of all accounts' claims on these files if it is unknown."""

    @abstractmethod
    async def unused(self, before: datetime, *, limit: int) -> Sequence[FileClaim]:
        """Return at most `limit` claims of all accounts that were last used before `before`, the longest unused first."""

    @abstractmethod
    async def remove_unused(
        self, user_id: UserId, keys: Collection[FileKey], before: datetime
    ) -> frozenset[FileKey]:
        """Remove those of the account's claims on these files that were last used before `before`; return their keys."""


class ReplicaRepository(Protocol):
    """The running replicas, and the accounts whose events each one runs."""

    @abstractmethod
    async def add(self, replica: Replica) -> None:
        """Insert a replica."""

    @abstractmethod
    async def beat(self, replica: Replica) -> bool:
        """Add one to the replica's beats, and save whether it is stopping. Return False if the replica is gone."""

    @abstractmethod
    async def all(self) -> Sequence[Replica]:
        """Return all replicas, ordered by id."""

    @abstractmethod
    async def remove(self, replica: Replica) -> bool:
        """Remove the replica, and with it all its accounts, unless it has beaten since it was read. Return whether it
        was removed."""

    @abstractmethod
    async def leave(self, replica_id: ReplicaId) -> None:
        """Remove the replica, and with it all its accounts, however often it has beaten."""

    @abstractmethod
    async def home_of(self, user_id: UserId, *, otherwise: ReplicaId) -> ReplicaId:
        """Return the replica that runs the account's events. If there is none, make it the replica `otherwise`. Of two
        calls at once, both return the same one. Raises UserNotFound if the account is gone, and ReplicaGone if the
        replica `otherwise` is."""

    @abstractmethod
    async def release(self, user_ids: Collection[UserId], *, of: ReplicaId) -> None:
        """Let other replicas take these accounts, if they are at the replica `of`."""


class EventTimeRepository(Protocol):
    """The time that events of accounts have taken, by minute."""

    @abstractmethod
    async def add(self, used: Collection[UsedTime]) -> None:
        """Add used time to what is stored for the same account and minute. Several may name the same ones. Time of an
        unknown account is no error."""

    @abstractmethod
    async def of_user(self, user_id: UserId, *, after: datetime) -> EventTime:
        """Return what the account has used in minutes that begin later than `after`."""

    @abstractmethod
    async def forget(self, *, until: datetime) -> int:
        """Remove what was used in minutes that begin at `until` or earlier; return how many rows there were."""
