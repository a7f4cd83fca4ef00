"""`gradioapp db copy` copies every row to an empty database, and refuses everything else without a change."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapters.sql.rows import Base
from tests.command_line.conftest import Gradioapp
from tests.command_line.test_foreign_databases import a_shop
from tests.databases import (
    a_session_row,
    a_user_row,
    an_id,
    content,
    fill,
    insert_into,
    migrate,
    ordered,
    rows_of_every_kind,
    table_names,
)
from tests.processes import Process
from tests.servers import FreshDatabase

NewDatabase = Callable[[], str]
TABLES = {*Base.metadata.tables, "alembic_version"}


@pytest.fixture
def fresh_sqlite(tmp_path: Path) -> NewDatabase:
    """Return URLs of files that do not exist."""
    (tmp_path / "databases").mkdir()
    numbers = iter(range(100))
    return lambda: f"sqlite:///{tmp_path}/databases/{next(numbers)}.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def target(request: pytest.FixtureRequest) -> str:
    """Return the URL of a database that is missing or empty."""
    fresh: NewDatabase = request.getfixturevalue(f"fresh_{request.param}")
    return fresh()


@pytest.fixture
def source(fresh_sqlite: NewDatabase) -> str:
    url = fresh_sqlite()
    fill(url, rows_of_every_kind())
    return url


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_the_rows_of_the_tests_fill_every_table() -> None:
    rows = rows_of_every_kind()

    assert set(rows) == set(Base.metadata.tables)
    assert all(rows.values())


def test_every_value_arrives_in_the_target_and_the_source_keeps_its_bytes(
    source: str, target: str, gradioapp: Gradioapp
) -> None:
    before = file_of(source).read_bytes()

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 0, result.output
    assert content(target) == ordered(rows_of_every_kind())
    assert table_names(target) == TABLES
    assert "account_state        3\n" in result.stdout
    assert "All rows are equal" in result.stdout
    assert file_of(source).read_bytes() == before


@pytest.mark.server
def test_postgresql_is_copied_back_to_sqlite(
    fresh_postgres: FreshDatabase, fresh_sqlite: NewDatabase, gradioapp: Gradioapp
) -> None:
    source, target = fresh_postgres(), fresh_sqlite()
    fill(source, rows_of_every_kind())

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 0, result.output
    assert content(target) == ordered(rows_of_every_kind())
    assert file_of(target).stat().st_mode & 0o777 == 0o600


def test_an_empty_target_that_is_migrated_is_taken(
    source: str, target: str, gradioapp: Gradioapp
) -> None:
    migrate(target)

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 0, result.output
    assert content(target) == content(source)


def test_a_target_with_one_row_is_refused_in_one_line_and_unchanged(
    source: str, target: str, gradioapp: Gradioapp
) -> None:
    fill(target, {"users": [a_user_row(50)]})
    before = content(target)

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 1
    assert len([line for line in result.stderr.splitlines() if "not empty" in line]) == 1
    assert "it has rows in users" in result.stderr
    assert content(target) == before
    assert table_names(target) == TABLES


def test_a_target_of_another_program_is_refused_and_unchanged(
    source: str, target: str, gradioapp: Gradioapp
) -> None:
    a_shop(target)

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 2
    assert "has the tables users, and no revision of ours" in result.stderr
    assert table_names(target) == {"users"}


def test_a_target_with_a_table_of_another_program_beside_ours_is_refused(
    source: str, fresh_sqlite: NewDatabase, gradioapp: Gradioapp
) -> None:
    target = fresh_sqlite()
    migrate(target)
    with closing(sqlite3.connect(file_of(target))) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 1
    assert "it has the table orders" in result.stderr


def test_a_target_of_an_older_release_is_refused(
    source: str, target: str, gradioapp: Gradioapp
) -> None:
    migrate(target, "0008")

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 1
    assert "it has the schema of an older release" in result.stderr


def test_a_source_that_is_not_at_head_is_refused_with_what_to_type(
    fresh_sqlite: NewDatabase, gradioapp: Gradioapp
) -> None:
    source, target = fresh_sqlite(), fresh_sqlite()
    migrate(source, "0008")

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 1
    assert "lacks the migrations 0009" in result.stderr
    assert "gradioapp db upgrade" in result.stderr
    assert not file_of(target).exists()


def test_a_missing_source_is_not_made(fresh_sqlite: NewDatabase, gradioapp: Gradioapp) -> None:
    source, target = fresh_sqlite(), fresh_sqlite()

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 1
    assert "there is no database" in result.stderr
    assert not file_of(source).exists()
    assert not file_of(target).exists()


def test_one_database_is_not_copied_to_itself(source: str, gradioapp: Gradioapp) -> None:
    result = gradioapp(f"db copy --from {source} --to {source}")

    assert result.exit_code == 2
    assert result.stderr == "--from and --to are the same database.\n"


def test_a_url_that_is_none_is_refused_with_the_option_s_name(
    source: str, gradioapp: Gradioapp
) -> None:
    result = gradioapp(f"db copy --from {source} --to mysql://host/name")

    assert result.exit_code == 2
    assert result.stderr.startswith("--to: A database URL must start with")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"name": "a\0b"}, "name contains a NUL character"),
        ({"name": "x" * 201}, "name has 201 characters, and at most 200 fit"),
    ],
)
@pytest.mark.server
def test_a_row_that_postgresql_cannot_store_is_named_and_the_copy_goes_on_once_it_is_corrected(
    values: dict[str, str],
    reason: str,
    source: str,
    fresh_postgres: FreshDatabase,
    gradioapp: Gradioapp,
) -> None:
    target = fresh_postgres()
    insert_into(source, {"users": [a_user_row(50, **values), a_user_row(51)]})

    refused = gradioapp(f"db copy --from {source} --to {target}")
    with closing(sqlite3.connect(file_of(source))) as connection, connection:
        connection.execute("UPDATE users SET name = 'Bob' WHERE id = ?", (an_id(50).hex,))
    went_on = gradioapp(f"db copy --from {source} --to {target}")

    assert refused.exit_code == 1
    line = refused.stderr.splitlines()[-1]
    assert f"cannot store the row id={an_id(50)} of users: {reason}" in line
    assert went_on.exit_code == 0, went_on.output
    assert content(target) == content(source)


@pytest.mark.server
def test_a_number_that_postgresql_cannot_store_is_named(
    source: str, fresh_postgres: FreshDatabase, gradioapp: Gradioapp
) -> None:
    insert_into(source, {"attempts": [{"key": b"k" * 32, "free_at": 1, "pending": 2**31}]})

    result = gradioapp(f"db copy --from {source} --to {fresh_postgres()}")

    assert result.exit_code == 1
    assert f"the row key={'6b' * 32} of attempts: pending is too large a number" in result.stderr


def test_a_row_without_the_row_that_it_belongs_to_is_named(
    source: str, target: str, gradioapp: Gradioapp
) -> None:
    with closing(sqlite3.connect(file_of(source))) as connection, connection:
        connection.execute("INSERT INTO user_roles VALUES (?, 'lost')", (an_id(80).hex,))

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert f"cannot store the row user_id={an_id(80)}, role='lost' of user_roles: " in line
    assert "foreign key" in line.lower()


@pytest.mark.parametrize("change", ["created_at = 'soon'", "name = CAST(x'ff' AS TEXT)"])
def test_a_value_that_cannot_be_read_is_named(
    change: str, source: str, fresh_sqlite: NewDatabase, gradioapp: Gradioapp
) -> None:
    with closing(sqlite3.connect(file_of(source))) as connection, connection:
        connection.execute(f"UPDATE users SET {change} WHERE id = ?", (an_id(2).hex,))

    result = gradioapp(f"db copy --from {source} --to {fresh_sqlite()}")

    assert result.exit_code == 1
    assert f"cannot be read in the row id={an_id(2)} of users" in result.stderr


def test_many_rows_are_copied_in_batches(source: str, target: str, gradioapp: Gradioapp) -> None:
    insert_into(source, {"sessions": [a_session_row(number) for number in range(1000, 2600)]})
    big = "x" * 3_000_000
    insert_into(
        source,
        {
            "account_state": [
                {"owner_id": an_id(1), "key": f"{number}", "value": big, "version": 1}
                for number in range(5)
            ]
        },
    )

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 0, result.output
    assert content(target) == content(source)


@pytest.mark.server
def test_a_database_that_a_service_uses_is_refused(
    folder: Path, start: Callable[..., Process], fresh_sqlite: NewDatabase, gradioapp: Gradioapp
) -> None:
    start("gradioapp", "serve", "--port", "0").hears("Serving at")
    served, other = f"sqlite:///{folder}/gradioapp-data/gradioapp.sqlite3", fresh_sqlite()
    migrate(other)

    read = gradioapp(f"db copy --from {served} --to {fresh_sqlite()}")
    written = gradioapp(f"db copy --from {other} --to {served}")

    assert (read.exit_code, written.exit_code) == (1, 1)
    for result in (read, written):
        assert "Another process serves or copies" in result.stderr
        assert "Stop it, and type the same command again." in result.stderr
