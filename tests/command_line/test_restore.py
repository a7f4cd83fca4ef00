"""`gradioapp restore` restores into an empty data folder only, completely or not at all."""

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.system.backups import placing
from tests.command_line.conftest import Gradioapp
from tests.databases import content, fill, migrate, ordered, rows_of_every_kind
from tests.processes import Process

Start = Callable[..., Process]


@pytest.fixture
def backup(folder: Path, gradioapp: Gradioapp) -> Path:
    """Return a backup; the data folder is missing again."""
    data = folder / "gradioapp-data"
    (data / "gradio" / "ab").mkdir(parents=True)
    (data / "gradio" / "ab" / "a.txt").write_text("a")
    fill(url(folder), rows_of_every_kind())
    assert gradioapp("backup backup.tar").exit_code == 0
    shutil.rmtree(data)
    return folder / "backup.tar"


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/gradioapp-data/gradioapp.sqlite3"


def rewritten(backup: Path, folder: Path, **changes: tuple[str, str]) -> None:
    """Replace texts in the manifest of the backup."""
    shutil.rmtree(folder / "parts", ignore_errors=True)
    with tarfile.open(backup) as archive:
        names = archive.getnames()
        archive.extractall(folder / "parts", filter="data")
    manifest = folder / "parts" / "manifest.json"
    for before, after in changes.values():
        assert before in manifest.read_text()
        manifest.write_text(manifest.read_text().replace(before, after))
    with tarfile.open(backup, "w") as archive:
        for name in names:
            archive.add(folder / "parts" / name, name)
    shutil.rmtree(folder / "parts")


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a folder that is ignored"])
def test_a_missing_and_an_empty_folder_are_filled(
    there: str, backup: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    data = folder / "gradioapp-data"
    if there != "nothing":
        data.mkdir()
    if there == "a folder that is ignored":
        (data / ".gitignore").write_text("*\n")

    result = gradioapp("restore backup.tar")

    assert result.exit_code == 0, result.output
    assert "Restored the database and 1 files" in result.stdout
    assert content(url(folder)) == ordered(rows_of_every_kind())
    assert (data / "gradio" / "ab" / "a.txt").read_text() == "a"
    assert (data / ".gitignore").read_text() == "*\n"
    assert {path.name for path in folder.iterdir()} == {"backup.tar", "gradioapp-data"}


@pytest.mark.parametrize("name", ["gradioapp.sqlite3", "secret.key", "gradio/a", "other"])
def test_a_folder_with_data_is_refused_and_unchanged(
    name: str, backup: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    file = folder / "gradioapp-data" / name
    file.parent.mkdir(parents=True)
    file.write_text("precious")

    result = gradioapp("restore backup.tar")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "There is data already" in result.stderr
    data = folder / "gradioapp-data"
    assert result.stderr.strip().endswith(f"mv {data} {data}.before")
    assert file.read_text() == "precious"
    assert [path for path in (folder / "gradioapp-data").rglob("*") if path.is_file()] == [file]


def test_a_damaged_or_cut_backup_restores_nothing(
    backup: Path, folder: Path, gradioapp: Gradioapp, subtests: pytest.Subtests
) -> None:
    whole = backup.read_bytes()
    assert whole.count(b"analyst") > 0
    for damaged in (whole.replace(b"analyst", b"analyzt"), whole[:-20_000]):
        with subtests.test(size=len(damaged)):
            backup.write_bytes(damaged)

            result = gradioapp("restore backup.tar")

            assert result.exit_code == 1
            assert len(result.stderr.splitlines()) == 1
            assert "backup.tar is no backup that can be restored" in result.stderr
            assert [path.name for path in folder.iterdir()] == ["backup.tar"]


def test_a_missing_backup_is_one_line(folder: Path, gradioapp: Gradioapp) -> None:
    result = gradioapp("restore backup.tar")

    assert result.exit_code == 2
    assert result.stderr == "backup.tar: No such file or directory\n"
    assert list(folder.iterdir()) == []


def test_a_backup_of_a_newer_schema_is_refused_with_its_release(
    backup: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    rewritten(backup, folder, revision=('"0011"', '"0042"'), release=('"0.1.0"', '"7.0.0"'))

    result = gradioapp("restore backup.tar")

    assert result.exit_code == 1
    assert "has the schema 0042 of release 7.0.0" in result.stderr
    assert not (folder / "gradioapp-data").exists()


def test_a_manifest_that_names_another_schema_than_the_database_has_is_refused(
    backup: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    rewritten(backup, folder, revision=('"0011"', '"0008"'))

    result = gradioapp("restore backup.tar")

    assert result.exit_code == 1
    assert "another schema than its manifest says" in result.stderr


def test_a_backup_of_an_older_release_is_migrated_by_the_next_command(
    folder: Path, gradioapp: Gradioapp
) -> None:
    (folder / "gradioapp-data").mkdir()
    migrate(url(folder), "0008")
    assert gradioapp("backup backup.tar").exit_code == 0
    shutil.rmtree(folder / "gradioapp-data")

    restored = gradioapp("restore backup.tar")

    assert restored.exit_code == 0
    assert "Type: gradioapp db upgrade" in restored.stdout
    assert gradioapp("users list").exit_code == 0
    assert "is at 0011" in gradioapp("db current").stdout


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a database outside of the data folder."""
    return tmp_path_factory.mktemp("elsewhere") / "app.db"


def test_a_database_outside_of_the_data_folder_returns_there(
    backup: Path, elsewhere: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    result = gradioapp("restore backup.tar", DATABASE_URL=f"sqlite:///{elsewhere}")

    assert result.exit_code == 0, result.output
    assert content(f"sqlite:///{elsewhere}") == ordered(rows_of_every_kind())
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in (folder / "gradioapp-data").iterdir()} == {".gitignore", "gradio"}


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_database_outside_of_the_data_folder_is_not_replaced(
    suffix: str, backup: Path, elsewhere: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    there = elsewhere.with_name(f"{elsewhere.name}{suffix}")
    there.write_text("precious")

    result = gradioapp("restore backup.tar", DATABASE_URL=f"sqlite:///{elsewhere}")

    assert result.exit_code == 1
    assert "There is data already" in result.stderr
    assert there.read_text() == "precious"
    assert not (folder / "gradioapp-data").exists()


def test_a_database_outside_is_taken_away_again_if_the_folder_cannot_be_placed(
    backup: Path,
    elsewhere: Path,
    folder: Path,
    gradioapp: Gradioapp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise placing.NotEmpty(folder)

    monkeypatch.setattr(placing, "place", fail)

    result = gradioapp("restore backup.tar", DATABASE_URL=f"sqlite:///{elsewhere}")

    assert result.exit_code == 1
    assert not elsewhere.exists()


def test_a_folder_that_must_stay_is_filled_with_the_database_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    moved: list[str] = []
    (data / ".restoring-before").mkdir(parents=True)
    inode = data.stat().st_ino
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    replace = Path.replace

    def moving(path: Path, to: Path) -> Path:
        moved.append(to.name)
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", moving)

    with placing.unpacking_for(data) as staged:
        for name in ("app.db", "gradio", "secret.key"):
            (staged / name).write_text(name)
        placing.place(staged, data, last="app.db")

    assert data.stat().st_ino == inode
    assert data.stat().st_mode & 0o777 == 0o700
    assert moved[-1] == "app.db"
    assert {path.name for path in data.iterdir()} == {
        ".gitignore",
        "app.db",
        "gradio",
        "secret.key",
    }


def test_data_in_a_folder_that_must_stay_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)

    with placing.unpacking_for(data) as staged:
        (staged / "app.db").write_text("restored")
        (data / "app.db").write_text("precious")
        with pytest.raises(placing.NotEmpty):
            placing.place(staged, data, last="app.db")

    assert (data / "app.db").read_text() == "precious"
    assert [path.name for path in data.iterdir()] == ["app.db"]


def test_a_folder_that_somebody_fills_meanwhile_is_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"

    with placing.unpacking_for(data) as staged:
        (staged / "app.db").write_text("restored")
        data.mkdir()
        (data / "app.db").write_text("precious")
        with pytest.raises(placing.NotEmpty):
            placing.place(staged, data, last="app.db")

    assert (data / "app.db").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_remains_of_a_restore_that_was_killed_are_removed(
    backup: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    (folder / ".gradioapp-data.restoring-abc" / "gradio").mkdir(parents=True)

    result = gradioapp("restore backup.tar")

    assert result.exit_code == 0
    assert {path.name for path in folder.iterdir()} == {"backup.tar", "gradioapp-data"}


@pytest.mark.server
def test_a_running_service_is_refused(
    backup: Path, elsewhere: Path, folder: Path, start: Start, gradioapp: Gradioapp
) -> None:
    start("gradioapp", "serve", "--port", "0").hears("Serving at")

    result = gradioapp("restore backup.tar")

    assert result.exit_code == 1
    assert "Stop the service" in result.stderr
