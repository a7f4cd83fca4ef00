"""A backup that was changed or made to do harm is refused, and writes nothing outside of the folder."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from adapters.system.backups.manifest import BackupDamaged, Manifest
from adapters.system.backups.reading import DiskFull, unpack

GOOD: Mapping[str, bytes] = {
    "database.sqlite3": b"rows",
    "secret.key": b"key",
    "gradio/ab/a cat.png": b"x" * 3_000_000,
    "gradio/.hidden": b"",
}

Members = Sequence[tuple[tarfile.TarInfo, bytes]]


def a_member(name: str, content: bytes = b"", **values: Any) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    for attribute, value in values.items():
        setattr(header, attribute, value)
    return header, content


def a_manifest(content: Mapping[str, bytes], **values: Any) -> bytes:
    members = {
        name: {"size": len(some), "sha256": hashlib.sha256(some).hexdigest()}
        for name, some in content.items()
    }
    whole = {"format": 1, "release": "0.1.0", "revision": "0011", "made_at": "2026-01-02"}
    return json.dumps({**whole, "members": members, **values}).encode()


def a_tar(members: Members, *, format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002 - tarfile's name.
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for header, content in members:
            archive.addfile(header, io.BytesIO(content))
    return file.getvalue()


def plain(content: Mapping[str, bytes]) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [a_member(name, some) for name, some in content.items()]


class Places(NamedTuple):
    file: Path
    into: Path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "outer" / "into").mkdir(parents=True)
    return Places(tmp_path / "backup.tar", tmp_path / "outer" / "into")


def refusal(places: Places, archive: bytes) -> str:
    """Unpack the archive, and return why it is refused. Nothing may be outside of the folder."""
    places.file.write_bytes(archive)
    with pytest.raises(BackupDamaged) as refused:
        unpack(places.file, places.into)
    assert [path.name for path in places.into.parent.iterdir()] == ["into"]
    assert all(path.is_file() or path.is_dir() for path in places.into.rglob("*"))
    assert not any(path.is_symlink() for path in places.into.rglob("*"))
    return str(refused.value)


def with_member(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a good archive that has these members too, also in its manifest."""
    listed = {**GOOD, **{header.name: content for header, content in members}}
    return a_tar([*plain(GOOD), *members, a_member("manifest.json", a_manifest(listed))])


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_good_archive_is_unpacked_with_modes_for_its_owner_only(
    kind: str, places: Places
) -> None:
    good = with_member()
    places.file.write_bytes(gzip.compress(good) if kind == "tar.gz" else good)

    manifest = unpack(places.file, places.into)

    assert isinstance(manifest, Manifest)
    assert (manifest.release, manifest.revision) == ("0.1.0", "0011")
    files = {
        str(path.relative_to(places.into)): path
        for path in places.into.rglob("*")
        if path.is_file()
    }
    assert {name: path.read_bytes() for name, path in files.items()} == GOOD
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    folders = [path for path in places.into.rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../outside",
        "gradio/../../outside",
        "gradio/a/../b",
        "gradio/./a",
        "gradio//a",
        "gradio",
        "./database.sqlite3",
        "other/a",
        "gradioapp.sqlite3",
        "secret.key/a",
        "",
    ],
)
def test_a_name_outside_of_what_backups_have_is_refused(name: str, places: Places) -> None:
    said = refusal(places, with_member(a_member(name, b"harm")))

    assert "a member with the name" in said


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.DIRTYPE,
        tarfile.CONTTYPE,
        b"Z",
    ],
)
def test_a_member_that_is_no_plain_file_is_refused(kind: bytes, places: Places) -> None:
    said = refusal(places, with_member(a_member("gradio/link", type=kind, linkname="/etc/passwd")))

    assert said == "'gradio/link' in it is no plain file"


def test_a_file_below_a_link_is_refused_with_the_link(places: Places) -> None:
    link = a_member("gradio/way", type=tarfile.SYMTYPE, linkname="../..")

    said = refusal(places, with_member(link, a_member("gradio/way/outside", b"harm")))

    assert "no plain file" in said


@pytest.mark.parametrize(
    ("major", "more"),
    [("1", {}), ("0", {"GNU.sparse.map": "0,1"}), ("0", {"GNU.sparse.size": "9" * 12})],
)
def test_a_sparse_file_is_refused(major: str, more: dict[str, str], places: Places) -> None:
    headers = {"GNU.sparse.major": major, "GNU.sparse.minor": "0", **more}
    sparse = a_member("gradio/sparse", b"9\n1\n" * 200, pax_headers=headers)

    said = refusal(places, with_member(sparse))

    assert said == "a member in it is a sparse file"


