"""What the command answers to a slip of the finger, or of the settings: one line, and what to type instead."""

from pathlib import Path

import pytest

from tests.command_line.conftest import Gradioapp


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("usres list", "Did you mean 'users'?"),
        ("users creat a@b.c", "Did you mean 'create'"),
        ("frobnicate", "Type one of: serve, check, version, db, users, sessions"),
        ("users", "Type one of: create, list, show, set-password, enable, disable, grant, revoke"),
        ("db", "Type one of: upgrade, downgrade, current, check"),
        ("users create", "Missing argument 'EMAIL'"),
        ("users grant a@b.c", "Missing argument 'ROLE'"),
        ("users create a@b.c secret", "gradioapp users create --help"),
        ("--prot 9000", "--port"),
        ("--port 99999", "'--port'"),
        ("serve --port http", "'--port'"),
        ("sessions end mine", "'ID'"),
        ("serve --app", "'--app'"),
    ],
)
def test_an_error_of_use_is_one_line_that_says_what_to_type(
    typed: str, names: str, gradioapp: Gradioapp
) -> None:
    result = gradioapp(typed)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert names in result.stderr


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"PORT": "many"}, "GRADIOAPP_PORT"),
        ({"PROT": "80"}, "GRADIOAPP_PROT is not a setting"),
        ({"DATABASE_URL": "mysql://u:p@h/d"}, "sqlite:// or postgresql://"),
        ({"DATABASE_URL": "what is this"}, "GRADIOAPP_DATABASE_URL"),
        ({"HOST": "0.0.0.0"}, "GRADIOAPP_PUBLIC_URL"),
        ({"ENVIRONMENT": "test"}, "dev or prod"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    settings: dict[str, str], names: str, gradioapp: Gradioapp
) -> None:
    result = gradioapp("users list", **settings)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert names in result.stderr


def test_a_data_folder_around_the_working_directory_is_refused(gradioapp: Gradioapp) -> None:
    result = gradioapp("check", DATA_DIR="..")

    assert result.exit_code != 0
    assert "GRADIOAPP_DATA_DIR=.." in result.stdout + result.stderr


def test_all_faults_of_the_settings_are_named_at_once(gradioapp: Gradioapp) -> None:
    result = gradioapp("serve --sample-users", ENVIRONMENT="prod")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert {line.split()[0] for line in result.stderr.splitlines()} == {
        "GRADIOAPP_SECRET_KEY",
        "GRADIOAPP_PUBLIC_URL",
        "GRADIOAPP_SAMPLE_USERS",
    }


@pytest.mark.asvs("V6.3.2")
def test_sample_users_are_for_this_machine_alone(gradioapp: Gradioapp) -> None:
    result = gradioapp(
        "serve --sample-users --host 0.0.0.0",
        ALLOW_HTTP="true",
        PUBLIC_URL="http://app.example.org",
    )

    assert result.exit_code == 2
    assert [line.split()[0] for line in result.stderr.splitlines()] == ["GRADIOAPP_SAMPLE_USERS"]


def test_a_setting_that_cannot_be_read_hides_no_other_fault(gradioapp: Gradioapp) -> None:
    result = gradioapp("serve", ENVIRONMENT="prod", PORT="many", TRUSTED_PROXIES="0.0.0.0/1")

    assert {line.split()[0].rstrip(":") for line in result.stderr.splitlines()} == {
        "GRADIOAPP_PORT",
        "GRADIOAPP_SECRET_KEY",
        "GRADIOAPP_PUBLIC_URL",
        "GRADIOAPP_TRUSTED_PROXIES",
    }


def test_reloading_what_lives_in_memory_is_refused(gradioapp: Gradioapp) -> None:
    result = gradioapp("--reload", ENVIRONMENT="test")

    assert result.exit_code == 2
    assert "a reload forgets it" in result.stderr


def test_a_database_that_does_not_answer_is_one_line_without_its_password(
    gradioapp: Gradioapp,
) -> None:
    result = gradioapp("users list", DATABASE_URL="postgresql://ada:hunter22@127.0.0.1:1/accounts")

    assert result.exit_code == 1
    assert result.stderr.startswith("The database does not answer: ")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter22" not in result.output


def test_a_data_folder_that_cannot_be_made_is_one_line(folder: Path, gradioapp: Gradioapp) -> None:
    (folder / "gradioapp-data").write_text("a file, and no folder")

    result = gradioapp("users list")

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "data" in result.stderr


def test_a_key_that_others_can_read_is_refused_with_the_remedy(
    folder: Path, gradioapp: Gradioapp
) -> None:
    gradioapp("users list")
    (folder / "gradioapp-data/secret.key").chmod(0o644)

    result = gradioapp("users list")

    assert result.exit_code == 2
    assert "chmod 600" in result.stderr


def test_help_names_every_command(gradioapp: Gradioapp) -> None:
    result = gradioapp("--help")

    assert result.exit_code == 0
    for command in ("serve", "db", "users", "sessions", "check", "version"):
        assert f"\n  {command} " in result.stdout


@pytest.mark.parametrize("typed", ["version", "--version"])
def test_version_says_which(typed: str, gradioapp: Gradioapp) -> None:
    result = gradioapp(typed)

    assert result.exit_code == 0
    assert result.stdout.startswith("gradioapp 0.")
    assert "Gradio 6." in result.stdout
