"""Several real processes on one PostgreSQL: what one of them changes, the others notice."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.redis_server import RedisServer, redis_server
from tests.replicas import Visitor, replicas
from tests.servers import FreshDatabase

pytestmark = pytest.mark.server

APP: Final = """
import time

import gradio as gr

from gradioapp import State, current_session, injected


def writes(text):
    current_session().data["note"] = text
    return text


def reads():
    return current_session().data.get("note", "")


def counts(*, state: State = injected):
    state["count"] = state.get("count", 0) + 1
    return state["count"]


def streams():
    for number in range(600):
        yield number
        time.sleep(0.1)


with gr.Blocks(title="Shared") as demo:
    text = gr.Textbox()
    gr.Button().click(writes, text, text, api_name="writes")
    gr.Button().click(reads, None, text, api_name="reads")
    gr.Button().click(counts, None, text, api_name="counts")
    gr.Button().click(streams, None, text, api_name="streams")
"""
PATH: Final = "/gradio/shared"
CACHED: Final = 5
"""SESSION_CACHE_SECONDS, the longest."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgres: FreshDatabase, redis: RedisServer
) -> Iterator[tuple[str, str]]:
    folder: Path = tmp_path_factory.mktemp("replicas")
    settings = {"SESSION_CACHE_SECONDS": str(CACHED), "REDIS_URL": redis.url}
    with replicas(2, fresh_postgres(), folder, APP, **settings) as (here, there):
        yield here, there


def refused_after(visitor: Visitor, origin: str) -> float:
    """Return the seconds until the session is refused."""
    since = time.monotonic()
    while visitor.get(origin, "/api/v1/me").status_code != 401:
        assert time.monotonic() - since < 2 * CACHED
        time.sleep(0.02)
    return time.monotonic() - since


def test_what_one_replica_writes_the_next_event_on_the_other_reads(two: tuple[str, str]) -> None:
    here, there = two
    john = Visitor(here, PATH)

    for number in range(10):
        john.runs((here, there)[number % 2], "writes", f"note {number}")
        assert john.runs((there, here)[number % 2], "reads") == f"note {number}"
        assert john.runs((there, here)[number % 2], "counts") == str(number + 1)


def test_a_session_that_ends_at_one_replica_is_refused_by_the_other_within_a_second(
    two: tuple[str, str],
) -> None:
    here, there = two
    john = Visitor(here, PATH)
    assert john.get(there, "/api/v1/me").status_code == 200

    john.signs_out(here)

    assert refused_after(john, there) < 1


def test_an_open_stream_of_an_ended_session_ends_at_the_other_replica(two: tuple[str, str]) -> None:
    here, there = two
    john = Visitor(here, PATH)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(john.runs, there, "streams")
        time.sleep(1)
        john.signs_out(here)
        since = time.monotonic()
        with pytest.raises(pytest.fail.Exception, match="did not end"):
            running.result(timeout=30)

    # A stream asks once a second whether its session lives.
    assert time.monotonic() - since < 3


def test_without_redis_an_ended_session_is_refused_when_the_cache_has_expired(
    two: tuple[str, str], redis: RedisServer
) -> None:
    here, there = two
    redis.stop()
    try:
        john = Visitor(here, PATH)
        assert john.get(there, "/api/v1/me").status_code == 200
        john.signs_out(here)
        took = refused_after(john, there)
        ready = john.get(there, "/readyz")
    finally:
        redis.start()

    assert took < CACHED + 1
    assert (ready.status_code, ready.json()["redis"]) == (200, "degraded")


def test_open_streams_hold_no_connection_of_the_database(
    tmp_path: Path, fresh_postgres: FreshDatabase
) -> None:
    few = {"DATABASE_POOL": "1", "DATABASE_OVERFLOW": "0", "DATABASE_CONNECT_SECONDS": "0.5"}
    with (
        replicas(1, fresh_postgres(), tmp_path, APP, **few) as [here],
        ThreadPoolExecutor(8) as pool,
    ):
        john = Visitor(here, PATH)
        streams = [pool.submit(john.runs, here, "streams") for _ in range(8)]
        time.sleep(2)
        counted = [john.runs(here, "counts") for _ in range(3)]
        john.signs_out(here)
        for stream in streams:
            with pytest.raises(pytest.fail.Exception, match="did not end"):
                stream.result(timeout=30)

    assert counted == ["1", "2", "3"]
