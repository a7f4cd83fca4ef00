"""Checks that a forged request is refused and changes nothing, and that the same request in its right shape is done."""

from dataclasses import dataclass
from typing import Any, Final

from adapters.memory.store import Tables
from tests.web.acts import (
    Sent,
    opens_session,
)
from tests.web.conftest import HERE
from tests.web.forgeries import (
    Headers,
)
from tests.web.houses import House


def kept(house: House) -> Tables:
    """Return everything that is stored."""
    tables: Tables = house.door.container.store().tables
    return tables.copied()


@dataclass(frozen=True)
class Refusal:
    status: int
    kind: str = ""


FOREIGN_ORIGIN: Final = Refusal(403, "foreign-origin")
UNKNOWN_HOST: Final = Refusal(400, "unknown-host")


async def is_refused(
    house: House, sent: Sent, headers: Headers, refusal: Refusal, **more: Any
) -> None:
    before = kept(house)

    answer = await sent.with_headers(headers, **more)
    await answer.aread()

    assert answer.status_code == refusal.status, answer.text
    if refusal.kind and answer.content:
        assert refusal.kind in answer.json()["type"]
    assert kept(house) == before
    assert not opens_session(answer)


async def is_done(house: House, sent: Sent) -> None:
    """The request in its right shape is answered well, so that the refusals are not those of a wrong request."""
    before = kept(house)
    answer = await sent.with_headers([("origin", HERE)])
    await answer.aread()

    assert answer.status_code < 400, answer.text
    assert (kept(house) != before) == sent.is_changing
