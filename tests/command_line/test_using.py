"""The command reports wrong arguments and settings in one line, with the right input."""

from pathlib import Path

import pytest

from tests.command_line.conftest import Gradioapp


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("usres list", "Did you mean 'users'?"),
        ("users creat a@b.c", "Did you mean 'create'"),
        ("frobnicate", "Type one of: serve, check, backup, restore, version, db, users, sessions"),
        ("users", "Type one of: create, list, show, set-password, enable, disable, grant, revoke"),
        ("tokens", "Type one of: list, revoke, revoke-all"),
        ("db", "Type one of: upgrade, downgrade, current, check, copy"),
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
def test_a_wrong_argument_is_refused_in_one_line_that_says_what_to_type(
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
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(
    settings: dict[str, str], names: str, gradioapp: Gradioapp
) -> None:
    result = gradioapp("users list", **settings)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert names in result.stderr


def test_a_data_folder_around_the_working_directory_is_refused(
    gradioapp: Gradioapp, tmp_path: Path
) -> None:
    result = gradioapp("check", DATA_DIR="..")

    assert result.exit_code != 0
    assert f"GRADIOAPP_DATA_DIR={tmp_path.resolve().parent} contains" in result.stdout


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
def test_sample_users_are_only_for_this_machine(gradioapp: Gradioapp) -> None:
    result = gradioapp(
        "serve --sample-users --host 0.0.0.0",
        ALLOW_HTTP="true",
        PUBLIC_URL="http://app.example.org",
    )

    assert result.exit_code == 2
    assert [line.split()[0] for line in result.stderr.splitlines()] == ["GRADIOAPP_SAMPLE_USERS"]


def test_an_unreadable_setting_does_not_hide_other_faults(gradioapp: Gradioapp) -> None:
    result = gradioapp("serve", ENVIRONMENT="prod", PORT="many", TRUSTED_PROXIES="0.0.0.0/1")

    assert {line.split()[0].rstrip(":") for line in result.stderr.splitlines()} == {
        "GRADIOAPP_PORT",
        "GRADIOAPP_SECRET_KEY",
        "GRADIOAPP_PUBLIC_URL",
        "GRADIOAPP_TRUSTED_PROXIES",
    }


def test_reloading_a_service_in_memory_is_refused(gradioapp: Gradioapp) -> None:
    result = gradioapp("--reload", ENVIRONMENT="test")

    assert result.exit_code == 2
    assert "a reload would lose it" in result.stderr


def test_an_unavailable_database_is_reported_in_one_line_without_its_password(
    gradioapp: Gradioapp,
) -> None:
    result = gradioapp("users list", DATABASE_URL="postgresql://ada:hunter22@127.0.0.1:1/accounts")

    assert result.exit_code == 1
    assert result.stderr.startswith("The database is unavailable: ")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter22" not in result.output


def test_a_data_folder_that_cannot_be_made_is_reported_in_one_line(
    folder: Path, gradioapp: Gradioapp
) -> None:
    (folder / "gradioapp-data").write_text("a file, and no folder")

    result = gradioapp("users list")

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "data" in result.stderr


def test_a_key_file_that_others_can_read_is_refused_with_the_remedy(
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
def test_version_shows_our_version_and_that_of_gradio(typed: str, gradioapp: Gradioapp) -> None:
    result = gradioapp(typed)

    assert result.exit_code == 0
    assert result.stdout.startswith("gradioapp 0.")
    assert "Gradio 6." in result.stdout
