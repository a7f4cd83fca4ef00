"""`gradioapp db` and `gradioapp check`: whether all is well, and what to do where it is not."""

import asyncio
from pathlib import Path

import pytest

from application.container import build, running
from application.settings import SettingsInvalid, load
from tests.command_line.conftest import Gradioapp
from tests.command_line.test_users import make


def faults(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("FAULT")]


def serve_once_with_sample_users() -> None:
    async def run() -> None:
        async with running(build(load(env_file=None, sample_users=True))):
            pass

    asyncio.run(run())


def test_the_schema_goes_up_down_and_up_again(gradioapp: Gradioapp) -> None:
    empty = gradioapp("db current")
    up = gradioapp("db upgrade")
    again = gradioapp("db upgrade")
    whole = gradioapp("db check")
    down = gradioapp("db downgrade base")
    behind = gradioapp("db check")

    assert "empty" in empty.stdout
    assert "gradioapp db upgrade" in empty.stdout
    assert up.stdout == again.stdout
    assert whole.exit_code == 0
    assert down.stdout == "The database is empty.\n"
    assert behind.exit_code == 1
    assert "gradioapp db upgrade" in behind.stderr


def test_one_step_down_can_be_typed_as_minus_one(gradioapp: Gradioapp) -> None:
    gradioapp("db upgrade")

    result = gradioapp("db downgrade -1")

    assert result.exit_code == 0, result.output


def test_a_revision_that_does_not_exist_is_one_line(gradioapp: Gradioapp) -> None:
    gradioapp("db upgrade")

    result = gradioapp("db downgrade nonsense")

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "nonsense" in result.stderr


def test_looking_at_an_empty_folder_changes_nothing_and_says_what_to_do(
    folder: Path, gradioapp: Gradioapp
) -> None:
    result = gradioapp("check")

    assert result.exit_code == 1
    assert len(faults(result.stdout)) == 1
    assert "gradioapp db upgrade" in faults(result.stdout)[0]
    assert list(folder.iterdir()) == []


def test_a_service_that_was_set_up_is_well(gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")

    result = gradioapp("check")

    assert result.exit_code == 0
    assert faults(result.stdout) == []
    assert len(result.stdout.splitlines()) >= 5


def test_without_an_admin_it_says_how_to_make_one(gradioapp: Gradioapp) -> None:
    make(gradioapp)

    result = gradioapp("check")

    assert result.exit_code == 1
    assert "--role admin" in faults(result.stdout)[0]


def test_what_others_can_read_is_a_fault_each_with_its_remedy(
    folder: Path, gradioapp: Gradioapp
) -> None:
    make(gradioapp, "ada@example.org", "admin")
    (folder / "gradioapp-data").chmod(0o750)
    (folder / "gradioapp-data/secret.key").chmod(0o640)

    found = faults(gradioapp("check").stdout)

    assert len(found) == 2
    assert "chmod 700" in found[0]
    assert "chmod 600" in found[1]


def test_pending_migrations_are_a_fault(gradioapp: Gradioapp) -> None:
    gradioapp("db upgrade")
    gradioapp("db downgrade base")

    result = gradioapp("check")

    assert result.exit_code == 1
    assert "gradioapp db upgrade" in faults(result.stdout)[0]


def test_a_database_that_does_not_answer_is_a_fault_without_its_password(
    gradioapp: Gradioapp,
) -> None:
    result = gradioapp("check", DATABASE_URL="postgresql://ada:hunter22@127.0.0.1:1/accounts")

    assert result.exit_code == 1
    assert "does not answer" in faults(result.stdout)[0]
    assert "hunter22" not in result.output


def test_every_fault_of_the_settings_is_a_line_of_its_own(gradioapp: Gradioapp) -> None:
    result = gradioapp("check", PORT="many", LOG_LEVEL="loud")

    assert result.exit_code == 1
    assert any("GRADIOAPP_PORT" in line for line in faults(result.stdout))
    assert any("GRADIOAPP_LOG_LEVEL" in line for line in faults(result.stdout))


def test_before_deploying_it_looks_as_prod_would_and_goes_on_looking(gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")
    serve_once_with_sample_users()

    result = gradioapp("check --deploy")

    assert result.exit_code == 1
    found = " ".join(faults(result.stdout))
    assert "GRADIOAPP_SECRET_KEY" in found
    assert "GRADIOAPP_PUBLIC_URL" in found
    assert "gradioapp users disable john@test.com" in found
    assert "the database answers" in result.stdout


def test_what_is_fit_for_prod_passes(gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")

    result = gradioapp(
        "check --deploy",
        SECRET_KEY="Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE",
        PUBLIC_URL="https://app.example.org",
    )

    assert result.exit_code == 0, result.output


PROD = {
    "environment": "prod",
    "secret_key": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE",
    "public_url": "https://app.example.org",
}


@pytest.mark.asvs("V6.3.2")
def test_prod_does_not_serve_while_a_sample_user_can_sign_in(gradioapp: Gradioapp) -> None:
    serve_once_with_sample_users()

    async def serve() -> None:
        async with running(build(load(env_file=None, **PROD))):
            pass

    with pytest.raises(SettingsInvalid, match=r"users disable john@test\.com") as refusal:
        asyncio.run(serve())
    assert len(refusal.value.faults) == 2

    in_prod = {name.upper(): value for name, value in PROD.items()}
    for email in ("john@test.com", "jane@test.com"):
        assert gradioapp(f"users disable {email}", **in_prod).exit_code == 0
    asyncio.run(serve())
