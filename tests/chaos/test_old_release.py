"""A rolling upgrade: replicas of two releases on one database, whose schema the newer one has migrated."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from adapters.sql.releases import may_use, number_of
from tests.chaos.cluster import APP, CACHED, KEY, SETTINGS, Replica
from tests.chaos.people import (
    PASSWORD,
    Headers,
    Registry,
    cookie,
    must_count_together,
    signs_out,
)
from tests.chaos.postgres import PostgresServer
from tests.chaos.releases import (
    code_before,
    code_with,
    knows,
    migrations_in,
    revisions_in,
)
from tests.chaos.writers import API, EVENTS
from tests.nginx import free_port
from tests.processes import ROOT, Process, waits_until
from tests.redis_server import RedisServer
from tests.servers import session_of

LATEST: Final = migrations_in(ROOT)[-2:]
REFUSED: Final = "belongs to a newer release of gradioapp"


class Upgrade:
    """A service whose replicas have different code."""

    def __init__(self, folder: Path, database: str, redis: str) -> None:
        (folder / "chaos_app.py").write_text(APP.read_text())
        self.registry = Registry(database, folder / "operator", KEY)
        self._folder = folder
        self._settings: dict[str, Any] = {
            **SETTINGS,
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "DATA_DIR": str(folder / "data"),
            "PUBLIC_URL": f"http://127.0.0.1:{free_port()}",
        }
        self._ending = ExitStack()

    def replica(self, code: Path, *, has_peers: bool) -> Replica:
        """Prepare a replica. `has_peers` says whether the others know REPLICA_URL too."""
        more = {"REPLICA_URL": "http://127.0.0.1:0"} if has_peers else {}
        made = Replica(self._folder, {**self._settings, **more}, code)
        self._ending.callback(made.end)
        return made

    def migrate(self, code: Path) -> str:
        """Migrate as an operator does, and return what the command has said."""
        own = {name: self._settings[name] for name in ("DATABASE_URL", "DATA_DIR")}
        process = Process("entrypoints", "db", "upgrade", folder=self._folder, code=code, **own)
        self._ending.callback(process.end)
        said = process.ends()
        assert process.popen.returncode == 0, said
        return said

    def end(self) -> None:
        self._ending.close()


@pytest.fixture
def upgrade(tmp_path: Path, postgres: PostgresServer, redis: RedisServer) -> Iterator[Upgrade]:
    made = Upgrade(tmp_path, postgres.new_database(), redis.url)
    yield made
    made.end()


@pytest.mark.parametrize("migration", LATEST)
def test_a_replica_of_the_release_before_a_migration_works_beside_the_new_ones(
    migration: str, upgrade: Upgrade, tmp_path: Path
) -> None:
    before = code_before(migration, tmp_path)
    has_peers = knows(before, "REPLICA_URL")
    old = upgrade.replica(before, has_peers=has_peers)
    new = upgrade.replica(ROOT, has_peers=has_peers)

    old.start(SAMPLE_USERS="true")
    session = cookie(session_of(old.origin, "jane@test.com"))
    assert migration not in migrations_in(before)
    assert f"is at {revisions_in(ROOT)[-1]}." in upgrade.migrate(ROOT)
    new.start()

    assert old.is_ready()
    assert [told(one, session) for one in (old, new)] == [200, 200]
    must_share_everything(old, new, upgrade.registry)
    must_restart_or_say_why(old, before, revisions_in(ROOT)[-1])


def test_this_release_runs_and_restarts_on_a_next_one_that_only_adds(
    upgrade: Upgrade, tmp_path: Path
) -> None:
    head = revisions_in(ROOT)[-1]
    adds = f"9998_since_{number_of(head)}"
    coming = code_with(
        adds, 'op.add_column("users", sa.Column("phone", sa.String(20)))', of=ROOT, folder=tmp_path
    )
    this = upgrade.replica(ROOT, has_peers=True)
    following = upgrade.replica(coming, has_peers=True)

    this.start()
    assert f"is at {adds}." in upgrade.migrate(coming)
    following.start()
    this.restart()

    must_share_everything(this, following, upgrade.registry)


def test_this_release_says_that_it_is_not_ready_for_a_next_one_that_removes_a_table(
    upgrade: Upgrade, tmp_path: Path
) -> None:
    coming = code_with("9999", 'op.drop_table("attempts")', of=ROOT, folder=tmp_path)
    this = upgrade.replica(ROOT, has_peers=True)

    this.start()
    upgrade.migrate(coming)

    assert not this.is_ready()
    assert this.ready()["migrations"] == "made for a newer release"
    must_restart_or_say_why(this, ROOT, "9999")


# What replicas of two releases share


def must_share_everything(old: Replica, new: Replica, registry: Registry) -> None:
    for here, there in ((old, new), (new, old)):
        [email] = registry.accounts(1)
        session = cookie(session_of(here.origin, email, PASSWORD))
        assert told(there, session) == 200
        for number, (one, other) in enumerate([(here, there), (there, here)], start=1):
            must_keep_state(number, one, other, session)
        must_keep_upload(here, there, session)
        must_end_session(here, there, session)
    must_count_together([old.origin, new.origin])


def told(replica: Replica, session: Headers) -> int:
    return httpx.get(f"{replica.origin}/api/v1/me", headers=session, timeout=20).status_code


def must_keep_state(number: int, one: Replica, other: Replica, session: Headers) -> None:
    """Write State in an event at one replica, and read it in an event at the other."""
    assert run(one, "writes", [number, 0], session) == [number]

    [stored] = run(other, "reads", [], session)

    assert {f"left {number}", f"right {number}"} <= stored["writes"].keys()


def run(replica: Replica, event: str, data: Sequence[Any], session: Headers) -> list[Any]:
    response = httpx.post(
        f"{replica.origin}{EVENTS}/{event}",
        json={"data": data},
        headers={**session, "origin": replica.origin},
        timeout=30,
    )
    assert response.status_code == 200, response.text
    found: list[Any] = response.json()["data"]
    return found


def must_keep_upload(here: Replica, there: Replica, session: Headers) -> None:
    content = uuid4().bytes * 100
    sent = httpx.post(
        f"{here.origin}{API}/upload",
        files={"files": ("words.bin", content)},
        headers={**session, "origin": here.origin},
        timeout=30,
    )
    assert sent.status_code == 200, sent.text

    got = httpx.get(f"{there.origin}{API}/file={sent.json()[0]}", headers=session, timeout=30)

    assert (got.status_code, got.content) == (200, content)


def must_end_session(here: Replica, there: Replica, session: Headers) -> None:
    assert signs_out(here.origin, session)

    waits_until(lambda: told(there, session) == 401, seconds=CACHED + 1)


def must_restart_or_say_why(old: Replica, code: Path, head: str) -> None:
    """Restart a release on the schema that it runs on, if that is one that it may use. A release that does not know the rule
    yet refuses each revision that it does not have."""
    known = revisions_in(code)
    knows_rule = (code / "adapters/sql/releases.py").exists()
    if head in known or (knows_rule and may_use(head, known)):
        old.restart()
        return
    old.process.stops(within=20)
    old.end()
    old.begin()
    said = old.process.ends()
    assert REFUSED in said
    assert old.process.popen.returncode == 2
