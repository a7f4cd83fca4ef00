"""Who is calling when nobody is signed in. In an author's file that runs alone, with `python my_demo.py`: one person with
every role, whose values last as long as the process. While the service builds an app: nobody, without a role."""

from datetime import UTC, datetime
from typing import Final

from entrypoints.ui.values import SessionData, State
from entrypoints.ui.views import Session, User


class EveryRole(frozenset[str]):
    """Has whatever role is asked for."""

    def __contains__(self, role: object) -> bool:
        return True

    def isdisjoint(self, _: object) -> bool:
        return False


USER: Final = User(id="local", email="local@localhost", name="Local user", roles=EveryRole())
NOBODY: Final = User(id="", email="", name="", roles=frozenset())


def session() -> Session:
    """Without values."""
    return Session(
        id="local",
        created_at=datetime(2000, 1, 1, tzinfo=UTC),
        ends_at=datetime(9999, 1, 1, tzinfo=UTC),
        data=SessionData({}),
    )


SESSION: Final = session()
STATE: Final = State({})
