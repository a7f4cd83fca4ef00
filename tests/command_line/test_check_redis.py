"""`gradioapp check` tries Redis out."""

from collections.abc import Iterator

import pytest

from tests.command_line.conftest import Gradioapp
from tests.redis_server import RedisServer, redis_server

pytestmark = pytest.mark.server


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


def test_a_redis_that_works_is_found_to_work_and_keeps_nothing(
    redis: RedisServer, gradioapp: Gradioapp
) -> None:
    done = gradioapp("check", REDIS_URL=redis.url)

    assert done.exit_code == 0, done.output
    assert f"ok     the Redis at {redis.url} passes messages on" in done.output
    assert redis.client.keys() == []


def test_a_redis_beside_sqlite_is_said_to_be_of_no_use(
    redis: RedisServer, gradioapp: Gradioapp
) -> None:
    done = gradioapp("check", REDIS_URL=redis.url)

    assert f"the Redis at {redis.url} is of no use" in done.output


def test_a_redis_that_is_down_is_a_fault(redis: RedisServer, gradioapp: Gradioapp) -> None:
    redis.stop()

    done = gradioapp("check", REDIS_URL=redis.url)

    assert done.exit_code == 1
    assert f"FAULT  the Redis at {redis.url} cannot be used: " in done.output
    assert "Check GRADIOAPP_REDIS_URL" in done.output


def test_a_redis_that_hangs_is_a_fault(redis: RedisServer, gradioapp: Gradioapp) -> None:
    redis.freeze()
    try:
        done = gradioapp("check", REDIS_URL=redis.url)
    finally:
        redis.thaw()

    assert done.exit_code == 1
    assert "cannot be used: Timeout" in done.output


@pytest.mark.parametrize(
    ("commands", "keys", "channels", "said"),
    [
        (["-eval"], "*", "*", "'eval' command"),
        (["-publish"], "*", "*", "The user executing the script can't"),
        ([], "other:*", "*", "key"),
        ([], "*", "other:*", "channel"),
    ],
)
def test_rights_that_are_missing_are_a_fault_without_the_password(
    redis: RedisServer,
    gradioapp: Gradioapp,
    commands: list[str],
    keys: str,
    channels: str,
    said: str,
) -> None:
    redis.client.acl_setuser(
        "app",
        enabled=True,
        reset=True,
        passwords=["+pass-word"],
        commands=["+@all", *commands],
        keys=[keys],
        channels=[channels],
    )

    done = gradioapp("check", REDIS_URL=redis.url.replace("://", "://app:pass-word@"))

    assert done.exit_code == 1
    assert said in done.output, done.output
    assert "pass-word" not in done.output
