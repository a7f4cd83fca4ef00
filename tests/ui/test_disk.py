"""The disk: the quota of an account, uploads and outputs that fail, and the purge."""

import asyncio
import errno
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import gradio as gr
import numpy as np
import pytest
from gradio.data_classes import _StaticFiles
from PIL import Image

from adapters.system.clock import StoppedClock, SystemClock
from application.container import build
from application.settings import load
from domain.errors import StoreUnavailable
from domain.model.user import UserId
from entrypoints.app import compose
from entrypoints.ui import Page
from entrypoints.ui.files.made_inputs import MadeInputs
from tests.ui.attacks import API, FILE_META, as_file, fetches, is_problem, uploads
from tests.ui.conftest import Browser, House, Mounts, completed

MB: Final = 1024 * 1024
MCP: Final = f"{API}/mcp"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder where Gradio keeps the files of this test's apps."""
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(kept))
    static = list(_StaticFiles.all_paths)
    yield kept
    _StaticFiles.all_paths = static


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder where the app makes its outputs."""
    place = tmp_path / "made"
    place.mkdir()
    return place


def files_in(folder: Path) -> list[str]:
    """Return the paths of all files; folders are left out."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def empty_folders_in(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_dir() and not any(path.iterdir())
    )


def app_of(made: Path) -> gr.Blocks:
    """An app that makes a file of the given size, filled with one letter."""

    def make(letter: str, size: float) -> str:
        path = made / f"{letter}.txt"
        path.write_text(letter * int(size))
        return str(path)

    def read(path: str) -> str:
        return Path(path).read_text()

    def steps(letter: str, size: float) -> Iterator[str]:
        for number in range(3):
            yield make(f"{letter}{number}", size)

    with gr.Blocks() as demo:
        letter, size, file = gr.Textbox(), gr.Number(), gr.File()
        button = gr.Button()
        button.click(make, [letter, size], file, api_name="make")
        button.click(make, [letter, size], file, api_name="direct", queue=False)
        button.click(steps, [letter, size], file, api_name="steps")
        button.click(read, file, gr.Textbox(), api_name="read")
        gr.ImageEditor()
    return cast("gr.Blocks", demo)


def form(*files: tuple[str, str, bytes]) -> tuple[bytes, str]:
    """Return a form's body and its content type. Each file is a field, a name and a content."""
    parts = [
        f'--mark\r\ncontent-disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for field, name, content in files
    ]
    return b"".join(parts) + b"--mark--\r\n", "multipart/form-data; boundary=mark"


async def sends(browser: Browser, body: Any, kind: str = form()[1], **query: str) -> Any:
    return await browser.http.post(
        f"{API}/upload", params=query, content=body, headers={"content-type": kind}
    )


