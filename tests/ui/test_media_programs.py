"""ffmpeg reads nothing but the file that it gets, and a limited amount of sound, when Gradio starts it."""

import asyncio
import gc
import gzip
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from time import sleep
from types import ModuleType
from typing import Any, Final
from weakref import ref

import gradio as gr
import pytest
from gradio import processing_utils

from entrypoints.ui import limits
from entrypoints.ui.wire import media_commands, media_outputs, media_programs
from tests.ui.attacks import as_file, uploads
from tests.ui.conftest import Browser, Mounts, completed
from tests.ui.test_named_files import Elsewhere, elsewhere

__all__ = ["elsewhere"]

pytestmark = [
    pytest.mark.skipif(
        shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine: apt install ffmpeg"
    ),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    # Gradio's, about the conversion of videos and sounds.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

SECONDS: Final = 7
"""The length of the secret video: no other file has it."""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))


@cache
def made(folder: Path, name: str, seconds: int = 1) -> bytes:
    """Make a video, or a sound, of the name's format."""
    sources = ["-f", "lavfi", "-i", f"testsrc=d={seconds}:s=32x32:r=25"]
    sources += ["-f", "lavfi", "-i", f"sine=d={seconds}"]
    is_sound = Path(name).suffix in SOUNDS
    kept = ["-vn"] if is_sound else ["-pix_fmt", "yuv420p"]
    command = ["ffmpeg", "-v", "error", "-y", *sources, *kept, str(folder / name)]
    subprocess.run(command, check=True)
    return (folder / name).read_bytes()


SOUNDS: Final = (".mp3", ".wav", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".wma")
VIDEOS: Final = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".flv", ".wmv", ".ogv", ".gif")


def seconds_of(path: str) -> float:
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return float(said) if said not in {"", "N/A"} else 0


# A file that names other files


def hls(target: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n".encode()


def hls_after_a_tag(target: str) -> bytes:
    """ffmpeg skips a tag of an MP3 before it looks at the content."""
    return b"ID3\x03\x00\x00\x00\x00\x00\x14" + bytes(20) + hls(target)


def ffconcat(target: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{target}'\n".encode()


def dash(target: str) -> bytes:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="video/mp4">'
        f'<Representation id="1" bandwidth="9"><BaseURL>{target}</BaseURL>'
        '<SegmentBase indexRange="0-9"/></Representation></AdaptationSet></Period></MPD>'
    ).encode()


def sdp(target: str) -> bytes:
    return f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 {target}\nm=video 9 RTP/AVP 96\n".encode()


LISTS: Final = (hls, hls_after_a_tag, ffconcat, dash, sdp)


def players() -> gr.Blocks:
    def streamed(path: str) -> Iterator[str]:
        yield path

    with gr.Blocks() as demo:
        go = gr.Button()
        for name, fn, takes, gives in (
            ("video", lambda x: x, gr.Video(), gr.Video()),
            ("update", lambda x: gr.Video(value=x), gr.File(), gr.Video()),
            ("file", lambda x: x, gr.File(), gr.Video()),
            ("format", lambda x: x, gr.Video(format="avi"), gr.File()),
            ("silent", lambda x: x, gr.Video(include_audio=False), gr.File()),
            ("gallery", lambda x: [x], gr.File(), gr.Gallery()),
            ("sound", lambda x: x[1].shape[0], gr.Audio(), gr.Number()),
            ("played", lambda x: x, gr.File(), gr.Audio(format="wav")),
            ("stream", streamed, gr.File(), gr.Audio(streaming=True)),
            ("film", streamed, gr.File(), gr.Video(streaming=True)),
            ("chat", lambda x: [{"role": "user", "content": gr.Video(x)}], gr.File(), gr.Chatbot()),
        ):
            go.click(fn, takes, gives, api_name=name)
    return demo  # type: ignore[no-any-return]


WAYS: Final = (
    *("video", "update", "file", "format", "silent", "gallery", "sound", "played", "stream"),
    *("film", "chat"),
)


def paths_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("path"), str):
            yield value["path"]
        for part in value.values():
            yield from paths_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from paths_in(part)


