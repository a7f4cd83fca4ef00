"""What ffmpeg and ffprobe write about a user's file is bounded, is not logged, and becomes a sentence."""

import asyncio
import re
import struct
from pathlib import Path
from typing import Final

import gradio as gr
import pytest

from entrypoints.ui.isolation import streamed_outputs
from entrypoints.ui.wire import media_commands, media_outputs, media_programs
from tests.ui import test_media_programs
from tests.ui.conftest import Mounts
from tests.ui.test_media_programs import empty, hls, made, players, ran, ran_by

pytestmark = test_media_programs.pytestmark


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))


TITLE: Final = b"a title of Ada"


def wav(title: bytes) -> bytes:
    """Return a tenth of a second of silence with this title."""
    title += b" " * (len(title) % 2)
    info = b"INFO" + b"INAM" + struct.pack("<I", len(title)) + title
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    sound = b"data" + struct.pack("<I", 1600) + bytes(1600)
    body = b"WAVE" + form + b"LIST" + struct.pack("<I", len(info)) + info + sound
    return b"RIFF" + struct.pack("<I", len(body)) + body


PIPED: Final = "Popen(command, stdout=-1, stderr=-1).communicate()"


def program(folder: Path, name: str, script: str) -> list[str]:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o700)
    return [str(folder / name), "-i", "a"]


@pytest.mark.asvs("15.2.2")
async def test_spaces_in_a_title_are_few_when_pydub_searches_them(
    mounted: Mounts, tmp_path: Path
) -> None:
    ada = await (await mounted(players())).signed_in()
    content = wav(b"\r" * 30_000)
    (tmp_path / "a.mp3").write_bytes(content)
    command = ["ffprobe", "-of", "json", "-v", "info", str(tmp_path / "a.mp3")]

    _, said = await asyncio.to_thread(ran_by, "pydub", PIPED, command)
    ways = [await ran(ada, way, content, "a.mp3") for way in ("sound", "played", "stream")]

    assert b"title" in said
    assert re.search(rb" {9}", said) is None
    assert [last["success"] for last in ways] == [True] * 3


@pytest.mark.asvs("15.2.2")
@pytest.mark.parametrize("way", ["sound", "played", "update"])
async def test_a_file_with_too_much_text_is_refused(way: str, mounted: Mounts) -> None:
    ada = await (await mounted(players())).signed_in()

    last = await ran(ada, way, wav(b"a" * 2_000_000), "a.mp3")

    assert last["output"]["error"] == media_outputs.TOO_MUCH_TEXT


@pytest.mark.parametrize("into", ["", " >&2"])
async def test_a_probe_that_writes_without_end_is_ended(
    into: str, mounted: Mounts, tmp_path: Path
) -> None:
    await mounted(empty())
    command = program(tmp_path, "ffprobe", f"exec yes{into}")

    with pytest.raises(gr.Error, match="texts"):
        await asyncio.wait_for(asyncio.to_thread(ran_by, "gradio", PIPED, command), 30)


async def test_a_probe_that_computes_without_end_is_ended(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_programs, "PROBE_SECONDS", 1)
    await mounted(empty())
    command = program(tmp_path, "ffprobe", "while true; do :; done")

    with pytest.raises(gr.Error, match="texts"):
        await asyncio.wait_for(asyncio.to_thread(ran_by, "gradio", PIPED, command), 30)


async def test_a_sound_without_end_is_ended(mounted: Mounts, tmp_path: Path) -> None:
    await mounted(empty())
    command = program(tmp_path, "ffmpeg", "exec yes")

    with pytest.raises(gr.Error, match="longer"):
        await asyncio.wait_for(asyncio.to_thread(ran_by, "pydub", PIPED, command), 60)


async def test_errors_are_cut_and_cleaned(mounted: Mounts, tmp_path: Path) -> None:
    await mounted(empty())
    command = program(tmp_path, "ffmpeg", "printf 'a\\n\\033[1mb' >&2; yes | head -c 300000 >&2")

    _, said = await asyncio.to_thread(ran_by, "gradio", PIPED, command)

    assert said.startswith(b"a [1mby y ")
    assert len(said) <= media_outputs._SHOWN


