"""An account converts few files at once, and a cancelled event converts none."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import gradio as gr
import pytest

from domain.model.user import UserId
from entrypoints.ui import limits
from entrypoints.ui.wire import media_programs, media_turns
from entrypoints.ui.wire.media_turns import OfEvent, Turn, turn, turn_of_encoder
from tests.ui import test_media_programs
from tests.ui.attacks import API, as_file, index_of, joins, uploads
from tests.ui.conftest import Browser, House, Mounts, completed
from tests.ui.test_media_outputs import program
from tests.ui.test_media_programs import empty, made, players, ran, ran_by

pytestmark = test_media_programs.pytestmark

ADA, BOB, EVE = [UserId(UUID(int=number)) for number in (1, 2, 3)]
LONG: Final = "1200"
"""Seconds of a video in red: ffmpeg needs minutes to convert it."""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert not media_turns._waiting


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 -- Programs and threads have no event.
            await asyncio.sleep(0.02)


# Turns


class Waiting:
    """Threads that have waited for a turn."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.refused: list[gr.Error] = []

    def start(self, account: UserId, count: int = 1) -> OfEvent:
        programs = OfEvent(account)
        for _ in range(count):
            threading.Thread(target=self._wait, args=(programs,), daemon=True).start()
        return programs

    def _wait(self, programs: OfEvent) -> None:
        try:
            self.turns.append(turn(programs))
        except gr.Error as error:
            self.refused.append(error)

    def holders(self) -> Counter[UserId]:
        return Counter(one.of.account for one in self.turns if not one.is_over)

    def ends_one_of(self, account: UserId) -> None:
        next(one for one in self.turns if one.of.account == account and not one.is_over).end()


@pytest.fixture
async def waiting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Waiting]:
    monkeypatch.setattr(limits, "PROGRAMS", 4)
    waiting, events = Waiting(), list[OfEvent]()
    yield waiting
    for one in [*events, *(each.of for each in waiting.turns), *media_turns._waiting]:
        one.end()
    for one_turn in waiting.turns:
        one_turn.end()
    await until(lambda: not media_turns._waiting)


@pytest.mark.asvs("2.4.1", "15.2.2")
async def test_an_account_holds_two_turns_and_all_together_four(waiting: Waiting) -> None:
    waiting.start(ADA, 5)
    await until(lambda: len(media_turns._waiting) == 3)
    waiting.start(BOB, 1)
    await until(lambda: waiting.holders()[BOB] == 1)
    waiting.start(EVE, 2)

    await until(lambda: waiting.holders() == {ADA: 2, BOB: 1, EVE: 1})
    waiting.ends_one_of(ADA)  # The place goes to the account with the fewest.

    await until(lambda: waiting.holders().total() == 4 and len(media_turns._waiting) == 3)
    assert waiting.holders() == {ADA: 2, BOB: 1, EVE: 1} or waiting.holders()[EVE] == 2


async def test_a_free_place_goes_to_the_account_that_holds_the_fewest(waiting: Waiting) -> None:
    for account in (ADA, BOB):
        waiting.start(account, 2)
    await until(lambda: waiting.holders() == {ADA: 2, BOB: 2})
    waiting.start(ADA, 3)
    await until(lambda: len(media_turns._waiting) == 3)
    waiting.start(EVE)
    await until(lambda: len(media_turns._waiting) == 4)

    waiting.ends_one_of(ADA)

    await until(lambda: waiting.holders() == {ADA: 1, BOB: 2, EVE: 1})


async def test_a_cancelled_event_waits_no_more(waiting: Waiting) -> None:
    waiting.start(ADA, 2)
    await until(lambda: waiting.holders()[ADA] == 2)
    gone = waiting.start(ADA)
    await until(lambda: len(media_turns._waiting) == 1)

    gone.end()

    await until(lambda: len(waiting.refused) == 1)
    with pytest.raises(gr.Error, match="cancelled"):
        await asyncio.to_thread(turn, gone)


async def test_a_wait_has_an_end(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_turns, "WAIT", 0.05)
    waiting.start(ADA, 3)

    await until(lambda: len(waiting.refused) == 1)

    assert str(waiting.refused[0].message) == media_turns.BUSY


async def test_nothing_waits_on_an_event_loop(waiting: Waiting) -> None:
    waiting.start(ADA, 2)
    await until(lambda: waiting.holders()[ADA] == 2)

    waiting.turns.append(turn(OfEvent(ADA)))

    assert waiting.holders()[ADA] == 3


async def test_encoders_hold_no_turn_and_are_limited() -> None:
    encoders = [turn_of_encoder(OfEvent(ADA)) for _ in range(limits.ENCODERS)]
    try:
        with pytest.raises(gr.Error, match="streamed"):
            turn_of_encoder(OfEvent(ADA))
        turn_of_encoder(OfEvent(BOB)).end()
        assert media_turns._converting[ADA] == 0
    finally:
        for encoder in encoders:
            encoder.end()
    assert media_turns._encoding[ADA] == 0


# Real programs


def running() -> int:
    return sum(process.poll() is None for process in list(media_programs._running))


