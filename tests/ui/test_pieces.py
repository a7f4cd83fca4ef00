"""A streaming microphone: its pieces count as bytes, not as files, and are removed when they have been used."""

import asyncio
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from entrypoints.ui import limits
from entrypoints.ui.isolation.account import Account
from tests.ui.attacks import API, as_file, fetches, index_of, is_problem, opened, uploads
from tests.ui.conftest import Browser, House, Mounts


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where Gradio keeps the files of this test's apps."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return tmp_path / "gradio"


def files_in(folder: Path) -> list[Path]:
    """Return the files that have content. Gradio also makes an empty one for each value of a gr.File."""
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]


def a_sound(number: int) -> bytes:
    written = BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(number.to_bytes(4, "little") * 20)
    return written.getvalue()


def a_microphone(hear: Callable[..., Any], *, outputs: Callable[[], Any] = gr.Textbox) -> gr.Blocks:
    demo: gr.Blocks
    with gr.Blocks() as demo:
        audio = gr.Audio(sources=["microphone"], streaming=True, type="filepath")
        note = gr.File()
        audio.stream(
            hear, [audio, note], outputs(), api_name="hear", time_limit=3600, stream_every=0.1
        )
        gr.Button().click(
            lambda path: path and Path(path).name, audio, gr.Textbox(), api_name="keep"
        )
    return demo


class Microphone:
    """Sends pieces as Gradio's front end does: it uploads each piece, and then sends it to the running event."""

    def __init__(self, house: House, browser: Browser, stream: Any, event_id: str) -> None:
        self._house = house
        self._browser = browser
        self._stream = stream
        self.event_id = event_id

    async def sends(self, path: str, *, note: Any = None) -> None:
        """Send a piece that is uploaded, and wait until the app has used it."""
        before = self._steps()
        await self.posts(path, note=note)
        while self._steps() == before:
            self._stream.has_said.clear()
            await asyncio.wait_for(self._stream.has_said.wait(), 10)

    async def posts(self, path: str, *, note: Any = None) -> None:
        sent = await self._browser.http.post(
            f"{API}/stream/{self.event_id}",
            json={"data": [as_file(path), note], "session_hash": "mine"},
        )
        assert sent.status_code == 200, sent.text

    async def closes(self) -> None:
        await self._browser.http.post(f"{API}/stream/{self.event_id}/close")
        while "process_completed" not in self._stream.text:
            self._stream.has_said.clear()
            await asyncio.wait_for(self._stream.has_said.wait(), 10)

    def _steps(self) -> int:
        count: int = self._stream.text.count("process_streaming")
        return count


@asynccontextmanager
async def recording(house: House, browser: Browser, path: str) -> AsyncIterator[Microphone]:
    """Start a stream with its first piece. Yield when the app has used it."""
    joined = await browser.http.post(
        f"{API}/queue/join",
        json={
            "data": [as_file(path), None],
            "fn_index": index_of(house, "hear"),
            "session_hash": "mine",
        },
    )
    assert joined.status_code == 200, joined.text
    async with opened(house, browser, f"{API}/queue/data", "session_hash=mine") as stream:
        while "process_streaming" not in stream.text:
            stream.has_said.clear()
            await asyncio.wait_for(stream.has_said.wait(), 10)
        yield Microphone(house, browser, stream, joined.json()["event_id"])


def account_of(house: House) -> Account:
    [account] = house.pages.accounts.all()
    return account


async def space_of(house: House, browser: Browser) -> int:
    """Return the bytes of all files of the browser's account."""
    cookie = browser.http.cookies["gradioapp-session"]
    me = await house.use_cases.recognise(cookie, activity=False)
    return (await house.use_cases.find_file_space(me.caller)).used


