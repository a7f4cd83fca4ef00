"""Track the tabs, events, streams and uploads of each account in Gradio's memory, limit their number, and release them.

Limits apply per account, over all its sessions and access tokens. Tabs and events belong to one session or access
token, and are released when it ends. The next session of the same browser and account goes on with the tabs of one that
it replaces, and of one that has expired up to 15 minutes ago.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from domain.errors import SessionEnded
from domain.model.caller import SignedIn
from domain.model.session import SessionId
from domain.model.user import UserId
from entrypoints.access import RecogniseAgain
from entrypoints.ui.isolation.account import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The live sessions and access tokens that have used a mounted app since this process started."""

    now: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    """Returns seconds of a monotonic clock."""
    _accounts: dict[UserId, Account] = field(default_factory=dict)
    _users: dict[SessionId, UserId] = field(default_factory=dict)
    _owners: dict[SessionId, SessionId] = field(default_factory=dict)
    """For each session that has taken tabs over: the session with whose id their names end."""
    _holders: dict[SessionId, SessionId] = field(default_factory=dict)
    """The other way round."""
    _checks: dict[SessionId, RecogniseAgain] = field(default_factory=dict)
    """For each owner whose session was replaced while it was live: what checks the session that has its tabs now."""

    def account_of(self, signed_in: SignedIn) -> Account:
        """Return the Account, which is shared by all sessions and access tokens of one account."""
        self._users[signed_in.session.id] = user_id = signed_in.user.id
        account = self._accounts.get(user_id)
        if account is None:
            account = self._accounts[user_id] = Account()
        return account

    def owner_of(self, session_id: SessionId) -> SessionId:
        """Return the id with which the names of the session's tabs end: its own, or the one of the former session
        whose tabs it has taken over."""
        return self._owners.get(session_id, session_id)

    def user_of(self, owner: SessionId) -> UserId | None:
        """Return the account of a session or access token that has used an app, by the id in the names of its tabs."""
        return self._users.get(self._holders.get(owner, owner))

    def hand_over(
        self,
        former: SessionId,
        session: SessionId,
        *,
        of: UserId,
        recognise: RecogniseAgain | None = None,
    ) -> None:
        """Let a new session go on with the tabs of a former one of the same browser, which has ended. Its new requests
        are refused; its events that still run go on as the new session if `recognise` checks that one. Does nothing
        unless the former session has used an app in this process, with the account `of`."""
        if self._users.get(former) != of:
            return
        del self._users[former]
        owner = self._owners.pop(former, former)
        self._users[session] = of
        self._owners[session] = owner
        self._holders[owner] = session
        self._checks.pop(owner, None)
        if recognise is not None:
            self._checks[owner] = recognise

    def holder_of(self, session_id: SessionId) -> SessionId:
        """Return the session that has the tabs now: the session itself, or the next one."""
        return self._holders.get(self.owner_of(session_id), session_id)

    def going_on(self, recognise: RecogniseAgain, owner: SessionId) -> RecogniseAgain:
        """Return a check of a session that goes on with the session by which it is replaced."""

        async def check(*, activity: bool) -> SignedIn:
            try:
                return await recognise(activity=activity)
            except SessionEnded:
                following = self._checks.get(owner)
                if following is None:
                    raise
                return replace(await following(activity=activity), goes_on=True)

        return check

    def watch(self, session_id: SessionId) -> Callable[[], bool]:
        """Return a function that tells whether another session has taken over the tabs of this one."""
        owner = self.owner_of(session_id)
        return lambda: self._holders.get(owner, session_id) != session_id

    def all(self) -> Collection[Account]:
        return tuple(self._accounts.values())

    def have_events(self) -> bool:
        """Return whether events of any account wait or run."""
        return any(account.has_events() for account in self._accounts.values())

    def has_events(self, user_id: UserId) -> bool:
        """Return whether events of the account wait or run."""
        account = self._accounts.get(user_id)
        return account is not None and account.has_events()

    def has_events_or_results(self, user_id: UserId) -> bool:
        """Return whether events of the account wait or run, or have results that were not read."""
        account = self._accounts.get(user_id)
        return account is not None and (account.has_events() or account.has_results())

    def is_in_use(self, user_id: UserId) -> bool:
        """Return whether the account has events, or a page open."""
        account = self._accounts.get(user_id)
        return account is not None and account.is_in_use()

    def sessions(self) -> Collection[SessionId]:
        return tuple(self._users)

    async def forget(self, ended: Collection[SessionId]) -> None:
        """Release the tabs and events of ended sessions. Uploads of the last hour still count afterwards."""
        for session_id in ended:
            user_id, owner = self._users.get(session_id), self.owner_of(session_id)
            if user_id is None:
                continue
            # A late request of a former session must not release what another session has taken over.
            if self._is_holder(session_id, owner) and not await self._accounts[user_id].forget(
                owner
            ):
                continue
            self._users.pop(session_id, None)
            # Another session may have taken over meanwhile.
            if self._is_holder(session_id, owner):
                self._owners.pop(session_id, None)
                self._holders.pop(owner, None)
                self._checks.pop(owner, None)
        self._forget_accounts()

    def _is_holder(self, session_id: SessionId, owner: SessionId) -> bool:
        return self._holders.get(owner, session_id) == session_id

    def _forget_accounts(self) -> None:
        in_use, now = set(self._users.values()), self.now()
        for user_id in [one for one in self._accounts if one not in in_use]:
            if self._accounts[user_id].is_empty(now):
                del self._accounts[user_id]
