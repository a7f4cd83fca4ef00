"""Access tokens from the command line: the operator lists and revokes them, and needs no confirmation."""

import asyncio
import json
from uuid import uuid4

import pytest

from application.container import build
from application.running import running
from application.settings import load
from domain.errors import AccessTokenEnded
from domain.model.session import Device
from tests.command_line.conftest import Gradioapp

ADA = "ada@example.org"
PASSWORD = "correct horse battery"
LATER = "a later password"


def makes_account(gradioapp: Gradioapp, email: str = ADA) -> None:
    assert gradioapp(f"users create {email}", stdin=f"{PASSWORD}\n").exit_code == 0


def makes_token(name: str, *, email: str = ADA) -> str:
    """Make a token like the Account tab does, and return its value."""

    async def run() -> str:
        container = build(load(env_file=None))
        async with running(container):
            use_cases = container.use_cases()
            opened = await use_cases.log_in(email, PASSWORD, Device.seen("192.0.2.7", "A browser"))
            me = await use_cases.recognise(opened.signed_token, activity=False)
            return str((await use_cases.create_token(me.caller, name=name)).value)

    return asyncio.run(run())


def is_valid(value: str) -> bool:
    async def run() -> bool:
        container = build(load(env_file=None))
        async with running(container):
            try:
                await container.use_cases().recognise_token(value, activity=False)
            except AccessTokenEnded:
                return False
            return True

    return asyncio.run(run())


def test_tokens_are_listed_without_their_values_and_revoked_one_by_one(
    gradioapp: Gradioapp,
) -> None:
    makes_account(gradioapp)
    kept, gone = makes_token("Kept"), makes_token("Gone")

    table = gradioapp(f"tokens list {ADA}")
    listed = json.loads(gradioapp(f"tokens list {ADA} --json").stdout)
    ids = {one["name"]: one["id"] for one in listed}
    revoked = gradioapp(f"tokens revoke {ids['Gone']}")
    again = gradioapp(f"tokens revoke {ids['Gone']}")

    assert set(ids) == {"Kept", "Gone"}
    assert f"…{kept[-4:]}" in table.stdout
    assert kept not in table.stdout
    assert revoked.stdout.startswith("Revoked Gone.")
    assert again.exit_code == 1
    assert "Type: gradioapp tokens list EMAIL" in again.stderr
    assert (is_valid(kept), is_valid(gone)) == (True, False)


def test_all_tokens_of_one_account_are_revoked(gradioapp: Gradioapp) -> None:
    makes_account(gradioapp)
    makes_account(gradioapp, "bob@example.org")
    tokens, other = (
        [makes_token("One"), makes_token("Two")],
        makes_token("His", email="bob@example.org"),
    )

    result = gradioapp(f"tokens revoke-all {ADA}")

    assert result.stdout.startswith("Revoked 2 access tokens.")
    assert not any(map(is_valid, tokens))
    assert is_valid(other)
    assert gradioapp(f"tokens list {ADA}").stdout == f"{ADA} has no access token.\n"


@pytest.mark.parametrize(
    ("command", "stdin"),
    [(f"users set-password {ADA}", f"{LATER}\n"), (f"sessions end-all {ADA}", None)],
)
def test_a_new_password_and_the_end_of_everything_revoke_tokens_unless_told_not_to(
    gradioapp: Gradioapp, command: str, stdin: str | None
) -> None:
    makes_account(gradioapp)
    token = makes_token("Nightly")

    kept = gradioapp(f"{command} --keep-tokens", stdin=stdin)
    was_kept = is_valid(token)
    ended = gradioapp(command, stdin=stdin and "a third password\n")

    assert (kept.exit_code, ended.exit_code) == (0, 0), ended.output
    assert "Revoked" not in kept.stdout
    assert was_kept
    assert "Revoked 1 access token." in ended.stdout
    assert not is_valid(token)


def test_an_unknown_account_or_token_is_one_line_with_the_remedy(gradioapp: Gradioapp) -> None:
    makes_account(gradioapp)

    for typed in (f"list eve@{ADA[4:]}", f"revoke-all eve@{ADA[4:]}", f"revoke {uuid4()}"):
        result = gradioapp(f"tokens {typed}")

        assert result.exit_code == 1
        assert "Type: gradioapp" in result.stderr or "type: gradioapp" in result.stderr
        assert result.stderr.count("\n") == 1
