"""Prod refuses a secret key that can be guessed, and never a random one."""

import secrets
from typing import Final

import pytest

from application.settings import Settings, SettingsInvalid, load

REFUSED: Final = "GRADIOAPP_SECRET_KEY is easy to guess"


def in_prod(*keys: str) -> Settings:
    return load(
        env_file=None,
        environment="prod",
        public_url="https://app.example.org",
        database_url="postgresql://app@db.example.org/app",
        secret_key=",".join(keys),
    )


def faults(*keys: str) -> list[str]:
    try:
        in_prod(*keys)
    except SettingsInvalid as error:
        return list(error.faults)
    return []


@pytest.mark.asvs("V11.2.3")
def test_a_key_that_follows_a_pattern_is_refused_in_one_line(subtests: pytest.Subtests) -> None:
    for key in [
        "01234567890123456789012345678901",
        "98765432109876543210987654321098",
        "abcdefghijklmnopqrstuvwxyz012345",
        "ZYXWVUTSRQPONMLKJIHGFEDCBA987654",
        "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "q1w2e3r4t5y6u7i8o9p0q1w2e3r4t5y6",
        "k9Xv2Qm7Tz4Rk9Xv2Qm7Tz4Rk9Xv2Qm7Tz4R",
        "Zk3vQ9xT7pLw2RbNZk3vQ9xT7pLw2RbN",
        "aaaabbbbccccddddeeeeffffgggghhhhiiiijjjj",
    ]:
        with subtests.test(key=key):
            [line] = faults(key)

            assert line.startswith(REFUSED)
            assert "secrets.token_urlsafe(32)" in line
            assert key not in line


def test_each_of_several_keys_must_be_hard_to_guess() -> None:
    good = "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE"

    assert faults(good) == []
    assert len(faults(good, "01234567890123456789012345678901")) == 1


def test_a_random_key_is_never_refused() -> None:
    keys = [secrets.token_urlsafe(32) for _ in range(1000)]
    keys += [secrets.token_hex(32) for _ in range(1000)]

    assert faults(*keys) == []


def test_dev_takes_any_key_that_is_long_enough() -> None:
    settings = load(env_file=None, environment="dev", secret_key="0123456789" * 4)

    assert settings.secret_key
