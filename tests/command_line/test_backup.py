"""`gradioapp backup` makes one private file, and `gradioapp restore` brings it back."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.sql.snapshot import revision_in, snapshot
from adapters.system.backups import writing
from tests.command_line.conftest import Gradioapp
from tests.command_line.test_foreign_databases import a_shop
from tests.command_line.test_two_processes import PROD
from tests.databases import content, insert_into, ordered, rows_of_every_kind
from tests.processes import Process

Start = Callable[..., Process]


@pytest.fixture
def data(folder: Path, gradioapp: Gradioapp) -> Path:
    """Return a data folder with a row in each table, files, and a key."""
    data = folder / "gradioapp-data"
    gradioapp("users list")
    insert_into(url(data), rows_of_every_kind())
    for name in ("ab/a cat.png", "ab/cd/sound.wav", ".gitignore", "ab/.aside.old"):
        (data / "gradio" / name).parent.mkdir(parents=True, exist_ok=True)
        (data / "gradio" / name).write_bytes(name.encode() * 1000)
    (data / "secret.key").write_text("a key of the tests, which is long enough")
    (data / "secret.key").chmod(0o600)
    return data


def url(data: Path) -> str:
    return f"sqlite:///{data}/gradioapp.sqlite3"


def names_in(file: Path) -> list[str]:
    with tarfile.open(file) as archive:
        return archive.getnames()


def manifest_of(file: Path) -> Any:
    with tarfile.open(file) as archive:
        member = archive.extractfile("manifest.json")
        assert member is not None
        return json.load(member)


def files_in(data: Path) -> dict[str, bytes]:
    """Return the files of the data folder, without the database and the files beside it."""
    return {
        str(path.relative_to(data)): path.read_bytes()
        for path in data.rglob("*")
        if path.is_file() and not path.name.startswith("gradioapp.sqlite3")
    }


@pytest.mark.parametrize("name", ["backup.tar", "backup.tar.gz", "backup.tgz"])
def test_what_was_backed_up_is_restored(
    name: str, data: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    before = files_in(data)

    made = gradioapp(f"backup {name} --with-key")
    data.rename(folder / "lost")
    restored = gradioapp(f"restore {name}")

    assert (made.exit_code, restored.exit_code) == (0, 0), made.output + restored.output
    assert content(url(data)) == ordered(rows_of_every_kind())
    assert files_in(data) == before
    assert {path.name for path in folder.iterdir()} == {name, "gradioapp-data", "lost"}
    for path in [data, *data.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert path.stat().st_mode & 0o077 == 0 or path.name == ".gitignore", path
        assert path.stat().st_mode & 0o700 == wanted & 0o700
    assert gradioapp("users list").exit_code == 0
    assert (folder / name).read_bytes()[:2] == b"\x1f\x8b" or name == "backup.tar"


def test_a_backup_is_private_and_has_a_manifest_with_checksums(
    data: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    gradioapp("backup backup.tar")

    manifest = manifest_of(folder / "backup.tar")
    assert (folder / "backup.tar").stat().st_mode & 0o777 == 0o600
    assert names_in(folder / "backup.tar")[0] == "database.sqlite3"
    assert names_in(folder / "backup.tar")[-1] == "manifest.json"
    assert manifest["release"] == "0.1.0"
    assert manifest["revision"] == "0011"
    assert {*manifest["members"], "manifest.json"} == {*names_in(folder / "backup.tar")}
    assert {len(member["sha256"]) for member in manifest["members"].values()} == {64}


def test_the_key_is_left_out_unless_it_is_asked_for_and_both_are_explained(
    data: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    without = gradioapp("backup without.tar")
    with_it = gradioapp("backup with.tar --with-key")

    assert "secret.key" not in names_in(folder / "without.tar")
    assert "secret.key" in names_in(folder / "with.tar")
    assert f"Keep a copy of {data}/secret.key apart from it" in without.stdout
    assert "keep it as safe as the key" in with_it.stdout


def test_a_restore_without_the_key_says_where_to_put_it(
    data: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    gradioapp("backup backup.tar")
    data.rename(folder / "lost")

    restored = gradioapp("restore backup.tar")

    assert f"Put yours into {data}/secret.key" in restored.stdout


def test_without_a_key_file_the_option_is_refused(data: Path, gradioapp: Gradioapp) -> None:
    (data / "secret.key").unlink()

    result = gradioapp("backup backup.tar --with-key", **PROD)

    assert result.exit_code == 2
    assert "Keep GRADIOAPP_SECRET_KEY in a safe place instead" in result.stderr


def test_links_are_left_out(data: Path, folder: Path, gradioapp: Gradioapp) -> None:
    (folder / "outside").mkdir()
    (folder / "outside" / "private").write_text("private")
    (data / "gradio" / "file").symlink_to(folder / "outside" / "private")
    (data / "gradio" / "folder").symlink_to(folder / "outside")

    result = gradioapp("backup backup.tar")

    assert result.exit_code == 0
    assert not [name for name in names_in(folder / "backup.tar") if "private" in name]
    assert {"gradio/file", "gradio/folder"}.isdisjoint(names_in(folder / "backup.tar"))


def test_an_existing_file_is_kept_without_force(
    data: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    (folder / "backup.tar").write_text("precious")

    refused = gradioapp("backup backup.tar")
    kept = (folder / "backup.tar").read_text()
    forced = gradioapp("backup backup.tar --force")

    assert refused.exit_code == 1
    assert "type --force" in refused.stderr
    assert kept == "precious"
    assert forced.exit_code == 0
    assert "manifest.json" in names_in(folder / "backup.tar")


def test_a_backup_that_fails_leaves_nothing(data: Path, folder: Path, gradioapp: Gradioapp) -> None:
    with (data / "gradioapp.sqlite3").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40960)

    result = gradioapp("backup backup.tar")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in folder.iterdir()] == ["gradioapp-data"]


def test_places_in_the_data_folder_and_in_no_folder_are_refused(
    data: Path, gradioapp: Gradioapp
) -> None:
    inside = gradioapp("backup gradioapp-data/gradio/backup.tar")
    nowhere = gradioapp("backup missing/backup.tar")

    assert (inside.exit_code, nowhere.exit_code) == (2, 2)
    assert "inside the data folder" in inside.stderr
    assert "There is no folder" in nowhere.stderr


def test_without_a_database_there_is_nothing_to_back_up(folder: Path, gradioapp: Gradioapp) -> None:
    result = gradioapp("backup backup.tar")

    assert result.exit_code == 1
    assert "There is no database" in result.stderr
    assert list(folder.iterdir()) == []


def test_the_database_of_another_program_is_refused(folder: Path, gradioapp: Gradioapp) -> None:
    shop = f"sqlite:///{folder}/shop.db"
    a_shop(shop)
    before = (folder / "shop.db").read_bytes()

    result = gradioapp("backup backup.tar", DATABASE_URL=shop)

    assert result.exit_code == 2
    assert "no revision of ours" in result.stderr
    assert (folder / "shop.db").read_bytes() == before
    assert not (folder / "backup.tar").exists()


def test_postgresql_is_left_to_pg_dump(folder: Path, gradioapp: Gradioapp) -> None:
    for typed in ("backup backup.tar", "restore backup.tar"):
        result = gradioapp(typed, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert "pg_dump" in result.stderr


def test_a_file_that_shrinks_or_grows_while_it_is_read_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrunk, grown, same = (tmp_path / name for name in ("shrunk", "grown", "same"))
    for path in (shrunk, grown, same):
        path.write_bytes(b"x" * 100_000)

    class Changing(writing._Hashing):
        def read(self, size: int = -1, /) -> bytes:
            if same.exists():
                shrunk.write_bytes(b"less")
                grown.write_bytes(b"x" * 200_000)
            return super().read(size)

    monkeypatch.setattr(writing, "_Hashing", Changing)
    with writing.writing(tmp_path / "b.tar", replaces=False) as (writer, _):
        writer.add("gradio/shrunk", shrunk)
        grown.write_bytes(b"x" * 100_000)
        writer.add("gradio/grown", grown)
        writer.add("gradio/same", same)

    assert writer.changed == 2
    assert {member.size for member in writer.members.values()} == {100_000}
    with tarfile.open(tmp_path / "b.tar") as archive:
        content = archive.extractfile("gradio/shrunk")
        assert content is not None
        assert content.read() == b"less" + b"\0" * 99_996
        assert archive.getnames() == ["gradio/shrunk", "gradio/grown", "gradio/same"]


def test_an_existing_file_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("precious")

    with pytest.raises(FileExistsError), writing.writing(tmp_path / "b.tar", replaces=False):
        pytest.fail("The block began.")


@pytest.mark.parametrize("has_links", [True, False], ids=["links", "no links"])
def test_a_file_that_appears_meanwhile_is_kept(
    has_links: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    if not has_links:
        monkeypatch.setattr("os.link", refuse)

    with (
        pytest.raises(FileExistsError),
        writing.writing(tmp_path / "b.tar", replaces=False),
    ):
        (tmp_path / "b.tar").write_text("precious")

    assert (tmp_path / "b.tar").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]


def test_a_snapshot_is_private(data: Path, tmp_path: Path) -> None:
    snapshot(data / "gradioapp.sqlite3", tmp_path / "copy")

    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    assert revision_in(tmp_path / "copy") == "0011"


def test_files_in_an_object_store_are_left_out_and_named(
    data: Path, folder: Path, gradioapp: Gradioapp
) -> None:
    store = {"FILES_STORE": "s3://bucket/app"}

    made = gradioapp("backup backup.tar", **store)
    data.rename(folder / "lost")
    restored = gradioapp("restore backup.tar", **store)

    assert (made.exit_code, restored.exit_code) == (0, 0), made.output + restored.output
    assert "0 files" in made.output
    assert "uploads and outputs, which are in s3://bucket/app" in made.output
    assert "read from s3://bucket/app" in restored.output
    assert list(files_in(data)) == [".gitignore"]