def copies_of_the_secret(output: Any, *, upload: bytes) -> list[str]:
    """Return the paths of all files in the output that are as long as the secret video."""
    files = [path for path in paths_in(output) if Path(path).read_bytes() != upload]
    return [path for path in files if seconds_of(path) > SECONDS - 1]


async def ran(browser: Browser, way: Any, content: bytes, name: str) -> dict[str, Any]:
    path = await uploads(browser, content, name)
    return completed(await browser.runs(way, as_file(path, orig_name=name)))


@pytest.mark.asvs("1.3.6", "5.3.2", "8.2.2", "13.3.2")
@pytest.mark.parametrize("lists", LISTS, ids=lambda lists: lists.__name__)
async def test_an_upload_that_names_another_file_or_address_opens_neither(
    lists: Callable[[str], bytes],
    mounted: Mounts,
    tmp_path: Path,
    elsewhere: Elsewhere,
    subtests: pytest.Subtests,
) -> None:
    house = await mounted(players())
    ada = await house.signed_in()
    made(tmp_path, "secret.mp4", SECONDS)
    made(tmp_path, "secret.ts", SECONDS)

    for way in WAYS:
        for target, name in (
            (f"file://{tmp_path}/secret.ts", "a.mp4"),
            (f"{tmp_path}/secret.mp4", "a.mp3"),
            (elsewhere.address, "a.ts"),
        ):
            with subtests.test(way=way, target=target.partition(":")[0]):
                last = await ran(ada, way, lists(target), name)
                assert not copies_of_the_secret(last["output"], upload=lists(target))
    assert elsewhere.connections == 0


async def test_no_name_of_a_file_lets_it_name_another(mounted: Mounts, tmp_path: Path) -> None:
    house = await mounted(players())
    ada = await house.signed_in()
    made(tmp_path, "secret.ts", SECONDS)
    content = hls(f"file://{tmp_path}/secret.ts")

    for ending in ("m3u8", "avi", "wav", "txt"):
        last = await ran(ada, "format", content, f"a.{ending}")
        assert not copies_of_the_secret(last["output"], upload=content)
        assert not (await ran(ada, "sound", content, f"a.{ending}"))["success"]


async def test_a_refused_file_is_named_as_the_reason(mounted: Mounts) -> None:
    house = await mounted(players())
    ada = await house.signed_in()

    last = await ran(ada, "sound", hls("/etc/hostname"), "a.mp3")

    assert last["output"]["error"] == media_outputs.NOT_PLAYED


@pytest.mark.parametrize("ending", [*VIDEOS, *SOUNDS])
async def test_usual_sounds_and_videos_are_read_and_shown(
    ending: str, mounted: Mounts, tmp_path: Path
) -> None:
    house = await mounted(players())
    ada = await house.signed_in()
    name = f"a{ending}"
    content = made(tmp_path, name)

    last = await ran(ada, "sound" if ending in SOUNDS else "video", content, name)

    assert last["success"], last
    assert all(seconds_of(path) == pytest.approx(1, abs=0.2) for path in paths_in(last["output"]))


async def test_an_authors_own_ffmpeg_may_read_what_it_likes(
    mounted: Mounts, tmp_path: Path
) -> None:
    made(tmp_path, "own.ts", SECONDS)
    (tmp_path / "own.m3u8").write_bytes(hls("own.ts"))

    def length() -> float:
        return seconds_of(str(tmp_path / "own.m3u8"))

    with gr.Blocks() as demo:
        gr.Button().click(length, None, gr.Number(), api_name="length")
    house = await mounted(demo)
    ada = await house.signed_in()

    [seconds] = completed(await ada.runs("length"))["output"]["data"]

    assert seconds > SECONDS - 1


# Sounds without end