async def test_an_input_is_sent_and_a_failed_command_has_its_code(
    mounted: Mounts, tmp_path: Path
) -> None:
    await mounted(empty())
    command = program(tmp_path, "ffmpeg", "cat; exit 3")
    code = "run(command, input=b'a' * 300_000, capture_output=True)"

    done = await asyncio.to_thread(ran_by, "gradio", code, command)

    assert (done.returncode, len(done.stdout)) == (3, 300_000)


async def test_a_long_line_without_a_value_is_not_searched(mounted: Mounts, tmp_path: Path) -> None:
    await mounted(empty())
    script = "echo codec_name=mp3; head -c 5000 /dev/zero | tr '\\0' :"
    command = program(tmp_path, "ffprobe", script)

    [out, _] = await asyncio.to_thread(ran_by, "pydub", PIPED, command)

    assert out == b"codec_name=mp3"


@pytest.mark.asvs("16.4.1")
@pytest.mark.parametrize("way", ["format", "file", "stream", "film"])
async def test_texts_in_a_file_are_not_written_to_the_log(
    way: str, mounted: Mounts, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ada = await (await mounted(players())).signed_in()
    name = "a.mp4" if way == "film" else "a.mkv"
    made(tmp_path, name)
    titled = ["-metadata", f"title={TITLE.decode()}", "-c", "copy", str(tmp_path / f"b{name}")]
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / name), *titled]
    await asyncio.to_thread(ran_by, "of_a_test", "run(command, check=True)", command)
    content = (tmp_path / f"b{name}").read_bytes()
    capfd.readouterr()

    last = await ran(ada, way, content, name)

    written = capfd.readouterr()
    assert TITLE in content
    assert last["success"], last
    assert TITLE.decode() not in written.out + written.err
    assert "ffmpeg version" not in written.err


# Sentences


@pytest.mark.parametrize("way", ["format", "shown"])
async def test_a_video_with_too_many_pixels_is_named_as_the_reason(
    way: str, mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (demo := players()):
        shown = gr.Video(format="mp4")
        gr.Button().click(lambda path: path, gr.File(), shown, api_name="shown")
    ada = await (await mounted(demo)).signed_in()
    monkeypatch.setattr(media_commands, "PIXELS", 32 * 32 - 1)

    last = await ran(ada, way, made(tmp_path, "a.mkv"), "a.mkv")

    assert last["output"]["error"] == media_outputs.TOO_LARGE


@pytest.mark.parametrize(
    "content",
    [hls("a.ts"), b"ffconcat version 1.0\nfile 'a'\n", b"1\n00:00:00,0 --> 00:00:01,0\nhi\n"],
    ids=["m3u8", "ffconcat", "srt"],
)
async def test_a_list_or_text_as_a_video_is_named_as_the_reason(
    content: bytes, mounted: Mounts
) -> None:
    ada = await (await mounted(players())).signed_in()

    last = await ran(ada, "format", content, "a.mkv")

    assert last["output"]["error"] == media_outputs.NOT_PLAYED


@pytest.mark.parametrize("way", ["sound", "played", "stream"])
async def test_a_video_without_sound_is_named_as_the_reason(
    way: str, mounted: Mounts, tmp_path: Path
) -> None:
    ada = await (await mounted(players())).signed_in()
    made(tmp_path, "a.gif")

    last = await ran(ada, way, (tmp_path / "a.gif").read_bytes(), "a.gif")

    assert last["output"]["error"] == media_outputs.NOTHING_IN_IT


async def test_a_streamed_video_of_another_format_is_named_as_the_reason(
    mounted: Mounts, tmp_path: Path
) -> None:
    ada = await (await mounted(players())).signed_in()

    last = await ran(ada, "film", made(tmp_path, "a.mkv"), "a.mkv")

    assert last["output"]["error"] == streamed_outputs.NOT_STREAMED