async def converting(house: House, browser: Browser, tmp_path: Path, tabs: list[str]) -> list[str]:
    """Start an event in each tab that converts a long video. Return the events' ids."""
    short, path = tmp_path / "short.mkv", tmp_path / "long.mkv"
    red = ["-f", "lavfi", "-i", "color=c=red:s=1280x720:d=1", "-preset", "ultrafast", str(short)]
    again = ["-stream_loop", "-1", "-i", str(short), "-t", LONG, "-c", "copy", str(path)]
    for options in (red, again):
        command = ["ffmpeg", "-v", "error", *options]
        await asyncio.to_thread(ran_by, "of_a_test", "run(command, check=True)", command)
    content = path.read_bytes()
    events = []
    for tab in tabs:
        file = as_file(await uploads(browser, content + tab.encode(), "long.mkv"))
        events.append(await joins(browser, house, "format", file, tab=tab))
    return events


async def cancels(browser: Browser, house: House, event_id: str, tab: str) -> None:
    body = {"event_id": event_id, "fn_index": index_of(house, "format"), "session_hash": tab}
    answer = await browser.http.post(f"{API}/cancel", json=body)
    assert answer.status_code == 200, answer.text


def many_at_once() -> gr.Blocks:
    demo = players()
    for fn in demo.fns.values():
        fn.concurrency_limit = None
        fn.concurrency_id = str(fn._id)
    return demo


@pytest.mark.asvs("2.4.1", "15.2.2")
async def test_an_account_converts_two_videos_at_once_until_they_are_cancelled(
    mounted: Mounts, tmp_path: Path
) -> None:
    house = await mounted(many_at_once())
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    tabs = [f"cancelled{number}" for number in range(4)]
    events = await converting(house, ada, tmp_path, tabs)

    await until(lambda: running() == 2 and len(media_turns._waiting) == 2)
    others = await ran(bob, "sound", made(tmp_path, "a.mp3"), "a.mp3")
    processes = [one for one in list(media_programs._running) if one.poll() is None]
    for event_id, tab in zip(events, tabs, strict=True):
        await cancels(ada, house, event_id, tab)
    await until(lambda: running() == 0 and not media_turns._waiting)

    assert others["success"], others
    assert [process.returncode for process in processes] == [-9, -9]
    await until(lambda: not media_turns._converting)


async def test_the_programs_of_an_ended_session_end(mounted: Mounts, tmp_path: Path) -> None:
    house = await mounted(many_at_once())
    ada = await house.signed_in()
    tabs = ["first", "second", "third"]
    await converting(house, ada, tmp_path, tabs)
    told = [asyncio.create_task(ada.stream(tab)) for tab in tabs]
    await until(lambda: running() == 2 and len(media_turns._waiting) == 1)

    await house.ends(ada)

    await until(lambda: running() == 0 and not media_turns._waiting)
    await asyncio.gather(*told)


async def test_waiting_programs_do_not_start_when_the_service_ends(
    mounted: Mounts, tmp_path: Path
) -> None:
    house = await mounted(many_at_once())
    ada = await house.signed_in()
    await converting(house, ada, tmp_path, ["first", "second", "third"])
    await until(lambda: running() == 2 and len(media_turns._waiting) == 1)

    await mounted.closing.aclose()

    await until(lambda: running() == 0 and not media_turns._waiting)


async def test_an_encoder_lives_as_long_as_its_stream(mounted: Mounts, tmp_path: Path) -> None:
    made(tmp_path, "a.mp3")
    goes_on = threading.Event()

    def streamed() -> Iterator[str]:
        for _ in range(3):
            yield str(tmp_path / "a.mp3")
        goes_on.wait(20)

    with gr.Blocks() as demo:
        gr.Button().click(streamed, None, gr.Audio(streaming=True), api_name="stream")
    house = await mounted(demo)
    ada = await house.signed_in()
    tab = await ada.start("stream")
    told = asyncio.create_task(ada.told(tab))
    await until(lambda: media_turns._encoding.total() == 1)
    goes_on.set()

    last = completed(await told)

    assert last["success"], last
    await until(lambda: not media_turns._encoding)


async def test_a_cancelled_stream_ends_its_encoder(mounted: Mounts, tmp_path: Path) -> None:
    content = made(tmp_path, "a.mp3")

    async def streamed(path: str) -> AsyncIterator[str]:
        yield path
        await asyncio.sleep(60)

    with gr.Blocks() as demo:
        gr.Button().click(streamed, gr.File(), gr.Audio(streaming=True), api_name="format")
    house = await mounted(demo)
    ada = await house.signed_in()
    event = await joins(
        ada, house, "format", as_file(await uploads(ada, content, "a.mp3")), tab="a"
    )
    told = asyncio.create_task(ada.stream("a"))
    await until(lambda: media_turns._encoding.total() == 1)

    await cancels(ada, house, event, "a")

    await until(lambda: not media_turns._encoding and running() == 0)
    told.cancel()


async def test_a_program_has_a_low_priority(mounted: Mounts, tmp_path: Path) -> None:
    await mounted(empty())
    command = program(tmp_path, "ffmpeg", "sleep 0.3; nice")

    said: Any = await asyncio.to_thread(ran_by, "gradio", "check_output(command)", command)

    assert int(said) == media_programs.NICENESS
