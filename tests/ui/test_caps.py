"""Caps limit each account over all its sign-ins and access tokens and give a reason, and a sign-in
leaves nothing behind when it ends."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import gradio as gr
import pytest
from starlette.exceptions import HTTPException

from domain.model.file import FilePolicy, FileSpace
from domain.model.session import SessionId
from entrypoints.ui import limits
from entrypoints.ui.files.claims import Room
from entrypoints.ui.isolation.account import Account, Keeper, Tab
from entrypoints.ui.isolation.uploads import CountedUpload
from tests.builders import a_user
from tests.ui.attacks import API, is_problem, joins, opened, tag, uploads
from tests.ui.conftest import Browser, House, Mounts, completed

SECURITY: Final = Path(__file__).parents[2] / "docs" / "security.md"


def remembering(gone: list[Any]) -> gr.Blocks:
    with gr.Blocks() as demo:
        so_far = gr.State(0, delete_callback=gone.append)
        shown = gr.Textbox()
        gr.Button().click(lambda n: (n + 1, str(n + 1)), so_far, [so_far, shown], api_name="count")
    return cast("gr.Blocks", demo)


async def counts(browser: Browser, house: House, tab: str) -> str:
    await joins(browser, house, "count", None, tab=tab)
    return str(completed(await browser.told(tab))["output"]["data"][1])


def states(house: House) -> set[str]:
    demo: Any = house.demo
    return set(demo.state_holder.session_data)


@pytest.mark.asvs("2.4.1")
async def test_the_longest_unused_tab_of_the_account_is_removed_beyond_the_cap(
    mounted: Mounts,
) -> None:
    gone: list[Any] = []
    house = await mounted(remembering(gone))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await counts(bob, house, "his")
    for name in ("first", "second"):
        await counts(ada, house, name)

    async with opened(house, ada, f"{API}/heartbeat/first"):
        for number in range(limits.TABS - 1):
            await counts(ada, house, f"more{number}")

    assert await counts(bob, house, "his") == "2"
    assert await counts(ada, house, "first") == "2"
    assert f"second.{tag(ada)}" not in states(house)
    assert await counts(ada, house, "second") == "1"
    assert gone[0] == 1
    assert len([name for name in states(house) if name.endswith(tag(ada))]) == limits.TABS


async def test_tabs_in_use_are_kept_and_one_more_is_refused(mounted: Mounts) -> None:
    house = await mounted(remembering([]))
    ada, phone = await house.signed_in(), await house.signed_in()

    async with AsyncExitStack() as open_streams:
        for number in range(limits.TABS):
            device = ada if number % 2 else phone
            await open_streams.enter_async_context(
                opened(house, device, f"{API}/heartbeat/t{number}")
            )
        answer = await ada.http.post(
            f"{API}/queue/join", json={"data": [None], "fn_index": 0, "session_hash": "more"}
        )

    assert is_problem(answer, 429)
    assert "Close some" in answer.json()["detail"]


async def test_the_tabs_of_all_devices_of_an_account_count_together(mounted: Mounts) -> None:
    house = await mounted(remembering([]))
    made = await house.makes_token() if await house.has() else None
    assert made is not None
    devices = [house.program(made), await house.signed_in(), await house.signed_in()]
    for device in devices:
        await counts(device, house, "first")

    for number in range(limits.TABS - 2):
        await counts(devices[number % 3], house, f"more{number}")

    assert len(states(house)) == limits.TABS
    assert f"first.{made.token.id.hex}" not in states(house)
    assert await counts(devices[2], house, "first") == "2"


async def test_too_many_events_at_once_are_refused_until_one_is_done(mounted: Mounts) -> None:
    go_on, running = asyncio.Event(), asyncio.Event()

    async def wait() -> str:
        running.set()
        await go_on.wait()
        return "done"

    with gr.Blocks() as demo:
        gr.Button().click(wait, None, gr.Textbox(), api_name="wait", concurrency_limit=None)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    async def post(browser: Browser, address: str, tab: str = "mine") -> Any:
        body = {"data": [], "fn_index": 0, "session_hash": tab}
        return await browser.http.post(f"{API}/{address}", json=body)

    at_once = await asyncio.gather(*(post(ada, "queue/join") for _ in range(limits.EVENTS + 10)))
    others = [await post(ada, address) for address in ("run/wait", "call/wait", "queue/join")]
    by_names = await ada.http.post(f"{API}/call/v2/wait", json={})
    bobs = await post(bob, "queue/join")
    go_on.set()
    await ada.told("mine")
    await settled(house)

    assert sorted(answer.status_code for answer in at_once) == [200] * limits.EVENTS + [429] * 10
    assert all(is_problem(answer, 429) for answer in [*others, by_names])
    assert "finish" in others[0].json()["detail"]
    assert bobs.status_code == 200
    assert (await post(ada, "queue/join")).status_code == 200


async def test_events_without_the_queue_have_their_own_cap(mounted: Mounts) -> None:
    go_on, all_run = asyncio.Event(), asyncio.Event()
    running: list[int] = []

    async def wait() -> str:
        running.append(1)
        if len(running) == limits.DIRECT:
            all_run.set()
        await go_on.wait()
        return "done"

    with gr.Blocks() as demo:
        gr.Button().click(wait, None, gr.Textbox(), api_name="wait", queue=False)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    async def runs(browser: Browser) -> Any:
        return await browser.http.post(f"{API}/run/wait", json={"data": []})

    waiting = [asyncio.create_task(runs(ada)) for _ in range(limits.DIRECT)]
    await all_run.wait()
    one_more = await runs(ada)
    bobs = asyncio.create_task(runs(bob))
    go_on.set()

    assert is_problem(one_more, 429)
    assert "without the queue" in one_more.json()["detail"]
    assert [(await task).status_code for task in [*waiting, bobs]] == [200] * (limits.DIRECT + 1)


async def test_too_many_open_streams_are_refused(mounted: Mounts) -> None:
    house = await mounted(remembering([]))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    phone = await house.signed_in()

    async with AsyncExitStack() as open_streams:
        for number in range(limits.STREAMS):
            device = ada if number % 2 else phone
            await open_streams.enter_async_context(opened(house, device, f"{API}/heartbeat/mine"))
        one_more = await ada.http.get(f"{API}/heartbeat/mine")
        async with opened(house, bob, f"{API}/heartbeat/his") as bobs:
            assert bobs.status == 200

    assert is_problem(one_more, 429)
    async with opened(house, ada, f"{API}/heartbeat/mine") as again:
        assert again.status == 200


async def post_files(browser: Browser, count: int, size: int = 1) -> Any:
    files = [("files", (f"{n}.txt", b"x" * size)) for n in range(count)]
    return await browser.http.post(f"{API}/upload", files=files)


async def test_an_upload_with_too_many_files_is_refused(
    mounted: Mounts, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    house = await mounted(remembering([]))
    ada = await house.signed_in()

    enough = await post_files(ada, limits.FILES_AT_ONCE)
    before = sorted(tmp_path.rglob("*"))
    too_many = await post_files(ada, limits.FILES_AT_ONCE + 1)

    assert (enough.status_code, len(enough.json())) == (200, limits.FILES_AT_ONCE)
    assert is_problem(too_many, 429)
    assert str(limits.FILES_AT_ONCE) in too_many.json()["detail"]
    assert sorted(tmp_path.rglob("*")) == before


async def test_files_and_bytes_are_limited_per_hour(
    mounted: Mounts, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    house = await mounted(remembering([]))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    account = house.pages.accounts.account_of(
        await house.use_cases.recognise(ada.http.cookies["gradioapp-session"], activity=False)
    )
    await uploads(ada)
    [first] = account.uploads
    assert first.files == 1
    assert first.size > 100

    phone = await house.signed_in()
    for change in (
        {"files": limits.FILES_PER_HOUR},
        {"size": limits.UPLOADS_PER_HOUR * 100 * 2**20},
    ):
        for name, value in change.items():
            setattr(first, name, value)
        for device in (ada, phone):
            refused = await post_files(device, 1)
            assert is_problem(refused, 429)
            assert "hour" in refused.json()["detail"]
        first.files = first.size = 0
    assert (await post_files(bob, 1)).status_code == 200

    first.files, first.at = limits.FILES_PER_HOUR, first.at - limits.HOUR
    assert (await post_files(ada, 1)).status_code == 200
    assert first not in account.uploads


async def test_uploads_of_the_last_hour_still_count_after_the_sign_in_has_ended(
    mounted: Mounts, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(limits, "FILES_PER_HOUR", 4)
    house = await mounted(remembering([]))
    seconds = [0.0]
    object.__setattr__(house.pages.accounts, "now", lambda: seconds[0])
    ada = await house.signed_in()
    assert (await post_files(ada, 3)).status_code == 200
    await house.ends(ada)
    await house.forgets()
    assert house.pages.accounts.sessions() == ()

    again = await house.signed_in()
    assert is_problem(await post_files(again, 1), 429)
    await house.ends(again)
    seconds[0] += limits.HOUR
    await house.forgets()

    assert house.pages.accounts.all() == ()


async def test_an_event_that_runs_is_remembered_however_many_another_device_starts() -> None:
    keeper = Keeps(under_way={"slow"})
    account = Account()
    tab, other = (Tab(keeper, name, SessionId(UUID(int=n))) for n, name in enumerate("ab"))
    account.owns("slow", tab)
    for number in range(limits.EVENT_IDS + 10):
        account.must_have_room_for_an_event()
        account.owns(str(number), other)

    assert account.tab_of("slow", keeper, tab.session_id) is tab
    assert len(account.events) == limits.EVENT_IDS
    with pytest.raises(HTTPException):
        account.tab_of("0", keeper, other.session_id)


class Keeps(Keeper):
    def __init__(self, *, under_way: set[str]) -> None:
        self._under_way = under_way

    def is_under_way(self, event_id: str) -> bool:
        return event_id in self._under_way

    def has_unread_events(self, tab: str) -> bool:
        return False

    async def forget(self, tab: str) -> None: ...


async def test_files_are_counted_wherever_the_chunks_break() -> None:
    body = b"".join(b"--mark\r\nname\r\n\r\n-- content -\r\n" for _ in range(3)) + b"--mark--\r\n"

    for step in range(1, 12):
        chunks = [body[i : i + step] for i in range(0, len(body), step)]
        upload = await _counted(chunks)
        assert (upload.files, upload.size) == (3, len(body)), step


async def _counted(chunks: list[bytes]) -> Any:
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]

    async def receive() -> Any:
        return waiting.pop(0)

    account = Account()
    upload = account.upload(0, limit=10**6)
    space = FileSpace(used=0, policy=FilePolicy(quota=10**6, keep=None))
    room = Room(space, a_user().id, Counter())
    form = CountedUpload(receive, upload, account, room, boundary=b"mark", limit=10**6)
    assert [chunk async for chunk in form.chunks()] == chunks
    return upload


async def test_an_upload_that_is_not_a_form_is_refused(mounted: Mounts) -> None:
    house = await mounted(remembering([]))
    ada = await house.signed_in()

    for content_type in ("", "text/plain", "multipart/form-data", "multipart/form-data; boundary="):
        answer = await ada.http.post(
            f"{API}/upload", content=b"x", headers={"content-type": content_type}
        )
        # Plain text is what a form in a text of a user may send.
        assert is_problem(answer, 415 if content_type == "text/plain" else 400), content_type


@pytest.mark.asvs("7.4.1", "14.2.2")
async def test_an_ended_sign_in_leaves_nothing_behind(mounted: Mounts) -> None:
    gone: list[Any] = []
    house = await mounted(remembering(gone))
    ada, phone, bob = (
        await house.signed_in(),
        await house.signed_in(),
        await house.signed_in("bob@example.org"),
    )
    for browser in (ada, phone, bob):
        await counts(browser, house, "mine")
    await joins(ada, house, "count", None, tab="unread")
    await settled(house)
    await house.ends(ada)

    await house.forgets()

    queue: Any = house.demo._queue
    kept = [
        *states(house),
        *queue.pending_messages_per_session,
        *queue.pending_event_ids_session,
        *house.demo.pending_streams,
    ]
    assert {name.rpartition(".")[2] for name in kept} == {tag(phone), tag(bob)}
    assert gone[0] == 1
    assert await counts(phone, house, "mine") == "2"
    assert await counts(bob, house, "mine") == "2"


async def test_an_expired_sign_in_is_forgotten(mounted: Mounts) -> None:
    house = await mounted(remembering([]))
    ada = await house.signed_in()
    await counts(ada, house, "mine")

    await settled(house)
    house.passes(hours=13)
    await house.forgets()

    assert states(house) == set()
    assert house.pages.accounts.sessions() == ()


async def test_an_ended_sign_in_is_remembered_until_its_last_event_is_over(
    mounted: Mounts,
) -> None:
    go_on, running, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait(said: int) -> int:
        running.set()
        await go_on.wait()
        over.set()
        return said

    with gr.Blocks() as demo:
        so_far = gr.State(0)
        gr.Button().click(wait, so_far, so_far, api_name="wait")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await joins(ada, house, "wait", None, tab="mine")
    await running.wait()
    await house.ends(ada)

    await house.forgets()
    assert len(house.pages.accounts.sessions()) == 1
    go_on.set()
    await settled(house)
    await house.forgets()

    assert states(house) == set()
    assert house.pages.accounts.sessions() == ()
    await joins(bob, house, "wait", None, tab="his")
    assert completed(await bob.told("his"))["success"]


async def settled(house: House) -> None:
    """Return once Gradio has removed its events, which it does after it has reported their end."""
    queue: Any = house.demo._queue
    for _ in range(2000):
        if not queue.event_ids_to_events:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(len(queue.event_ids_to_events))


def test_the_security_document_has_the_same_numbers() -> None:
    document = SECURITY.read_text()

    for row in (
        f"| tabs in Gradio's memory | {limits.TABS};",
        f"| events waiting or running | {limits.EVENTS} |",
        f"calls of a component's functions | {limits.DIRECT};",
        f"| open streams | {limits.STREAMS}, including those whose connection was cut and that wait up to {limits.CUT_FOR:.0f} seconds",
        f"| sent messages, for pages that resume a stream | {limits.SENT_AGAIN // 1024**2} MB, and one more;",
        f"| files in one upload | {limits.FILES_AT_ONCE} |",
        f"| files in an hour | {limits.FILES_PER_HOUR:,} |",
        f"| {limits.PIECES_PER_MINUTE:,} in a minute count as bytes and not as files; more count as files |",
        f"it is removed; the latest {limits.PIECES} of each account stay",
        f"| bytes in an hour | {limits.UPLOADS_PER_HOUR} times `UPLOAD_LIMIT_MB` |",
        f"half of `queue(max_size=…)`, which is {limits.PLACES:,} where",
        f"| {limits.half_of(limits.THREADS)} of {limits.THREADS}: {limits.half_of(limits.THREADS) - 1} events",
        f"{limits.INPUTS * (10 * 1024 * 1024 + limits.NODES * limits.NODE) // 1024**2} MB where `BODY_LIMIT_MB` is 10",
        f"| outputs that nobody has read | {limits.UNREAD // 1024**2} MB, and one more.",
        f"all that have waited for {limits.UNREAD_FOR / 60:.0f} minutes",
        f"that no event has taken yet | {limits.DRAWINGS // 1024**2} MB;",
        f"more than {limits.LAYERS} layers are 400",
        f"with a `gr.DeepLinkButton` | {limits.SHOWN // 1024**2} MB of JSON text;",
        f"A link saves {limits.LINK // 1024**2} MB;",
        f"A JSON value counts as {limits.NODE} bytes",
        f"names of members included | {limits.NODES:,}: 413",
        f"such as a chat, a gallery or files | {limits.MODEL_NODES:,}:",
        f"characters of a date | {limits.COLUMNS:,}; {limits.CHOSEN:,}; {limits.LONGEST_DATE}: an error",
        f"| levels of lists and objects | {limits.DEEPEST}: 400 |",
        f"name | {limits.NAMED_FILES}, each with a path of at most {limits.LONGEST_PATH:,} characters",
        f"| characters in the address of an MCP resource | {limits.LONGEST_URI:,} |",
        f"The latest {limits.MADE_INPUTS:,} of each account are kept, and {limits.MADE_INPUTS_SIZE // 1024**2} MB",
    ):
        assert row in document, row


async def test_gradio_keeps_more_tabs_than_one_account_may_have(mounted: Mounts) -> None:
    house = await mounted(remembering([]))
    demo: Any = house.demo

    assert demo.state_holder.capacity == limits.ALL_TABS
    assert demo._queue.pending_messages_per_session.max_size == limits.ALL_TABS
    assert 10 * house.settings.sessions_per_user <= limits.TABS
    assert limits.TABS * 100 <= limits.ALL_TABS