@pytest.mark.asvs("5.2.3", "15.2.2")
@pytest.mark.parametrize("way", ["sound", "played", "stream"])
async def test_a_sound_that_is_too_long_once_decoded_is_refused(
    way: str, mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_commands, "SOUND_BYTES", 200_000)  # 44,100 Hz, two bytes a sample
    house = await mounted(players())
    ada = await house.signed_in()

    fits = await ran(ada, way, made(tmp_path, "two.mp3", 2), "two.mp3")
    is_too_long = await ran(ada, way, made(tmp_path, "three.mp3", 3), "three.mp3")

    assert fits["success"], fits
    assert not is_too_long["success"]
    assert is_too_long["output"]["error"] == media_outputs.TOO_LONG


@pytest.mark.asvs("15.2.2")
async def test_decoded_sounds_of_an_account_are_counted_together_until_nothing_uses_them(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOUNDS", 200_000)  # Two seconds, in two bytes a sample.
    used: list[Any] = []
    with gr.Blocks() as demo:
        sound = gr.Audio()
        gr.Button().click(lambda x: used.append(x[1][10:]), sound, None, api_name="use")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    content = made(tmp_path, "one.mp3")

    first, second, third = [await ran(ada, "use", content, "one.mp3") for _ in range(3)]
    others = await ran(bob, "use", content, "one.mp3")
    used.clear()
    after = await ran(ada, "use", content, "one.mp3")

    assert [each["success"] for each in (first, second, third, others, after)] == [
        *(True, True, False, True, True)
    ]
    assert third["output"]["title"] == "Too many sounds"


async def test_one_sound_of_an_account_is_decoded_at_a_time(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most = 0, 0
    decode = processing_utils.audio_from_file

    def audio_from_file(*args: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        sleep(0.05)
        at_once -= 1
        return decode(*args)

    monkeypatch.setattr(processing_utils, "audio_from_file", audio_from_file)
    with gr.Blocks() as demo:
        gr.Button().click(
            lambda x: x[0], gr.Audio(), gr.Number(), api_name="use", concurrency_limit=None
        )
    ada = await (await mounted(demo)).signed_in()
    file = as_file(await uploads(ada, made(tmp_path, "one.mp3"), "one.mp3"))

    tabs = [await ada.start("use", file, tab=f"of{number}") for number in range(4)]

    assert all([completed(await ada.told(tab))["success"] for tab in tabs])
    assert most == 1


async def test_the_pieces_of_a_large_output_are_released_with_it(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    trimmed: list[int] = []
    monkeypatch.setattr(media_outputs, "_trim", trimmed.append)
    monkeypatch.setattr(media_outputs, "_LARGE", 1_000)
    await mounted(empty())
    process: Any = await asyncio.to_thread(
        ran_by, "pydub", "Popen(command, stdout=-1, stderr=-1)", ["ffmpeg", "-version"]
    )

    out, _ = await asyncio.to_thread(process.communicate)

    assert len(out) > 1_000
    assert trimmed == [0]


def ran_by(package: str, code: str, command: list[str]) -> Any:
    """Run code of this package, which calls functions of `subprocess` for the command."""
    module = ModuleType(f"{package}.within")
    exec(f"from subprocess import *\ndef started(command): return {code}", vars(module))
    return module.started(command)


def started_by(package: str, command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a program as code of this package does."""
    done: subprocess.CompletedProcess[bytes] = ran_by(
        package, "run(command, capture_output=True, timeout=20)", command
    )
    return done


ENDLESS: Final = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc", "-f", "null", "-"]


async def test_a_program_that_does_not_end_is_killed_after_its_time(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_programs, "CPU_SECONDS", 1)
    with gr.Blocks() as demo:
        gr.Textbox()
    await mounted(demo)

    ended = await asyncio.to_thread(started_by, "gradio", ENDLESS)

    assert ended.returncode < 0


def empty() -> gr.Blocks:
    with gr.Blocks() as demo:
        gr.Textbox()
    return demo  # type: ignore[no-any-return]


async def test_a_program_that_waits_is_killed_after_its_time(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(media_programs, "SECONDS", 0.2)
    waiting = tmp_path / "ffmpeg"
    waiting.write_text("#!/bin/sh\nexec sleep 30\n")
    waiting.chmod(0o700)
    await mounted(empty())

    with pytest.raises(gr.Error, match="minutes"):
        await asyncio.to_thread(
            ran_by, "gradio", "Popen(command, stdout=-1).communicate()", [str(waiting)]
        )
    assert all(process.returncode is not None for process in media_programs._running)


async def test_a_program_gets_no_standard_input(mounted: Mounts, tmp_path: Path) -> None:
    reading = tmp_path / "ffmpeg"
    reading.write_text("#!/bin/sh\nreadlink /proc/self/fd/0\n")
    reading.chmod(0o700)
    await mounted(empty())
    own = os.dup(0)
    with (tmp_path / "typed").open("w+b") as typed:
        os.dup2(typed.fileno(), 0)
        try:
            [said, piped] = [
                await asyncio.to_thread(ran_by, "gradio", code, [str(reading)])
                for code in ("check_output(command)", "check_output(command, input=b'')")
            ]
        finally:
            os.dup2(own, 0)
            os.close(own)

    assert said == b"/dev/null\n"
    assert piped.startswith(b"pipe:")


@pytest.mark.asvs("5.2.6", "15.2.2")
async def test_a_program_has_a_limit_of_memory(mounted: Mounts, tmp_path: Path) -> None:
    limited = tmp_path / "ffmpeg"
    # The limit is set just after the start.
    limited.write_text("#!/bin/sh\nsleep 0.2\nulimit -v\n")
    limited.chmod(0o700)
    await mounted(empty())

    said = await asyncio.to_thread(ran_by, "pydub", "check_output(command)", [str(limited)])

    assert int(said) * 1024 == media_programs.MEMORY


async def test_programs_end_with_the_service(mounted: Mounts) -> None:
    await mounted(empty())
    process = await asyncio.to_thread(ran_by, "gradio", "Popen(command)", ENDLESS)

    await mounted.closing.aclose()

    assert await asyncio.to_thread(process.wait, 5) < 0


@pytest.mark.asvs("5.2.6", "15.2.2")
async def test_a_video_with_too_many_pixels_is_not_decoded(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await mounted(players())
    ada = await house.signed_in()
    content = made(tmp_path, "a.mkv")

    fits = await ran(ada, "format", content, "a.mkv")
    monkeypatch.setattr(media_commands, "PIXELS", 32 * 32 - 1)
    is_too_large = await ran(ada, "format", b"%b " % content, "b.mkv")

    assert fits["success"], fits
    assert not is_too_large["success"]


async def test_a_decoded_sound_is_released_without_a_garbage_collection(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    await mounted(demo)
    code = "import subprocess\ndef start(command):\n    return subprocess.Popen(command)"
    module = ModuleType("pydub.within")
    exec(code, vars(module))
    gc.disable()
    try:
        process = module.start(["ffmpeg", "-version"])
        process.communicate()
        left = ref(process)
        del process
        assert left() is None
    finally:
        gc.enable()


# Tables


@pytest.mark.asvs("5.2.3")
async def test_a_compressed_upload_is_not_unpacked_into_a_table(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    packed = gzip.compress(b"a\n" + b"1\n" * 1000)
    (tmp_path / "own.csv.gz").write_bytes(packed)
    with gr.Blocks() as demo:
        table = gr.Dataframe()
        gr.Button().click(lambda path: path, gr.File(), table, api_name="show")
        gr.Button().click(lambda: "own.csv.gz", None, table, api_name="own")
    house = await mounted(demo)
    ada = await house.signed_in()

    refused = await ran(ada, "show", packed, "a.csv.gz")
    shown = completed(await ada.runs("own"))

    assert refused["output"]["error"] == "Unpack this file first: it is compressed."
    assert len(shown["output"]["data"][0]["data"]) == 1000
