"""Record each act that concerns security once, whether it is done or refused."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from domain.errors import (
    DomainError,
    IdentityRefused,
    NotAllowed,
    ProviderUnavailable,
    SignInThrottled,
)
from domain.model.audit import Act, Entry
from domain.model.caller import Caller
from domain.model.load import SignIn
from domain.model.user import UserId
from domain.ports.audit import AuditLog
from domain.ports.tally import Tally

_REFUSED: Final[Mapping[Act, Act]] = {
    Act.SIGN_IN: Act.SIGN_IN_REFUSED,
    Act.CHANGE_PASSWORD: Act.PASSWORD_CHANGE_REFUSED,
}
"""Acts that have another name when they are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditService:
    log: AuditLog
    tally: Tally
    """Counts sign-ins and confirmations of sessions."""

    @asynccontextmanager
    async def act(
        self, act: Act, *, by: Caller | None, of: UserId | None = None, **details: str | int | bool
    ) -> AsyncIterator[Entry]:
        """Record the act at the end of the block: as done, or as refused if the block raises a DomainError, which is
        raised again. The block may complete the entry."""
        entry = Entry(act=act, by=by, of=of, details=details)
        try:
            yield entry
        except DomainError as refused:
            self._record_refusal(entry, refused)
            raise
        self._count(act, entry)
        self.log.record(entry)

    @asynccontextmanager
    async def step(self, act: Act, **details: str | int | bool) -> AsyncIterator[None]:
        """Record the act of somebody who is not signed in only if the block raises a DomainError: a later step records
        it as done."""
        try:
            yield
        except DomainError as refused:
            self._record_refusal(Entry(act=act, by=None, details=details), refused)
            raise

    def done(self, act: Act, *, of: UserId, **details: str | int | bool) -> None:
        """Record what a sign-in has done for an account beside opening a session."""
        self.log.record(Entry(act=act, by=None, of=of, details=details))

    def _record_refusal(self, entry: Entry, refused: DomainError) -> None:
        act = entry.act
        entry.refusal = type(refused).__name__
        entry.act = _name_of(act, refused)
        if entry.act is Act.NOT_ALLOWED:
            entry.details = {**entry.details, "tried": act.value}
        if isinstance(refused, IdentityRefused | ProviderUnavailable):
            entry.details = {**entry.details, "why": refused.reason}
        self._count(act, entry)
        self.log.record(entry)

    def _count(self, act: Act, entry: Entry) -> None:
        if act is Act.SIGN_IN:
            how = str(entry.details.get("how", ""))
            self.tally.add_sign_in(SignIn(how=how, outcome=entry.refusal or "done"))


def _name_of(act: Act, refused: DomainError) -> Act:
    if isinstance(refused, SignInThrottled) and act is Act.SIGN_IN:
        return Act.SIGN_IN_THROTTLED
    if isinstance(refused, NotAllowed):
        return Act.NOT_ALLOWED
    return _REFUSED.get(act, act)
