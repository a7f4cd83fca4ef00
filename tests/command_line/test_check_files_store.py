"""`gradioapp check` tries the object store out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from application.settings import SettingsInvalid, load
from tests.command_line.conftest import Gradioapp
from tests.object_store import KEY, ObjectStore, object_store


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("store")) as store:
        yield store


def test_a_store_that_works_is_found_to_work_and_keeps_nothing(
    store: ObjectStore, gradioapp: Gradioapp
) -> None:
    done = gradioapp("check", **store.settings)

    assert done.exit_code == 0, done.output
    assert "objects in the store of files s3://files/some/app can be written" in done.output
    assert store.objects() == []


@pytest.mark.parametrize(
    ("wrong", "step"),
    [
        ({"FILES_STORE_KEY": "another-secret-key"}, "written"),
        ({"FILES_STORE": "s3://no-such-bucket"}, "written"),
        ({"FILES_STORE_ENDPOINT": "http://127.0.0.1:9"}, "written"),
    ],
)
def test_a_store_that_does_not_work_is_a_fault_without_secrets(
    store: ObjectStore, gradioapp: Gradioapp, wrong: dict[str, str], step: str
) -> None:
    done = gradioapp("check", **{**store.settings, **wrong})

    assert done.exit_code == 1
    assert f"cannot be {step}" in done.output
    assert "Check the settings GRADIOAPP_FILES_STORE" in done.output
    assert KEY not in done.output
    assert "another-secret-key" not in done.output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"files_store": "https://bucket"}, "FILES_STORE: must be s3://bucket"),
        ({"files_store": "s3://bucket/../other"}, "FILES_STORE: must be s3://bucket"),
        ({"files_store": "s3://user:secret@bucket"}, "FILES_STORE: must be s3://bucket"),
        ({"files_store_key_id": "a", "files_store_key": "b"}, "FILES_STORE is missing"),
        ({"files_store": "s3://bucket", "files_store_key": "b"}, "belong together"),
        (
            {"files_store": "s3://bucket", "files_store_endpoint": "storage.example.com"},
            "FILES_STORE_ENDPOINT: must be an address",
        ),
    ],
)
def test_settings_of_the_store_that_make_no_sense_are_faults(
    tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load(env_file=None, environment="dev", data_dir=tmp_path, **settings)

    assert said in str(refused.value)


def test_the_settings_show_no_secret(tmp_path: Path) -> None:
    settings = load(
        env_file=None, environment="dev", data_dir=tmp_path, files_store="s3://bucket",
        files_store_key_id="an-id", files_store_key="a-secret",
    )  # fmt: skip

    assert "a-secret" not in f"{settings!r} {settings}"
    assert "an-id" not in f"{settings!r} {settings}"


def test_the_files_of_a_folder_are_moved_to_the_store_by_a_command(
    store: ObjectStore, gradioapp: Gradioapp
) -> None:
    without = gradioapp("files share")
    done = gradioapp("files share", **store.settings)

    assert without.exit_code == 2
    assert "Set GRADIOAPP_FILES_STORE" in without.output
    assert (done.exit_code, done.output[:7]) == (0, "0 files"), done.output