async def in_chunks(body: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def is_beyond_the_quota(answer: Any) -> bool:
    return is_problem(answer, 413) and "GRADIOAPP_FILES_QUOTA_MB" in answer.json()["detail"]


# The quota of an account


@pytest.mark.asvs("5.2.4")
async def test_all_devices_and_tokens_of_an_account_share_one_upload_quota(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    house = await mounted(app_of(made), files_quota_mb=1, mcp=True)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    phone = await house.signed_in()
    program = house.program(await house.makes_token())
    kept = [
        await uploads(browser, letter * 300_000, f"{number}.txt")
        for number, (browser, letter) in enumerate([(ada, b"a"), (phone, b"b"), (program, b"c")])
    ]
    before = files_in(folder)

    for browser in (ada, phone, program, await house.signed_in()):
        answer = await sends(browser, *form(("files", "d.txt", b"d" * 300_000)))
        assert is_beyond_the_quota(answer)
        assert "0.9 MB of your quota of 1.0 MB" in answer.json()["detail"]
    assert files_in(folder) == before

    await uploads(ada, b"e" * 100_000)
    await uploads(bob, b"d" * 900_000)
    assert (await fetches(ada, kept[0])).status_code == 200


@pytest.mark.asvs("5.2.4")
async def test_the_quota_holds_after_a_restart_and_in_another_process(
    mounted: Mounts, made: Path
) -> None:
    house = await mounted(app_of(made), files_quota_mb=1)
    ada = await house.signed_in()
    await uploads(ada, b"a" * 900_000)
    claims: Any = house.pages.claims
    claims._known.clear()
    claims._held.clear()

    assert is_beyond_the_quota(await sends(ada, *form(("files", "b", b"b" * 200_000))))


async def test_an_upload_whose_declared_size_is_too_large_is_refused_before_it_is_read(
    mounted: Mounts, made: Path
) -> None:
    house = await mounted(app_of(made), files_quota_mb=1)
    ada = await house.signed_in()
    body, kind = form(("files", "a", b"a" * 2 * MB))
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        async for chunk in in_chunks(body):
            read += len(chunk)
            yield chunk

    answer = await ada.http.post(
        f"{API}/upload",
        content=chunks(),
        headers={"content-type": kind, "content-length": str(len(body))},
    )

    assert is_beyond_the_quota(answer)
    assert read == 0


async def test_an_upload_without_a_declared_size_is_cut_off_while_it_arrives(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    house = await mounted(app_of(made), files_quota_mb=1)
    ada = await house.signed_in()
    body, kind = form(("files", "a", b"a" * 5 * MB))
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        async for chunk in in_chunks(body):
            read += len(chunk)
            yield chunk

    answer = await sends(ada, chunks(), kind)

    assert is_beyond_the_quota(answer)
    assert MB <= read <= 1.3 * MB
    assert files_in(folder) == []


@pytest.mark.asvs("5.2.4")
async def test_two_uploads_at_once_do_not_both_take_the_same_room(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    house = await mounted(app_of(made), files_quota_mb=1)
    ada, phone = await house.signed_in(), await house.signed_in()
    half, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(body: bytes) -> AsyncIterator[bytes]:
        yield body[:-100]
        half.set()
        await go_on.wait()
        yield body[-100:]

    body, kind = form(("files", "a", b"a" * 700_000))
    first = asyncio.create_task(sends(ada, slowly(body), kind))
    await half.wait()
    second = await sends(phone, *form(("files", "b", b"b" * 700_000)))
    small = await sends(phone, *form(("files", "c", b"c" * 100_000)))
    go_on.set()

    assert (await first).status_code == 200
    assert is_beyond_the_quota(second)
    assert small.status_code == 200
    assert len(files_in(folder)) == 2
    claims: Any = house.pages.claims
    assert not claims._held


async def test_concurrent_uploads_of_two_processes_do_not_exceed_the_quota(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    """Neither process sees how much the other has received so far."""
    house = await mounted(app_of(made), files_quota_mb=1)
    ada = await house.signed_in()
    claims: Any = house.pages.claims
    half, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(body: bytes) -> AsyncIterator[bytes]:
        yield body[:-100]
        half.set()
        await go_on.wait()
        yield body[-100:]

    body, kind = form(("files", "a", b"a" * 700_000))
    first = asyncio.create_task(sends(ada, slowly(body), kind))
    await half.wait()
    claims._held.clear()
    second = await sends(ada, *form(("files", "b", b"b" * 700_000)))
    go_on.set()

    assert second.status_code == 200
    assert is_beyond_the_quota(await first)
    assert [name[-2:] for name in files_in(folder)] == ["/b"]
    assert empty_folders_in(folder) == [".uploads"]


async def test_data_urls_and_drawings_count_for_the_quota(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    house = await mounted(app_of(made), files_quota_mb=1, mcp=True)
    ada = await house.signed_in()
    await uploads(ada, b"a" * 900_000)
    editor = next(n for n, b in house.demo.blocks.items() if isinstance(b, gr.ImageEditor))
    before = files_in(folder)

    said = await ada.http.post(
        MCP,
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "read", "arguments": {"path": f"data:text/plain,{'b' * 300_000}"}},
        },
    )
    drawn = await ada.http.post(
        f"{API}/component_server",
        data={
            "session_hash": "mine",
            "component_id": str(editor),
            "fn_name": "accept_blobs",
            "id": "x",
            "type": "background",
            "index": "null",
        },
        files={"file": ("a.png", b"b" * 300_000)},
    )

    assert "result" in said.json(), said.text
    result = said.json()["result"]
    assert result["isError"]
    assert "GRADIOAPP_FILES_QUOTA_MB" in result["content"][0]["text"]
    assert is_beyond_the_quota(drawn)
    assert files_in(folder) == before


@pytest.mark.asvs("5.2.4")
@pytest.mark.parametrize("event", ["make", "steps", "direct"])
async def test_an_output_beyond_the_quota_is_refused_and_removed(
    mounted: Mounts, made: Path, folder: Path, event: str
) -> None:
    house = await mounted(app_of(made), files_quota_mb=1)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    hers = await ada.gets("make", "a", 900_000)
    his = await bob.gets("make", "b", 200_000)
    before = files_in(folder)

    if event == "direct":
        ran = await ada.http.post(f"{API}/run/direct", json={"data": ["c", 200_000]})
        said, refused = ran.text, ran.status_code != 200
    else:
        told = completed(await ada.runs(event, "c", 200_000))
        said, refused = told["output"]["error"], not told["success"]

    assert refused
    assert "GRADIOAPP_FILES_QUOTA_MB" in said
    assert files_in(folder) == before
    # Bob owns a file with this content, so it stays.
    assert not completed(await ada.runs("make", "b", 200_000))["success"]
    assert (await fetches(bob, his["path"])).status_code == 200
    assert (await fetches(ada, hers["path"])).status_code == 200
    assert (await fetches(ada, his["path"])).status_code == 404


async def test_only_the_output_of_an_account_without_room_is_empty_in_a_batch(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    sizes: list[int] = []
    go_on, reached = asyncio.Event(), asyncio.Event()

    async def each(letters: list[str]) -> list[list[str]]:
        sizes.append(len(letters))
        reached.set()
        await go_on.wait()
        for letter in letters:
            (made / letter).write_text(letter * 200_000)
        return [[str(made / letter) for letter in letters]]

    with gr.Blocks() as demo:
        gr.Button().click(
            each, gr.Textbox(), gr.File(), api_name="each", batch=True, max_batch_size=4
        )
    house = await mounted(demo, files_quota_mb=1)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await uploads(ada, b"u" * 900_000)
    await bob.start("each", "c", tab="earlier")
    await reached.wait()
    for browser, letter in ((ada, "a"), (bob, "b")):
        await browser.start("each", letter, tab="batch")
    go_on.set()

    hers, his = completed(await ada.told("batch")), completed(await bob.told("batch"))

    assert sizes == [1, 2]
    assert hers["output"]["data"] == [None]
    assert (await fetches(bob, his["output"]["data"][0]["path"])).status_code == 200
    assert sorted(Path(name).name for name in files_in(folder)) == ["a.txt", "b", "c"]


async def test_an_output_that_is_removed_before_it_is_claimed_is_refused(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    house = await mounted(app_of(made))
    ada = await house.signed_in()
    claim = house.pages.claims.claim

    async def once_it_is_gone(*args: Any) -> None:
        await claim(*args)
        for path in folder.rglob("a.txt"):  # noqa: ASYNC240
            path.unlink()

    house.pages.claims.claim = once_it_is_gone  # type: ignore[assignment, method-assign]

    told = completed(await ada.runs("make", "a", 10))

    assert not told["success"]
    assert "Try again" in told["output"]["error"]


def picture(shade: int) -> dict[str, Any]:
    """Return a picture as a data URL in the body of an event, like a webcam sends it."""
    content = BytesIO()
    Image.new("RGBA", (8, 8), (shade * 20, 0, 0, 128)).save(content, "PNG")
    url = f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
    return {"path": None, "url": url, "meta": FILE_META}


@pytest.mark.asvs("5.2.4")
async def test_only_the_latest_files_that_gradio_makes_of_inputs_are_kept(
    mounted: Mounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody claims these files, so they would fill the disk."""
    monkeypatch.setattr("entrypoints.ui.files.made_inputs.MADE_INPUTS", 3)
    there: list[bool] = []

    def look(path: str) -> str:
        there.append(Path(path).exists())
        return path

    with gr.Blocks() as demo:
        image = gr.Image(type="filepath")
        gr.Button().click(look, image, gr.Textbox(), api_name="look")
        gr.Button().click(look, image, gr.File(), api_name="keep")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    kept = await ada.gets("keep", picture(11))
    his = await bob.gets("look", picture(12))
    for shade in range(8):
        await ada.gets("look", picture(shade))

    assert there == [True] * 10
    assert len(files_in(folder)) == 3 + 2
    assert (await fetches(ada, kept["path"])).status_code == 200
    assert Path(his).exists()  # noqa: ASYNC240
    monkeypatch.setattr("entrypoints.ui.files.made_inputs.MADE_INPUTS_SIZE", 1)
    await ada.gets("look", picture(9))
    assert len(files_in(folder)) == 1 + 2


async def test_an_upload_that_a_callback_receives_does_not_count_as_made_by_gradio(
    mounted: Mounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.ui.files.made_inputs.MADE_INPUTS_SIZE", 0)
    with gr.Blocks() as demo:
        sound, video = gr.Audio(type="filepath"), gr.Video()
        gr.Button().click(lambda *paths: str(paths), [sound, video], gr.Textbox(), api_name="look")
    house = await mounted(demo)
    ada = await house.signed_in()
    paths = [await uploads(ada, b"of Ada", name) for name in ("a.wav", "a.mp4", "b.wav")]

    for first in (paths[0], paths[2]):
        shown = await ada.gets("look", as_file(first), as_file(paths[1]))
        assert first in shown

    assert len(files_in(folder)) == 3
    assert not house.pages.claims.made_inputs._sizes


def test_a_file_that_gradio_makes_again_counts_as_the_latest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("entrypoints.ui.files.made_inputs.MADE_INPUTS", 2)
    made, ada = MadeInputs(), UserId(UUID(int=1))

    surplus = [made.add(ada, {place: 1}) for place in ("a", "b", "a", "c")]

    assert surplus == [[], [], [], ["b"]]


async def test_pictures_in_the_value_of_an_editor_or_slider_count_as_made_by_gradio(
    mounted: Mounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.ui.files.made_inputs.MADE_INPUTS", 0)
    with gr.Blocks() as demo:
        out, editor = gr.Textbox(), gr.ImageEditor(type="filepath")
        slider = gr.ImageSlider(type="filepath")
        gr.Button().click(lambda given: str(given), editor, out, api_name="draw")
        gr.Button().click(lambda given: str(given), slider, out, api_name="slide")
    ada = await (await mounted(demo)).signed_in()
    sent = BytesIO()
    Image.new("RGB", (8, 8)).save(sent, "BMP")
    drawn = as_file(await uploads(ada, sent.getvalue(), "a.bmp"), orig_name="a.bmp")

    for _ in range(2):
        for name, value in (
            ("draw", {"background": drawn, "layers": [], "composite": None}),
            ("slide", [picture(1), picture(2)]),
        ):
            shown = await ada.gets(name, value)
            there = {str(folder / file) for file in files_in(folder)} - {drawn["path"]}

            assert there, shown
            assert all(path in shown for path in there)


@pytest.mark.asvs("8.2.2")
async def test_a_text_with_the_path_of_a_file_made_for_another_account_removes_nothing(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.ui.files.made_inputs.MADE_INPUTS", 1)
    with gr.Blocks() as demo:
        out = gr.Textbox()
        gr.Button().click(str, gr.Image(type="filepath"), out, api_name="look")
        gr.Button().click(str, gr.Textbox(), out, api_name="say")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    his = await bob.gets("look", picture(1))

    assert await ada.gets("say", his) == his
    for shade in (2, 3):
        await ada.gets("look", picture(shade))

    assert Path(his).exists()  # noqa: ASYNC240


# Broken uploads


async def leaves(house: House, browser: Browser, body: bytes, kind: str) -> None:
    """Send a part of the form and disconnect."""
    messages = [{"type": "http.request", "body": body, "more_body": True}]

    async def receive() -> Any:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    await house.gate(
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": f"{API}/upload",
            "raw_path": f"{API}/upload".encode(),
            "query_string": b"upload_id=up",
            "root_path": "",
            "headers": [
                (b"host", b"localhost"),
                (b"origin", b"http://localhost"),
                (b"cookie", cookies.encode()),
                (b"content-type", kind.encode()),
                (b"transfer-encoding", b"chunked"),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        },
        receive,
        send,
    )


SAME: Final = b"of Bob"
WHOLE, KIND = form(("files", "a.txt", SAME), ("files", "b.txt", b"b" * 200_000))
BROKEN: dict[str, tuple[bytes, int]] = {
    "a name of ..": (form(("files", "a.txt", SAME), ("files", "..", b"b"))[0], 400),
    "a path as name": (form(("files", "a.txt", SAME), ("files", "x/..", b"b"))[0], 400),
    "another field": (form(("other", "a.txt", SAME))[0], 400),
    "no file": (
        b'--mark\r\ncontent-disposition: form-data; name="files"\r\n\r\nx\r\n--mark--\r\n',
        400,
    ),
    "a large field that is no file": (
        form(("files", "a.txt", SAME), ("files", "b", b"b" * 200_000))[0].replace(
            b'; filename="b"', b""
        ),
        400,
    ),
    "no name of a field": (
        b"--mark\r\ncontent-disposition: form-data\r\n\r\nx\r\n--mark--\r\n",
        400,
    ),
    "no end": (WHOLE.removesuffix(b"--mark--\r\n"), 400),
    "cut in the middle": (WHOLE[: len(WHOLE) // 2], 400),
    "cut in the header": (WHOLE[:30], 400),
    "junk before": (b"junk" + WHOLE, 400),
    "junk in the header": (WHOLE.replace(b"content-disposition", b"content\0disposition", 2), 400),
    "nothing": (b"", 400),
    "too many": (form(*[("files", f"{n}.txt", SAME) for n in range(101)])[0], 429),
    "too large a file": (form(("files", "a.txt", SAME), ("files", "b", b"b" * 600_000))[0], 413),
    "too large an upload": (form(*[("files", f"{n}", b"b" * 400_000) for n in range(4)])[0], 413),
}


@pytest.mark.asvs("5.2.4")
async def test_a_broken_upload_leaves_no_files_and_removes_none(
    mounted: Mounts,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with gr.Blocks() as demo:
        gr.File()
        demo.max_file_size = None
    house = await mounted(demo, upload_limit_mb=1)
    house.demo.max_file_size = 500_000
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    his = await uploads(bob, SAME)
    before = files_in(folder)

    for name, (body, status) in BROKEN.items():
        for query in ({}, {"upload_id": "up"}):
            for size in (10**9, 1000, 7):
                if size == 7 and len(body) > 10_000:
                    continue
                with subtests.test(name, query=query, size=size):
                    answer = await sends(ada, in_chunks(body, size), KIND, **query)
                    assert is_problem(answer, status), answer.text
                    assert files_in(folder) == before
                    assert empty_folders_in(folder) == [".uploads"]
    for cut in (10, 100, len(WHOLE) // 2, len(WHOLE) - 5):
        with subtests.test("leaves", cut=cut):
            await leaves(house, ada, WHOLE[:cut], KIND)
            assert files_in(folder) == before

    assert list(temporary.iterdir()) == []
    assert (await fetches(bob, his)).text == "of Bob"
    account = house.pages.accounts.account_of(
        await house.use_cases.recognise(ada.http.cookies["gradioapp-session"], activity=False)
    )
    account.uploads.clear()
    junk_behind = await sends(ada, WHOLE + b"junk", KIND)  # RFC 2046: ignore the rest.
    assert junk_behind.status_code == 200
    assert len(files_in(folder)) == len(before) + 1


async def test_an_upload_that_the_store_cannot_record_leaves_no_files(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    house = await mounted(app_of(made))
    ada = await house.signed_in()

    async def silent(*_: Any) -> None:
        raise StoreUnavailable

    house.pages.claims.claim = silent  # type: ignore[assignment, method-assign]

    assert is_problem(await sends(ada, *form(("files", "a", b"a"))), 503)
    assert files_in(folder) == []
    assert empty_folders_in(folder) == [".uploads"]


async def test_the_progress_of_a_broken_upload_ends(mounted: Mounts, made: Path) -> None:
    house = await mounted(app_of(made))
    ada = await house.signed_in()

    await sends(ada, WHOLE[:-20], KIND, upload_id="up")

    async with asyncio.timeout(5):
        watched = await ada.http.get(f"{API}/upload_progress?upload_id=up")
    assert '"done"' in watched.text


# A full disk


def full(code: int) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(code, "As a full disk says.")

    return refuse


FULL: Final = [errno.ENOSPC, errno.EDQUOT, errno.EROFS]


@pytest.mark.parametrize("code", [*FULL, errno.EACCES, errno.EPERM])
@pytest.mark.parametrize(
    "step",
    [
        "entrypoints.ui.isolation.uploads.mkdtemp",
        "gradio.route_utils.NamedTemporaryFile",
        "gradio.route_utils.GradioUploadFile.write",
        "pathlib.Path.rename",
    ],
)
async def test_an_upload_to_a_full_disk_is_refused_and_leaves_no_files(
    mounted: Mounts,
    made: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    code: int,
) -> None:
    house = await mounted(app_of(made))
    ada = await house.signed_in()
    await uploads(ada, b"before")
    before = files_in(folder)

    with monkeypatch.context() as patch:
        patch.setattr(step, full(code))
        answer = await sends(ada, WHOLE, KIND, upload_id="up")

    assert is_problem(answer, 507)
    assert "disk is full" in answer.json()["detail"]
    assert files_in(folder) == before
    assert (await sends(ada, WHOLE, KIND)).status_code == 200


@pytest.mark.parametrize("code", FULL)
@pytest.mark.parametrize("event", ["make", "direct"])
async def test_an_output_to_a_full_disk_is_refused_and_leaves_no_files(
    mounted: Mounts,
    made: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    event: str,
    code: int,
) -> None:
    house = await mounted(app_of(made))
    ada = await house.signed_in()

    with monkeypatch.context() as patch:
        patch.setattr("gradio.processing_utils.shutil.copy2", full(code))
        if event == "direct":
            ran = await ada.http.post(f"{API}/run/direct", json={"data": ["a", 10]})
            said = ran.json()["error"]
            assert ran.status_code == 507
        else:
            told = completed(await ada.runs("make", "a", 10))
            said = told["output"]["error"]

    assert "disk is full" in said
    assert files_in(folder) == []


@pytest.mark.parametrize("code", FULL)
async def test_a_drawing_on_a_full_disk_is_refused(
    mounted: Mounts, made: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    house = await mounted(app_of(made))
    ada = await house.signed_in()
    editor = next(n for n, b in house.demo.blocks.items() if isinstance(b, gr.ImageEditor))

    with monkeypatch.context() as patch:
        patch.setattr("starlette.formparsers.SpooledTemporaryFile", full(code))
        drawn = await ada.http.post(
            f"{API}/component_server",
            data={"session_hash": "mine", "component_id": str(editor), "fn_name": "accept_blobs"},
            files={"file": ("a.png", b"b")},
        )

    assert is_problem(drawn, 507)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a real disk of 1 MB."""
    place = tmp_path / "tiny"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("Only root may mount a tiny disk; the tests before stand in for it.")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_uploads_and_outputs_on_a_real_full_disk_are_refused_and_leave_no_files(
    mounted: Mounts, made: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tiny_disk))
    house = await mounted(app_of(made))
    ada = await house.signed_in()
    await uploads(ada, b"a" * 500_000)
    before = files_in(tiny_disk)

    sent = await sends(ada, *form(("files", "b", b"b"), ("files", "c", b"c" * 700_000)))
    ran = completed(await ada.runs("make", "d", 700_000))

    assert is_problem(sent, 507)
    assert not ran["success"]
    assert "disk is full" in ran["output"]["error"]
    assert files_in(tiny_disk) == before
    await uploads(ada, b"e" * 300_000)


async def test_an_output_that_is_only_half_written_is_removed(
    mounted: Mounts, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio writes pictures and sounds directly to their final paths."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tiny_disk))
    noise = np.random.default_rng(1)
    with gr.Blocks() as demo:
        button = gr.Button()
        button.click(
            lambda: noise.integers(0, 255, (700, 700, 3), np.uint8),
            None,
            gr.Image(format="png"),
            api_name="picture",
        )
        button.click(lambda: b"x" * 2 * MB, None, gr.Audio(), api_name="bytes")
    house = await mounted(demo)
    ada = await house.signed_in()

    for event in ("picture", "bytes"):
        told = completed(await ada.runs(event))

        assert not told["success"], event
        assert "disk is full" in told["output"]["error"], event
        assert files_in(tiny_disk) == [], event


# Use of files, and the purge


async def test_the_use_of_a_file_is_written_to_the_store_only_after_hours(
    mounted: Mounts, made: Path
) -> None:
    house = await mounted(app_of(made))
    ada = await house.signed_in()
    path = await uploads(ada)
    claims, asked, now = house.pages.claims, 0, 0.0
    use = claims._use_cases.use_files

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(house.use_cases, name)

        async def use_files(self, *args: Any) -> Any:
            nonlocal asked
            asked += 1
            return await use(*args)

    claims._use_cases = Counting()  # type: ignore[assignment]
    claims._now = lambda: now
    for key in claims._known:
        claims._known[key] = now

    for _ in range(20):
        await fetches(ada, path)
        await ada.gets("read", as_file(path))
    assert asked == 0
    for hours in (11, 13, 14, 24, 26):
        now = hours * 3600.0
        assert (await fetches(ada, path)).status_code == 200
    assert asked == 2


async def test_a_running_event_keeps_the_files_that_its_caller_used(
    mounted: Mounts, made: Path
) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def wait(path: str) -> None:
        running.set()
        await go_on.wait()

    with gr.Blocks() as demo:
        gr.Button().click(wait, gr.File(), None, api_name="wait")
    house = await mounted(demo, files_keep_days=1)
    await house.has("ada@example.org")
    program = house.program(await house.makes_token())
    path = await uploads(program)
    event = asyncio.create_task(program.runs("wait", as_file(path)))
    await running.wait()

    for _ in range(10):
        house.passes(hours=20)
        await house.pages.claims.renew()
    [claim] = await every_claim(house)
    is_fresh = claim.used_at > house.clock.now() - timedelta(days=2)
    go_on.set()
    await event
    house.passes(days=2)
    await house.pages.claims.renew()

    assert is_fresh
    assert await every_claim(house) == [claim]


async def every_claim(house: House) -> Sequence[Any]:
    async with house.container.units_of_work().reading() as work:
        claims: Sequence[Any] = await work.files.unused(
            house.clock.now() + timedelta(days=1), limit=100
        )
    return claims


@pytest.mark.asvs("14.2.7")
async def test_the_purge_never_removes_files_that_apps_are_built_with(
    mounted: Mounts, made: Path, folder: Path
) -> None:
    names = ["default", "example", "avatar", "kept", "static"]
    paths = {name: made / f"{name}.png" for name in names}
    for name, path in paths.items():
        path.write_bytes(name.encode())
    still = folder / "still" / "static.png"
    still.parent.mkdir()
    still.write_text("static")
    gr.set_static_paths([still.parent])
    with gr.Blocks() as demo:
        shown = gr.File(value=str(paths["default"]))
        gr.Examples([[str(paths["example"])]], inputs=[shown])
        gr.Chatbot(avatar_images=(str(paths["avatar"]), None))
        shown.keep_in_cache.add(shown.move_resource_to_block_cache(str(paths["kept"])))
    house = await mounted(demo)
    ada = await house.signed_in()
    of_ada = await uploads(ada, b"of Ada")
    await uploads(ada, b"default", "default.png")
    house.clock.forward(SystemClock().now() - house.clock.now() + timedelta(days=400))

    removed = await house.use_cases.purge_files(is_spared=house.pages.is_spared)

    assert removed == 1
    assert not Path(of_ada).exists()  # noqa: ASYNC240
    left = {Path(name).stem for name in files_in(folder)}
    assert left == set(names)


async def test_the_service_purges_its_own_folder_but_no_shared_one(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(SystemClock().now() + timedelta(days=40))
    data = tmp_path / "data"
    (data / "gradio").mkdir(parents=True)
    own, shared = data / "gradio" / "own.txt", folder / "shared.txt"
    for path in (own, shared):
        path.write_text("x")

    async with AsyncExitStack() as services:
        for environment in ("test", "dev"):
            settings = load(env_file=None, environment=environment, data_dir=data)
            with gr.Blocks() as demo:
                gr.Textbox()
            service = compose(build(settings, clock=clock), [Page(demo=demo, title="Home")])
            await services.enter_async_context(service.running())
        await gone(own)

    assert shared.exists()


async def gone(path: Path) -> None:
    for _ in range(500):
        if not path.exists():  # noqa: ASYNC240
            return
        await asyncio.sleep(0.02)
    raise AssertionError(path)