async def test_a_microphone_streams_more_pieces_than_an_account_may_upload_files(
    mounted: Mounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES_PER_HOUR", 50)
    heard: list[int] = []

    def hear(sound: str, note: Any) -> int:
        heard.append(Path(sound).stat().st_size)
        return len(heard)

    house = await mounted(a_microphone(hear))
    ada = await house.signed_in()
    most = 6 * limits.FILES_PER_HOUR

    async with recording(house, ada, await uploads(ada, a_sound(0), "audio.wav")) as microphone:
        for number in range(1, most):
            await microphone.sends(await uploads(ada, a_sound(number), "audio.wav"))
        await microphone.closes()

    assert len(heard) == most
    assert len(files_in(folder)) <= limits.PIECES + 1
    account = account_of(house)
    assert len(account.uploads) == 0
    assert len(account.streamed) < most / 100
    assert sum(minute.size for minute in account.streamed) > most * len(a_sound(0))
    assert await space_of(house, ada) <= (limits.PIECES + 1) * len(a_sound(0))


async def test_uploads_that_no_stream_uses_still_count_as_files(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES_PER_HOUR", 5)
    house = await mounted(a_microphone(lambda sound, note: ""))
    ada = await house.signed_in()

    async with recording(house, ada, await uploads(ada, a_sound(0), "audio.wav")):
        for number in range(1, 5):
            path = await uploads(ada, a_sound(number), "audio.wav")
            assert await ada.gets("keep", as_file(path)) == "audio.wav"
        refused = await ada.http.post(f"{API}/upload", files={"files": ("audio.wav", a_sound(5))})

    assert is_problem(refused, 429)
    assert "within an hour" in refused.json()["detail"]


async def test_pieces_count_as_bytes(mounted: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await mounted(a_microphone(lambda sound, note: ""))
    ada = await house.signed_in()

    async with recording(house, ada, await uploads(ada, a_sound(0), "audio.wav")) as microphone:
        await microphone.sends(await uploads(ada, a_sound(1), "audio.wav"))
        [minute] = account_of(house).streamed
        assert minute.size > 2 * len(a_sound(0))
        minute.size = limits.UPLOADS_PER_HOUR * 100 * 2**20
        refused = await ada.http.post(f"{API}/upload", files={"files": ("audio.wav", a_sound(2))})

    assert is_problem(refused, 429)


async def test_more_pieces_than_microphones_send_in_a_minute_count_as_files(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PIECES_PER_MINUTE", 3)
    house = await mounted(a_microphone(lambda sound, note: ""))
    seconds = [0.0]
    object.__setattr__(house.pages.accounts, "now", lambda: seconds[0])
    ada = await house.signed_in()

    async with recording(house, ada, await uploads(ada, a_sound(0), "audio.wav")) as microphone:
        for number in range(1, 5):
            await microphone.sends(await uploads(ada, a_sound(number), "audio.wav"))
        account = account_of(house)
        assert sum(upload.files for upload in account.uploads) == 2
        seconds[0] += limits.MINUTE
        await microphone.sends(await uploads(ada, a_sound(5), "audio.wav"))
        assert sum(upload.files for upload in account.uploads) == 2
        seconds[0] += limits.HOUR
        assert account.is_empty(seconds[0]) is False  # The tab is still there.
        assert [*account.uploads, *account.streamed] == []


async def test_silence_whose_pieces_are_all_equal_counts_as_no_file_either(
    mounted: Mounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES_PER_HOUR", 5)
    house = await mounted(a_microphone(lambda sound, note: ""))
    ada = await house.signed_in()

    async with recording(house, ada, await uploads(ada, a_sound(0), "audio.wav")) as microphone:
        for _ in range(20):
            await microphone.sends(await uploads(ada, a_sound(0), "audio.wav"))
        for number in range(1, limits.PIECES // 2):
            await microphone.sends(await uploads(ada, a_sound(number), "audio.wav"))
        silence = await uploads(ada, a_sound(0), "audio.wav")
        for number in range(limits.PIECES, 2 * limits.PIECES):
            await microphone.sends(await uploads(ada, a_sound(number), "audio.wav"))
        await microphone.sends(silence)
        assert (await fetches(ada, silence)).status_code == 200

    assert len(files_in(folder)) <= limits.PIECES + 1


async def test_pieces_that_arrive_during_a_slow_step_are_pieces_too(
    mounted: Mounts, folder: Path
) -> None:
    has_begun, may_go_on, heard = asyncio.Event(), asyncio.Event(), list[str]()

    async def hear(sound: str, note: Any) -> str:
        heard.append(sound)
        if len(heard) == 2:
            has_begun.set()
            await may_go_on.wait()
        return sound and "heard"

    house = await mounted(a_microphone(hear))
    ada = await house.signed_in()

    async with recording(house, ada, await uploads(ada, a_sound(0), "audio.wav")) as microphone:
        read = await uploads(ada, a_sound(1), "audio.wav")
        await microphone.posts(read)
        await asyncio.wait_for(has_begun.wait(), 10)
        for number in range(2, 3 * limits.PIECES):
            await microphone.posts(await uploads(ada, a_sound(number), "audio.wav"))
        assert sum(upload.files for upload in account_of(house).uploads) == 2
        assert Path(read) in files_in(folder)  # The app is still reading it.
        may_go_on.set()
        await microphone.sends(await uploads(ada, a_sound(number + 1), "audio.wav"))
        await microphone.posts(await uploads(ada, a_sound(number + 2), "audio.wav"))
        await microphone.closes()

    assert len(heard) < 10
    assert len(files_in(folder)) <= limits.PIECES + 1
    assert not account_of(house).uploads


async def test_files_that_an_event_shows_or_uses_otherwise_stay(
    mounted: Mounts, folder: Path
) -> None:
    def hear(sound: str, note: Any) -> str | None:
        return sound if Path(sound).stat().st_size == len(a_sound(0)) + 2 else None

    house = await mounted(a_microphone(hear, outputs=lambda: gr.File()))
    ada = await house.signed_in()
    await ada.gets("keep", as_file(older := await uploads(ada, b"older")))
    note = await uploads(ada, b"a note", "note.txt")
    stays = [older, note]

    async with recording(house, ada, await uploads(ada, a_sound(0), "audio.wav")) as microphone:
        again = await uploads(ada, b"older")
        await microphone.sends(again)
        shown = await uploads(ada, a_sound(1) + b"xx", "audio.wav")
        await microphone.sends(shown)
        last = await uploads(ada, a_sound(2), "audio.wav")
        await microphone.sends(last, note=as_file(note))
        assert await ada.gets("keep", as_file(last)) == "audio.wav"
        for number in range(3, 3 * limits.PIECES):
            await microphone.sends(
                await uploads(ada, a_sound(number), "audio.wav"), note=as_file(note)
            )

    stays += [shown, last]
    for path in stays:
        assert (await fetches(ada, path)).status_code == 200, path
    assert len(files_in(folder)) <= limits.PIECES + len(stays)


async def test_the_pieces_of_two_people_with_equal_content_stay_for_the_other_one(
    mounted: Mounts,
) -> None:
    house = await mounted(a_microphone(lambda sound, note: ""))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    first = await uploads(ada, a_sound(0), "audio.wav")
    assert await uploads(bob, a_sound(0), "audio.wav") == first

    async with recording(house, ada, first) as microphone:
        for number in range(1, 2 * limits.PIECES):
            await microphone.sends(await uploads(ada, a_sound(number), "audio.wav"))

    assert (await fetches(ada, first)).status_code == 404
    assert (await fetches(bob, first)).status_code == 200


async def test_a_piece_that_a_deep_link_shows_stays(mounted: Mounts) -> None:
    demo = a_microphone(lambda sound, note: "")
    with demo:
        gr.DeepLinkButton()
    house = await mounted(demo)
    ada = await house.signed_in()
    first = await uploads(ada, a_sound(0), "audio.wav")

    async with recording(house, ada, first) as microphone:
        link = await ada.http.get(f"{API}/deep_link", params={"session_hash": "mine"})
        assert link.json()
        for number in range(1, 2 * limits.PIECES):
            await microphone.sends(await uploads(ada, a_sound(number), "audio.wav"))

    assert (await fetches(ada, first)).status_code == 200
