"""Pieces of streamed sounds and videos are converted a few at a time, and within the account's limit of sounds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any

import gradio as gr
import pytest
from gradio.components import audio, video

from entrypoints.ui import limits
from entrypoints.ui.wire import media_commands, media_outputs
from tests.ui import test_media_programs
from tests.ui.attacks import API, as_file, uploads
from tests.ui.conftest import Mounts, completed
from tests.ui.test_media_programs import made, ran

pytestmark = test_media_programs.pytestmark


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))


class Measured:
    """Calls of a function, which take a while."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.calls = self.now = self.most = 0
        self._fn = fn

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        sleep(0.1)
        try:
            return self._fn(*args)
        finally:
            self.now -= 1


def streaming() -> gr.Blocks:
    def twice(path: str) -> Iterator[str]:
        yield path
        yield path

    with gr.Blocks() as demo:
        for name, shown in (
            ("sound", gr.Audio(streaming=True)),
            ("film", gr.Video(streaming=True)),
        ):
            gr.Button().click(
                twice, gr.File(), shown, api_name=name, concurrency_limit=None, concurrency_id=name
            )
    return demo  # type: ignore[no-any-return]


@pytest.mark.asvs("15.2.2")
@pytest.mark.parametrize(
    ("way", "name", "owner", "function", "most"),
    [
        ("sound", "a.mp3", audio, "decode_to_pcm", 1),
        ("film", "a.mp4", video, "decode_file_to_pcm", limits.ACCOUNT_PROGRAMS),
    ],
)
async def test_few_pieces_of_an_account_are_converted_at_a_time(
    way: str,
    name: str,
    owner: Any,
    function: str,
    most: int,
    mounted: Mounts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = Measured(getattr(owner, function))
    monkeypatch.setattr(owner, function, measured)
    ada = await (await mounted(streaming())).signed_in()
    file = as_file(await uploads(ada, made(tmp_path, name), name), orig_name=name)

    tabs = [await ada.start(way, file, tab=f"of{number}") for number in range(4)]

    assert all([completed(await ada.told(tab))["success"] for tab in tabs])
    assert measured.calls >= 4
    assert measured.most == most


@pytest.mark.asvs("15.2.2")
async def test_a_streamed_sound_counts_among_the_sounds_of_its_account(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOUNDS", 100_000)  # One second, in two bytes a sample.
    ada = await (await mounted(streaming())).signed_in()

    fits = await ran(ada, "sound", made(tmp_path, "one.mp3"), "one.mp3")
    is_too_long = await ran(ada, "sound", made(tmp_path, "two.mp3", 2), "two.mp3")

    assert fits["success"], fits
    assert is_too_long["output"]["title"] == "Too many sounds"


@pytest.mark.asvs("15.2.2")
async def test_a_streamed_video_gets_no_more_silence_than_a_sound_may_have(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_commands, "SOUND_BYTES", 400_000)  # Two seconds of two channels
    ada = await (await mounted(streaming())).signed_in()

    fits = await ran(ada, "film", made(tmp_path, "two.mp4", 2), "two.mp4")
    is_too_long = await ran(ada, "film", made(tmp_path, "three.mp4", 3), "three.mp4")

    assert fits["success"], fits
    assert is_too_long["output"]["error"] == media_outputs.TOO_LONG


async def test_gradios_functions_are_as_before_after_a_service(mounted: Mounts) -> None:
    before = vars(gr.Video)["probe_chunk"]
    await mounted(streaming())
    replaced = vars(gr.Video)["probe_chunk"]

    await mounted.closing.aclose()

    assert vars(gr.Video)["probe_chunk"] is before is not replaced


@pytest.mark.parametrize(("way", "name"), [("sound", "a.wav"), ("film", "a.mp4")])
async def test_a_stream_can_be_taken_as_a_file(
    way: str, name: str, mounted: Mounts, tmp_path: Path
) -> None:
    ada = await (await mounted(streaming())).signed_in()
    file = as_file(await uploads(ada, made(tmp_path, name), name), orig_name=name)
    messages = await ada.told(await ada.start(way, file, tab="a"))
    [output] = next(m for m in messages if m["msg"] == "process_generating")["output"]["data"]

    address = output["url"].replace("playlist.m3u8", "playlist-file")
    answer = await ada.http.get(f"{API}/{address.partition('/gradio_api/')[2]}")

    assert answer.status_code == 200
    assert len(answer.content) > 1_000