@pytest.mark.parametrize("name", ["gradio/ab/a cat.png", "database.sqlite3", "secret.key"])
def test_a_second_member_of_one_name_is_refused(name: str, places: Places) -> None:
    assert "two members" in refusal(places, with_member(a_member(name, b"other")))


@pytest.mark.parametrize("name", ["gradio/.hidden/a", "gradio/ab"])
def test_a_file_in_place_of_a_folder_is_refused(name: str, places: Places) -> None:
    assert "two members" in refusal(places, with_member(a_member(name, b"other")))


def test_a_member_that_does_not_fit_on_the_disk_is_refused_before_it_is_written(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.file.write_bytes(with_member())
    free = shutil.disk_usage(places.into)._replace(free=2_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)

    with pytest.raises(DiskFull):
        unpack(places.file, places.into)

    assert not (places.into / "gradio").exists()


def test_many_empty_members_count_too(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    places.file.write_bytes(a_tar([a_member(f"gradio/{number}") for number in range(1000)]))
    free = shutil.disk_usage(places.into)._replace(free=1_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)

    with pytest.raises(DiskFull):
        unpack(places.file, places.into)


def test_a_large_header_is_refused_before_it_is_read(places: Places) -> None:
    long = a_member("gradio/a", pax_headers={"comment": "x" * 2_000_000})

    assert refusal(places, with_member(long)) == "a header in it is too large"


def test_headers_within_headers_are_refused(places: Places) -> None:
    name = a_tar([a_member("gradio/" + "x" * 200)], format=tarfile.GNU_FORMAT)[:1024]

    assert "cannot be read" in refusal(places, name * 2000)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"database.sqlite3": b"lies"}, "size or checksum of 'database.sqlite3' is wrong"),
        ({"gradio/.hidden": b"more"}, "size or checksum of 'gradio/.hidden' is wrong"),
        ({"gradio/extra": b""}, "'gradio/extra' is not in its manifest"),
        ({"secret.key": None}, "'secret.key' is missing"),
        ({"database.sqlite3": None}, "it has no database"),
    ],
)
def test_a_member_that_is_not_as_the_manifest_says_is_refused(
    change: dict[str, bytes | None], reason: str, places: Places
) -> None:
    changed = {name: some for name, some in {**GOOD, **change}.items() if some is not None}

    said = refusal(places, a_tar([*plain(changed), a_member("manifest.json", a_manifest(GOOD))]))

    assert said == reason


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        a_manifest(GOOD, format="1"),
        a_manifest(GOOD, format=2),
        a_manifest(GOOD, members=[]),
        a_manifest(GOOD, members={"database.sqlite3": 1}),
        a_manifest(GOOD, members={"database.sqlite3": {"size": True, "sha256": ""}}),
        a_manifest(GOOD, release="\x1b[2J"),
        a_manifest(GOOD, revision=9),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused(manifest: bytes, places: Places) -> None:
    said = refusal(places, a_tar([*plain(GOOD), a_member("manifest.json", manifest)]))

    assert "manifest" in said or "format" in said


def test_a_member_behind_the_manifest_is_refused(places: Places) -> None:
    manifest = a_member("manifest.json", a_manifest(GOOD))

    said = refusal(places, a_tar([*plain(GOOD), manifest, a_member("gradio/late")]))

    assert said == "it has members behind its manifest"


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_an_archive_that_is_cut_anywhere_is_refused(
    kind: str, places: Places, subtests: pytest.Subtests
) -> None:
    small = {**GOOD, "gradio/ab/a cat.png": b"x" * 3000}
    whole = a_tar([*plain(small), a_member("manifest.json", a_manifest(small))])
    end = whole.rindex(b"}") + 1  # Behind the manifest, there are only zeros.
    archive = gzip.compress(whole[:end], mtime=0)[:-8] if kind == "tar.gz" else whole[:end]

    for length in range(0, len(archive), 101):
        with subtests.test(length=length):
            shutil.rmtree(places.into)
            places.into.mkdir()

            assert refusal(places, archive[:length])


@pytest.mark.parametrize(
    "archive", [b"", b"text", b"\x1f\x8b", b"\x1f\x8b" + b"x" * 600, b"PK\3\4"]
)
def test_another_kind_of_file_is_refused(archive: bytes, places: Places) -> None:
    assert refusal(places, archive)
