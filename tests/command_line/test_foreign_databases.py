"""The database of another program is refused in one line by every command, and stays as it is."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from adapters.sql.engine import WRITING, make_engine
from tests.command_line.conftest import Gradioapp
from tests.processes import Process
from tests.servers import FreshDatabase

COMMANDS = (
    "serve --port 0",
    "users list",
    "users create ada@example.org",
    "users set-password ada@example.org",
    "sessions list",
    "sessions purge",
    "tokens list ada@example.org",
    "db upgrade",
    "db downgrade base",
    "db current",
    "db check",
    "check",
)


def tables(url: str) -> list[str]:
    async def look() -> list[str]:
        engine = make_engine(url)
        async with engine.connect() as connection:
            found = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        await engine.dispose()
        return found

    return asyncio.run(look())


def a_shop(url: str) -> None:
    async def make() -> None:
        engine = make_engine(url).execution_options(**{WRITING: True})
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE users (id INTEGER, owes INTEGER)"))
        await engine.dispose()

    asyncio.run(make())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def shop(request: pytest.FixtureRequest, folder: Path) -> str:
    """Make another program's database, and return its URL."""
    if request.param == "sqlite":
        url = f"sqlite:///{folder}/shop.db"
    else:
        fresh: FreshDatabase = request.getfixturevalue("fresh_postgres")
        url = fresh()
    a_shop(url)
    return url


def test_every_command_refuses_it_in_one_line(
    shop: str, gradioapp: Gradioapp, subtests: pytest.Subtests
) -> None:
    for typed in COMMANDS:
        with subtests.test(typed=typed):
            result = gradioapp(typed, stdin="correct horse battery\n", DATABASE_URL=shop)

            lines = [line for line in result.output.splitlines() if "another program" in line]
            assert result.exit_code == (1 if typed == "check" else 2)
            assert len(lines) == 1
            assert "has the tables users, and no revision of ours" in lines[0]
            assert "GRADIOAPP_DATABASE_URL" in lines[0]
            assert len(result.stderr.splitlines()) == (0 if typed == "check" else 1)

    assert tables(shop) == ["users"]


def test_a_foreign_file_gets_no_byte_and_no_companion(folder: Path, gradioapp: Gradioapp) -> None:
    file = folder / "shop.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    before = file.read_bytes()

    for typed in COMMANDS:
        gradioapp(typed, stdin="correct horse battery\n", DATABASE_URL=f"sqlite:///{file}")

    assert file.read_bytes() == before
    assert [path.name for path in folder.glob("shop*")] == ["shop.db"]


@pytest.mark.server
def test_the_database_in_an_apps_own_dotenv_is_left_to_the_app(
    folder: Path, start: Callable[..., Process], fresh_postgres: FreshDatabase
) -> None:
    url = fresh_postgres()
    (folder / ".env").write_text(f"DATABASE_URL={url}\nPORT=1\n")

    process = start("gradioapp", "serve", "--port", "0")
    process.hears("Serving at")

    assert tables(url) == []
    said = [line for line in process.said.splitlines() if "leaves DATABASE_URL to the apps" in line]
    assert len(said) == 1
    assert "GRADIOAPP_DATABASE_URL" in said[0]
    assert f"The database is {folder}/gradioapp-data/gradioapp.sqlite3\n" in process.said


def test_commands_and_check_say_what_is_left_to_the_apps(
    folder: Path, gradioapp: Gradioapp
) -> None:
    (folder / ".env").write_text("DATABASE_URL=postgresql://shop:hunter22@db/shop\n")

    users, checked = gradioapp("users list --json"), gradioapp("check")

    assert users.stdout == "[]\n"
    assert "leaves DATABASE_URL to the apps" in users.stderr
    assert "leaves DATABASE_URL to the apps" in checked.stdout
    assert "hunter22" not in users.output + checked.output


@pytest.mark.server
@pytest.mark.parametrize("name", ["DATABASE_URL", "GRADIOAPP_DATABASE_URL"])
def test_the_start_line_names_the_database_without_its_password(
    name: str,
    folder: Path,
    start: Callable[..., Process],
    fresh_postgres: FreshDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = fresh_postgres()
    host, _, database = url.partition("?")[0].rpartition("/")
    (folder / ".env").write_text(
        f"PROJECTNAME=Demo\n{name}={host}/{database}?{url.partition('?')[2]}&password=hunter22\n"
    )

    process = start("gradioapp", "serve", "--port", "0")
    process.hears("Serving at")

    assert "The database is postgresql://" in process.said
    assert f"/{database}\n" in process.said
    assert "hunter22" not in process.said
    assert "users" in tables(url)
