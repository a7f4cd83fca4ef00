"""Keep in an account's state when it last opened each app, for the cards of the HomePage."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from application.use_cases import UseCases
from domain.errors import DomainError
from domain.model.caller import SignedIn
from domain.model.state import JsonValue
from domain.model.user import UserId

KEY: Final = "home.used"
"""Key in the account state. The value maps the address of each app to an ISO time."""
AGAIN_AFTER: Final = timedelta(minutes=10)
"""The shortest time between two writes for one account and app."""
REMEMBERED: Final = 10_000
"""The number of recent writes that are known without a query."""


class LastUsed:
    """Notes visits to all apps. A visit costs at most one write, and a repeated visit none."""

    def __init__(self, use_cases: UseCases, addresses: Callable[[], Collection[str]]) -> None:
        """`addresses` returns the addresses of all apps. Entries of other apps are removed with the next write."""
        self._use_cases = use_cases
        self._addresses = addresses
        self._written: OrderedDict[tuple[UserId, str], datetime] = OrderedDict()

    async def note(self, signed_in: SignedIn, address: str) -> None:
        """Note that the caller has opened the app at this address."""
        if signed_in.token is not None:  # Programs do not count.
            return
        now = signed_in.session.seen_at
        key = signed_in.user.id, address
        before = self._written.get(key)
        if before is not None and now - before < AGAIN_AFTER:
            return
        self._written[key] = now
        self._written.move_to_end(key)
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        there = frozenset(self._addresses())

        def used(kept: JsonValue) -> JsonValue:
            others = {k: v for k, v in kept.items() if k in there} if isinstance(kept, dict) else {}
            return {**others, address: now.isoformat()}

        # The page has been sent already. It does not matter if the account's state is full or the store is down.
        with suppress(DomainError):
            await self._use_cases.change_account_state(signed_in.caller, {}, {KEY: [used]})


def used_at(kept: JsonValue) -> Mapping[str, datetime]:
    """Return the times by address. Skip invalid values."""
    found = {}
    for address, text in kept.items() if isinstance(kept, dict) else ():
        with suppress(TypeError, ValueError):
            found[address] = datetime.fromisoformat(text)  # type: ignore[arg-type]
    return {address: time for address, time in found.items() if time.tzinfo is not None}
