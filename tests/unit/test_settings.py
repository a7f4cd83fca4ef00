"""Names without our prefix count in the environment, and in a `.env` of the older template."""

import os
from pathlib import Path

import pytest

from adapters.sql.engine import name_of, parsed_url
from application.settings import SettingsInvalid, load, note_on_dotenv
from tests.processes import is_setting

AN_APPS_OWN = """
DATABASE_URL=postgresql://shop:hunter22@db.example.org/shop
PORT=3000
SECRET_KEY=Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE
RELOAD=true
HOST=0.0.0.0
ENVIRONMENT=prod
LOG_LEVEL=debug
VERSION=2
OPENAI_API_KEY=sk-1234
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in filter(is_setting, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_without_the_prefix_is_read_from_an_apps_own_dotenv(folder: Path) -> None:
    (folder / ".env").write_text(AN_APPS_OWN)

    assert load().model_fields_set == set()


@pytest.mark.parametrize("name", ["JWT_SECRET=short", "PROJECTNAME=Demo"])
def test_names_without_the_prefix_count_beside_the_templates_own(name: str, folder: Path) -> None:
    (folder / ".env").write_text(f"{AN_APPS_OWN}\n{name}\n")

    settings = load()

    assert settings.database.startswith("postgresql://shop:")
    assert settings.port == 3000
    assert settings.reload
    assert [key.get_secret_value()[:4] for key in settings.secret_key] == ["Zk3v"]
    assert {"host", "environment", "log_level"}.isdisjoint(settings.model_fields_set)
    assert note_on_dotenv(settings) == ""


def test_names_without_the_prefix_count_in_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("PORT=3000\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/name")
    monkeypatch.setenv("PORT", "4000")

    settings = load()

    assert settings.database == "postgresql://host/name"
    assert settings.port == 4000
    assert note_on_dotenv(settings) == ""


def test_names_with_the_prefix_count_in_every_dotenv(folder: Path) -> None:
    (folder / ".env").write_text(f"{AN_APPS_OWN}\ngradioapp_port=5000\nGRADIOAPP_MCP=true\n")

    settings = load()

    assert (settings.port, settings.mcp) == (5000, True)


def test_a_line_names_what_is_left_to_the_apps_and_what_to_write_instead(folder: Path) -> None:
    (folder / ".env").write_text("database_url=sqlite:///shop.db\nPORT=3000\nRELOAD=true\n")

    all_three = note_on_dotenv(load())
    one = note_on_dotenv(load(port=1, reload=True))

    assert all_three == (
        f"{folder / '.env'}: the service leaves database_url, PORT and RELOAD to the apps. For the service, write "
        "GRADIOAPP_DATABASE_URL, GRADIOAPP_PORT and GRADIOAPP_RELOAD"
    )
    assert one.endswith(
        "leaves database_url to the apps. For the service, write GRADIOAPP_DATABASE_URL"
    )
    assert note_on_dotenv(load(env_file=None), env_file=None) == ""


def test_a_dotenv_with_a_wrong_number_for_an_app_is_no_fault(folder: Path) -> None:
    (folder / ".env").write_text("PORT=from the app\n")

    assert load().port == 8080

    (folder / ".env").write_text("GRADIOAPP_PORT=ours\n")
    with pytest.raises(SettingsInvalid):
        load()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://ada:hunter22@db:5432/shop", "postgresql://db:5432/shop"),
        ("postgres://ada@example.org:hunter22@db/shop", "postgresql://db/shop"),
        ("postgresql://ada:hunt@er22@db/shop", "postgresql://db/shop"),
        ("postgresql://ada:hunt/er@22@db/shop", "postgresql://db/shop"),
        ("postgresql://ada:a@b/hunter22@db/shop", "postgresql://db/shop"),
        ("postgresql://db/shop?user=ada&password=hunter22", "postgresql://db/shop"),
        ("postgresql://db/shop?sslpassword=hunter22&sslmode=require", "postgresql://db/shop"),
        ("postgresql://ada:hunter22@/shop?host=/run/pg", "postgresql:///run/pg/shop"),
        ("postgresql://hunter22@[::1]:5/shop", "postgresql://[::1]:5/shop"),
        ("sqlite:////data/shop.db?password=hunter22", "/data/shop.db"),
    ],
)
def test_the_name_of_a_database_has_neither_user_nor_password_nor_options(
    url: str, name: str
) -> None:
    assert name_of(url) == name


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:p@db:hunter22@db/shop", "hunter22", "mysql://ada:hunter22@db/shop"],
)
def test_the_message_about_a_wrong_url_has_no_part_of_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as refused:
        parsed_url(url)

    assert "hunter22" not in str(refused.value)


def test_paths_stay_where_they_are_if_an_app_changes_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    usual = load(env_file=None)
    named = load(
        env_file=None, data_dir=Path("own"), database_url="sqlite+aiosqlite:///own.db?timeout=5"
    )

    monkeypatch.chdir(tmp_path / "elsewhere")

    assert usual.data_dir == tmp_path / "gradioapp-data"
    assert usual.database.endswith(f"{tmp_path}/gradioapp-data/gradioapp.sqlite3")
    assert named.data_dir == tmp_path / "own"
    assert named.database == f"sqlite+aiosqlite:///{tmp_path}/own.db?timeout=5"


def test_the_name_of_an_app_may_contain_a_comma_in_a_json_list(folder: Path) -> None:
    assert load(env_file=None, apps='["a,b.py:demo", "c.py"]').apps == ("a,b.py:demo", "c.py")
    assert load(env_file=None, apps="[a].py, c.py").apps == ("[a].py", "c.py")


@pytest.mark.parametrize("url", ["http://10.0.0.7:8090", "http://[fd00::7]:0/"])
def test_replicas_may_listen_at_any_host_and_port(url: str) -> None:
    settings = load(env_file=None, replica_url=url, database_url="postgresql://host/name")

    assert settings.replica_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "10.0.0.7:8090",
        "https://10.0.0.7:8090",
        "http://10.0.0.7",
        "http://10.0.0.7:port",
        "http://0.0.0.0:8090",
        "http://[::]:8090",
        "http://10.0.0.7:8090/path",
        "http://ada@10.0.0.7:8090",
    ],
)
def test_another_address_for_replicas_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="http://host:port"):
        load(env_file=None, replica_url=url, database_url="postgresql://host/name")


def test_replicas_on_sqlite_are_refused() -> None:
    with pytest.raises(SettingsInvalid, match="SQLite serves one process"):
        load(env_file=None, replica_url="http://10.0.0.7:8090")


@pytest.mark.parametrize(
    "url", ["redis://host/3", "rediss://ada:se%40cret@host:6380", "unix:///run/redis.sock"]
)
def test_the_address_of_redis_may_be_any_of_its_kinds(url: str) -> None:
    assert load(env_file=None, redis_url=url).redis_url is not None


@pytest.mark.parametrize(
    "url", ["", "host:6379", "http://host", "redis://", "redis://ada:hidden@host/x"]
)
def test_another_address_than_one_of_redis_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load(env_file=None, redis_url=url)

    (fault,) = refused.value.faults
    assert "redis://host/0" in fault
    assert "hidden" not in fault
