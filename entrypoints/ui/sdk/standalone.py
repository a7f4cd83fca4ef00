"""Stand-ins for the caller when nobody is signed in.

If an author's file runs alone, with `python my_demo.py`, the caller is a local user with every role, whose values last
as long as the process. While the service builds an app, the caller is NOBODY, who has no role.
"""

from datetime import UTC, datetime
from typing import Final

from entrypoints.ui.calls.kept_values import SessionData, State
from entrypoints.ui.calls.views import Session, User


class EveryRole(frozenset[str]):
    """Contains every role."""

    def __contains__(self, role: object) -> bool:
        return True

    def isdisjoint(self, _: object) -> bool:
        return False


USER: Final = User(id="local", email="local@localhost", name="Local user", roles=EveryRole())
NOBODY: Final = User(id="", email="", name="", roles=frozenset())


def session() -> Session:
    """Return a local session without data."""
    return Session(
        id="local",
        created_at=datetime(2000, 1, 1, tzinfo=UTC),
        ends_at=datetime(9999, 1, 1, tzinfo=UTC),
        data=SessionData({}),
    )


SESSION: Final = session()
STATE: Final = State({})
