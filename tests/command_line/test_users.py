"""Accounts and sessions from the command line."""

import asyncio
import json
from pathlib import Path
from uuid import UUID

import pytest

from application.container import build
from application.running import running
from application.settings import load
from domain.model.session import Device
from tests.command_line.conftest import Gradioapp

PASSWORD = "correct horse battery"
LATER = "a later password"


def make(gradioapp: Gradioapp, email: str = "ada@example.org", *roles: str) -> None:
    options = " ".join(f"--role {role}" for role in roles)
    result = gradioapp(f"users create {email} {options}", stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.output


def sign_in(email: str, password: str = PASSWORD) -> UUID:
    """Sign in with the use case, like the sign-in page does, and return the session's public id."""

    async def run() -> UUID:
        container = build(load(env_file=None))
        async with running(container):
            device = Device.seen("192.0.2.7", "A browser")
            opened = await container.use_cases().log_in(email, password, device)
            return UUID(str(opened.session.id))

    return asyncio.run(run())


def test_an_empty_list_says_how_to_make_an_account(gradioapp: Gradioapp) -> None:
    result = gradioapp("users list")

    assert result.exit_code == 0
    assert "gradioapp users create EMAIL --role admin" in result.stdout


def test_an_account_can_be_made_in_dev_before_the_first_start(
    folder: Path, gradioapp: Gradioapp
) -> None:
    result = gradioapp("users create Ada@Example.org --role admin", stdin=f"{PASSWORD}\n")

    assert result.exit_code == 0
    assert "Created ada@example.org (ada), role admin." in result.stdout
    assert "http://127.0.0.1:8080/login" in result.stdout
    assert sign_in("ada@example.org")
    assert (folder / "gradioapp-data").stat().st_mode & 0o777 == 0o700


def test_a_database_with_pending_migrations_is_refused_in_prod_with_the_remedy(
    gradioapp: Gradioapp,
) -> None:
    prod = {
        "ENVIRONMENT": "prod",
        "SECRET_KEY": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE",
        "PUBLIC_URL": "https://app.example.org",
    }

    refused = gradioapp("users list", **prod)
    upgraded = gradioapp("db upgrade", **prod)
    listed = gradioapp("users list", **prod)

    assert refused.exit_code == 2
    assert "gradioapp db upgrade" in refused.stderr
    assert upgraded.exit_code == 0, upgraded.output
    assert listed.exit_code == 0, listed.output


def test_making_an_account_says_when_there_is_no_admin_yet(gradioapp: Gradioapp) -> None:
    result = gradioapp("users create ada@example.org", stdin=f"{PASSWORD}\n")

    assert "gradioapp users grant ada@example.org admin" in result.stdout


def test_a_password_is_the_first_line_of_standard_input_unchanged(gradioapp: Gradioapp) -> None:
    gradioapp("users create ada@example.org", stdin="  spaces count  \nand no second line\n")

    assert sign_in("ada@example.org", "  spaces count  ")


def test_no_account_is_made_without_a_password(gradioapp: Gradioapp) -> None:
    result = gradioapp("users create ada@example.org", stdin="")

    assert result.exit_code == 2
    assert "standard input" in result.stderr
    assert json.loads(gradioapp("users list --json").stdout) == []


@pytest.mark.parametrize(
    ("typed", "stdin", "says"),
    [
        ("users create ada@example.org", f"{PASSWORD}\n", "already an account"),
        ("users create nobody", f"{PASSWORD}\n", "not an e-mail address"),
        ("users create eve@example.org --role ADMIN", f"{PASSWORD}\n", "A role is"),
        ("users create eve@example.org", "short\n", "at least 8 characters"),
        ("users create eve@example.org", "Password1\n", "one of the most common ones"),
        ("users set-password ada@example.org", "Password1\n", "one of the most common ones"),
        ("users show eve@example.org", None, "gradioapp users list"),
        ("users disable ada@example.org", None, "last active admin"),
        ("users revoke ada@example.org admin", None, "last active admin"),
        ("users set-password eve@example.org", f"{LATER}\n", "no user eve@example.org"),
        ("sessions end 00000000-0000-4000-8000-000000000000", None, "gradioapp sessions list"),
        ("sessions end-all eve@example.org", None, "no user eve@example.org"),
    ],
)
def test_a_refusal_is_one_line_and_exit_1(
    typed: str, stdin: str | None, says: str, gradioapp: Gradioapp
) -> None:
    make(gradioapp, "ada@example.org", "admin")

    result = gradioapp(typed, stdin=stdin)

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert says in result.stderr


def test_lists_are_aligned_tables_or_json(gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin", "analyst")
    make(gradioapp, "bob.with.a.long.name@example.org")
    gradioapp("users disable bob.with.a.long.name@example.org")

    table = gradioapp("users list").stdout.splitlines()
    listed = json.loads(gradioapp("users list --json").stdout)

    assert [line.split() for line in table] == [
        ["E-MAIL", "NAME", "ROLES", "STATE"],
        ["ada@example.org", "ada", "admin,", "analyst", "active"],
        ["bob.with.a.long.name@example.org", "bob.with.a.long.name", "-", "disabled"],
    ]
    assert table[0].index("STATE") == table[1].index("active") == table[2].index("disabled")
    assert [(user["email"], user["roles"], user["is_active"]) for user in listed] == [
        ("ada@example.org", ["admin", "analyst"], True),
        ("bob.with.a.long.name@example.org", [], False),
    ]


def test_roles_are_granted_and_revoked(gradioapp: Gradioapp) -> None:
    make(gradioapp)

    granted = gradioapp("users grant ada@example.org analyst")
    shown = gradioapp("users show ada@example.org")
    revoked = gradioapp("users revoke ada@example.org analyst")

    assert granted.stdout == "ada@example.org has role analyst.\n"
    assert "analyst" in shown.stdout
    assert revoked.stdout == "ada@example.org has no roles.\n"


def test_a_new_password_replaces_the_old_and_ends_the_sessions(gradioapp: Gradioapp) -> None:
    make(gradioapp)
    sign_in("ada@example.org")

    result = gradioapp("users set-password ada@example.org", stdin=f"{LATER}\n")

    assert result.exit_code == 0
    assert gradioapp("sessions list").stdout == "Nobody is signed in.\n"
    assert sign_in("ada@example.org", LATER)


def test_a_disabled_account_is_signed_out_and_an_enabled_one_can_sign_in(
    gradioapp: Gradioapp,
) -> None:
    make(gradioapp)
    sign_in("ada@example.org")

    disabled = gradioapp("users disable ada@example.org")
    sessions = gradioapp("sessions list ada@example.org")
    enabled = gradioapp("users enable ada@example.org")

    assert disabled.exit_code == enabled.exit_code == 0
    assert sessions.stdout == "ada@example.org is not signed in.\n"
    assert sign_in("ada@example.org")


def test_sessions_are_listed_and_ended_one_by_one_or_all_at_once(gradioapp: Gradioapp) -> None:
    make(gradioapp)
    make(gradioapp, "bob@example.org")
    first, _, _ = (sign_in("ada@example.org") for _ in range(3))
    sign_in("bob@example.org")

    everybodys = gradioapp("sessions list").stdout
    ended = gradioapp(f"sessions end {first}")
    left = json.loads(gradioapp("sessions list ada@example.org --json").stdout)
    ended_all = gradioapp("sessions end-all ada@example.org")
    at_last = json.loads(gradioapp("sessions list --json").stdout)

    assert str(first) in everybodys
    assert "192.0.2.7" in everybodys
    assert ended.exit_code == 0
    assert str(first) not in {session["id"] for session in left}
    assert len(left) == 2
    assert ended_all.stdout.startswith("Ended 2 sessions.")
    assert [session["email"] for session in at_last] == ["bob@example.org"]


def test_purging_reports_the_number_of_removed_sessions(gradioapp: Gradioapp) -> None:
    result = gradioapp("sessions purge")

    assert result.stdout == "Removed 0 sessions.\n"


def test_each_act_is_a_line_on_standard_error(gradioapp: Gradioapp) -> None:
    made = gradioapp("users create ada@example.org", stdin=f"{PASSWORD}\n", LOG_FORMAT="json")
    granted = gradioapp("users grant ada@example.org boss", LOG_FORMAT="json")

    [line] = map(json.loads, granted.stderr.splitlines())
    assert (line["event"], line["by"], line["via"]) == ("authz_change", "operator", "command line")
    assert (line["granted"], line["outcome"]) == ("boss", "done")
    assert json.loads(made.stderr.splitlines()[-1])["event"] == "user_created"
    assert "authz_change" not in granted.stdout
    assert PASSWORD not in made.output + granted.output


def test_unlinking_says_how_many_links_there_were(gradioapp: Gradioapp) -> None:
    make(gradioapp)

    result = gradioapp("users unlink ada@example.org")
    unknown = gradioapp("users unlink nobody@example.org")

    assert (result.exit_code, result.stdout) == (0, "Removed 0 links to identity providers.\n")
    assert unknown.exit_code == 1


def test_one_admin_is_the_break_glass_account(gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")
    make(gradioapp, "bob@example.org")

    refused = gradioapp("users break-glass bob@example.org")
    marked = gradioapp("users break-glass ada@example.org")
    listed = gradioapp("users list")
    removed = gradioapp("users break-glass ada@example.org --remove")

    assert refused.exit_code == 1
    assert "must be an active admin with a password" in refused.stderr
    assert "http://127.0.0.1:8080/login?with=password" in marked.stdout
    assert "break-glass" in listed.stdout
    assert removed.stdout == "ada@example.org is no break-glass account any more.\n"
