"""An account that has used up its time gets no new event, whichever way it asks, until time is free again."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import gradio as gr
import httpx
import pytest

from domain.model.caller import Caller
from domain.model.event_time import EventQuota, UsedTime, minute_of
from domain.model.user import UserId
from entrypoints.ui.pages import home
from entrypoints.ui.queueing.event_time import UNLIMITED, MeasuredTimes
from tests.ui.attacks import API, index_of, is_problem, opened
from tests.ui.conftest import Browser, House, Mounts, completed
from tests.ui.test_fair_queue import Stage, until
from tests.ui.test_mcp import calls, text_of
from tests.ui.test_metrics import of

ADA, BOB = "ada@example.org", "bob@example.org"
MINUTE = timedelta(minutes=1)
SAID: Final = (
    "You have used your 60 minutes of computing of the last hour. "
    "You can run events again at 13:00 UTC (in 60 minutes)."
)


def times_of(house: House) -> MeasuredTimes:
    times = house.pages.times
    assert isinstance(times, MeasuredTimes)
    return times


async def id_of(house: House, email: str = ADA) -> UserId:
    users = await house.use_cases.list_users(Caller.operator())
    return next(user.id for user in users if user.email == email)


async def uses(house: House, *, minutes: float, email: str = ADA) -> None:
    """Store used time, as another replica does."""
    used = UsedTime(
        user_id=await id_of(house, email),
        minute=minute_of(house.clock.now()),
        time=minutes * MINUTE,
    )
    await house.use_cases.add_event_time([used])


async def stored(house: House, email: str = ADA) -> timedelta:
    """Return what the store says after all has been written."""
    await times_of(house).write()
    used = await house.use_cases.read_event_time(await id_of(house, email))
    return used.total(house.clock.now())


def an_app(act: Callable[..., Any] | None = None, **options: Any) -> gr.Blocks:
    def echo(said: str) -> str:
        return f"{said}!"

    demo: gr.Blocks
    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        running = gr.Button().click(act or echo, said, shown, api_name="act", **options)
        gr.Button().click(echo, said, shown, api_name="at_once", queue=False)
        gr.Button().click(None, None, None, cancels=[running], api_name="stop")
        gr.FileExplorer(root_dir="tests")
    return demo


def explorer_call(house: House) -> dict[str, Any]:
    component = next(b for b in house.demo.blocks.values() if isinstance(b, gr.FileExplorer))
    return {"component_id": component._id, "fn_name": "ls", "data": [], "session_hash": "t"}


async def asks_in_each_way(house: House, browser: Browser) -> dict[str, httpx.Response]:
    post, index = browser.http.post, index_of(house, "act")
    event = {"data": ["x"], "session_hash": "t"}
    return {
        "join": await post(f"{API}/queue/join", json={**event, "fn_index": index}),
        "call": await post(f"{API}/call/act", json=event),
        "call by names": await post(f"{API}/call/v2/act", json={"said": "x"}),
        "run": await post(f"{API}/run/at_once", json=event),
        "api": await post(f"{API}/api/at_once", json=event),
        "component_server": await post(f"{API}/component_server", json=explorer_call(house)),
    }


async def test_every_way_to_begin_an_event_is_refused_with_the_time_when_it_is_free_again(
    mounted: Mounts,
) -> None:
    house = await mounted(an_app(), event_minutes="60")
    ada = await house.signed_in(ADA)
    before = await asks_in_each_way(house, ada)
    house.passes(hours=1)
    ada = await house.signed_in(ADA)
    await uses(house, minutes=60)
    house.passes(seconds=30)
    times_of(house)._known.clear()

    after = await asks_in_each_way(house, ada)

    assert {way: answer.status_code for way, answer in before.items()} == dict.fromkeys(after, 200)
    for answer in after.values():
        assert is_problem(answer, 429)
        assert answer.json()["detail"] == (
            "You have used your 60 minutes of computing of the last hour. "
            "You can run events again at 14:00 UTC (in 60 minutes)."
        )
        assert answer.headers["retry-after"] == str(59 * 60 + 30)
    assert await of(house, "gradioapp_events_over_quota_total", app="/gradio") == len(after)


async def test_an_mcp_tool_says_why_it_is_refused(mounted: Mounts) -> None:
    house = await mounted(an_app(), event_minutes="60", mcp=True)
    await house.has(ADA)
    program = house.program(await house.makes_token(ADA))
    await uses(house, minutes=60)

    result = await calls(program, "echo", said="x")

    assert result.isError
    assert text_of(result) == SAID


async def test_all_sessions_and_tokens_share_the_quota_and_other_accounts_do_not(
    mounted: Mounts,
) -> None:
    house = await mounted(an_app(), event_minutes="60")
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    others = [await house.signed_in(ADA), house.program(await house.makes_token(ADA))]
    await uses(house, minutes=60)

    for each in (ada, *others):
        assert (await asks_in_each_way(house, each))["run"].status_code == 429
    assert await bob.gets("act", "Bob") == "Bob!"


async def test_time_is_free_again_when_the_refusal_has_said(mounted: Mounts) -> None:
    house = await mounted(an_app(), event_minutes="60")
    ada = await house.signed_in(ADA)
    await uses(house, minutes=59)
    house.passes(minutes=20)
    ada = await house.signed_in(ADA)
    await uses(house, minutes=1)
    refused = (await asks_in_each_way(house, ada))["run"]
    house.passes(seconds=float(refused.headers["retry-after"]))
    ada = await house.signed_in(ADA)

    assert "at 13:00 UTC (in 40 minutes)" in refused.json()["detail"]
    assert await ada.gets("act", "Ada") == "Ada!"


async def test_a_role_has_a_quota_of_its_own_and_a_token_without_the_role_has_not(
    mounted: Mounts,
) -> None:
    house = await mounted(an_app(), event_minutes="60,analyst=90,admin=none")
    for email, role in ((ADA, "analyst"), (BOB, "admin")):
        await house.has(email, "Someone", role)
        await uses(house, minutes=89, email=email)
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    less = house.program(await house.makes_token(ADA, roles=[]))

    assert await ada.gets("act", "Ada") == "Ada!"
    assert await bob.gets("act", "Bob") == "Bob!"
    assert (await asks_in_each_way(house, less))["join"].status_code == 429

    await uses(house, minutes=1)
    times_of(house)._known.clear()

    assert "your 90 minutes" in (await asks_in_each_way(house, ada))["join"].json()["detail"]


async def test_an_event_that_runs_goes_on_and_can_be_stopped(mounted: Mounts) -> None:
    stage = Stage()
    house = await mounted(an_app(stage.act), event_minutes="60")
    ada = await house.signed_in(ADA)
    tab = await ada.start("act", "Ada")
    await stage.began_in_all(1)
    await uses(house, minutes=60)
    times_of(house)._known.clear()
    refused = (await asks_in_each_way(house, ada))["join"]

    stop = next(i for i, fn in house.demo.fns.items() if fn.cancels)
    stops = await ada.http.post(
        f"{API}/queue/join", json={"data": [], "fn_index": stop, "session_hash": "t"}
    )
    stage.all_go()

    assert refused.status_code == 429
    assert stops.status_code == 200
    assert completed(await ada.told(tab))["output"]["data"] == ["Ada"]


async def test_our_own_pages_are_neither_refused_nor_measured(mounted: Mounts) -> None:
    ours = home.build()
    house = await mounted(an_app(), others=[ours], event_minutes="60")
    ada = await house.signed_in(ADA)
    await uses(house, minutes=60)
    index = next(i for i, fn in ours.demo.fns.items() if len(fn.outputs) == 3 and not fn.inputs)
    event = {"data": [], "fn_index": index, "session_hash": "t"}

    of_ours = await ada.http.post("/gradio/home/gradio_api/queue/join", json=event)
    address = "/gradio/home/gradio_api/queue/data"
    told = await ada.http.get(address, params={"session_hash": "t"})
    of_authors = (await asks_in_each_way(house, ada))["join"]

    assert (of_ours.status_code, of_authors.status_code) == (200, 429)
    assert "Computing: 60 of 60 minutes used in the last hour." in told.text
    assert await stored(house) == 60 * MINUTE


# What counts


class Stopwatch:
    """The clock of what is measured. It stands still between two steps of a test."""

    def __init__(self, house: House) -> None:
        self.seconds = 0.0
        self._times = times_of(house)
        vars(self._times).update(_seconds=lambda: self.seconds)

    async def runs_to_the_end(self) -> None:
        await until(lambda: not self._times._running)


async def seconds_of(house: House, email: str = ADA) -> float:
    return (await stored(house, email)).total_seconds()


async def test_a_running_event_counts_before_its_end(mounted: Mounts) -> None:
    stage = Stage()
    house = await mounted(an_app(stage.act), event_minutes="60")
    ada, watch = await house.signed_in(ADA), Stopwatch(house)
    await ada.start("act", "")
    await stage.began_in_all(1)
    watch.seconds += 30
    early = await seconds_of(house)
    watch.seconds += 12
    stage.all_go()
    await watch.runs_to_the_end()

    assert (early, await seconds_of(house)) == (30, 42)


async def test_a_long_event_counts_in_the_minutes_in_which_it_runs(mounted: Mounts) -> None:
    stage = Stage()
    house = await mounted(an_app(stage.act), event_minutes="60")
    ada, watch = await house.signed_in(ADA), Stopwatch(house)
    await ada.start("act", "")
    await stage.began_in_all(1)
    for _ in range(3):
        watch.seconds += 60
        await times_of(house).write()
        house.passes(minutes=1)
    stage.all_go()
    await watch.runs_to_the_end()

    used = await house.use_cases.read_event_time(await id_of(house))
    assert list(used.minutes.values()) == [MINUTE] * 3


@pytest.mark.parametrize("way", ["queue", "run", "call"])
async def test_each_way_counts_the_time_of_the_run(mounted: Mounts, way: str) -> None:
    stage = Stage()
    house = await mounted(an_app(stage.act), event_minutes="60")
    ada, watch = await house.signed_in(ADA), Stopwatch(house)

    async def begin() -> None:
        if way == "queue":
            await ada.start("act", "")
        else:
            event = {"data": [""], "session_hash": "t"}
            (await ada.http.post(f"{API}/{way}/act", json=event)).raise_for_status()

    task = asyncio.create_task(begin())
    await stage.began_in_all(1)
    watch.seconds += 7
    stage.one_goes()
    await task
    await watch.runs_to_the_end()

    assert await seconds_of(house) == 7


async def test_two_events_at_once_count_twice_and_waiting_does_not_count(mounted: Mounts) -> None:
    stage = Stage()
    house = await mounted(an_app(stage.act, concurrency_limit=4), event_minutes="60")
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    watch = Stopwatch(house)
    for who in (ada, ada, ada, bob):
        await who.start("act", "")
    await stage.began_in_all(3)
    watch.seconds += 5
    stage.all_go()
    await stage.began_in_all(4)
    await watch.runs_to_the_end()

    assert (await seconds_of(house), await seconds_of(house, BOB)) == (10, 5)


async def test_the_time_of_a_batch_is_divided_between_its_accounts(mounted: Mounts) -> None:
    sizes: list[int] = []
    may_go = asyncio.Semaphore(0)

    async def act(said: list[str]) -> list[list[str]]:
        sizes.append(len(said))
        await may_go.acquire()
        return [said]

    house = await mounted(an_app(act, batch=True, max_batch_size=4), event_minutes="60")
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    watch = Stopwatch(house)
    await ada.start("act", "first")
    await until(lambda: sizes == [1])
    for who in (ada, ada, bob, ada):
        await who.start("act", "x")
    may_go.release()
    await until(lambda: sizes == [1, 4])
    watch.seconds += 8
    may_go.release()
    await watch.runs_to_the_end()

    assert (await seconds_of(house), await seconds_of(house, BOB)) == (6, 2)


async def test_a_cancelled_function_counts_until_its_thread_ends(mounted: Mounts) -> None:
    stage = Stage()
    house = await mounted(an_app(stage.act_in_thread), event_minutes="60")
    ada, watch = await house.signed_in(ADA), Stopwatch(house)
    tab = await ada.start("act", "")
    await stage.began_in_all(1)
    [account] = house.pages.accounts.all()
    [event_id] = account.under_way
    body = {"event_id": event_id, "fn_index": index_of(house, "act"), "session_hash": tab}
    (await ada.http.post(f"{API}/cancel", json=body)).raise_for_status()
    await until(lambda: not house.demo._queue.event_ids_to_events)
    watch.seconds += 20
    early = await seconds_of(house)
    watch.seconds += 1
    stage.all_go()
    await watch.runs_to_the_end()

    assert (early, await seconds_of(house)) == (20, 21)


async def test_a_validator_counts(mounted: Mounts) -> None:
    stage = Stage()

    async def validate(said: str) -> Any:
        await stage.act()
        return gr.validate(False, "No.")  # noqa: FBT003 -- Gradio's signature.

    house = await mounted(an_app(validator=validate), event_minutes="60")
    ada, watch = await house.signed_in(ADA), Stopwatch(house)
    event = {"data": [""], "fn_index": index_of(house, "act"), "session_hash": "t"}
    joining = asyncio.create_task(ada.http.post(f"{API}/queue/join", json=event))
    await stage.began_in_all(1)
    watch.seconds += 9
    stage.all_go()
    await joining

    assert await seconds_of(house) == 9


@pytest.mark.parametrize("way", ["a function of a component", "a result from a cache"])
async def test_what_needs_no_place_in_the_queue_counts(mounted: Mounts, way: str) -> None:
    def act(said: str) -> str:
        return said

    house = await mounted(an_app(gr.cache(act)), event_minutes="60")
    ada = await house.signed_in(ADA)
    await ada.gets("act", "x")
    before = await stored(house)

    if way == "a result from a cache":
        assert completed(await ada.runs("act", "x"))["used_cache"] == "full"
    else:
        answer = await ada.http.post(f"{API}/component_server", json=explorer_call(house))
        assert answer.status_code == 200

    assert await stored(house) > before


async def test_the_function_of_an_unload_event_counts(mounted: Mounts) -> None:
    stage = Stage()
    demo = an_app()
    with demo:
        demo.unload(stage.act)
    house = await mounted(demo, event_minutes="60")
    ada, watch = await house.signed_in(ADA), Stopwatch(house)

    async def closes_a_page() -> None:
        async with opened(house, ada, f"{API}/heartbeat/tab"):
            pass

    closing = asyncio.create_task(closes_a_page())
    await stage.began_in_all(1)
    watch.seconds += 7
    stage.all_go()
    await closing

    assert await seconds_of(house) == 7


# What it costs


class Questions:
    """Counts what the store is asked, and what is written."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = self.written = 0
        use_cases = house.use_cases
        read, add = use_cases.read_event_time, use_cases.add_event_time

        async def reads(user_id: UserId) -> Any:
            self.read += 1
            return await read(user_id)

        async def adds(used: Any) -> None:
            self.written += 1
            await add(used)

        object.__setattr__(use_cases, "read_event_time", reads)
        object.__setattr__(use_cases, "add_event_time", adds)


async def test_fifty_events_ask_the_store_once(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await mounted(an_app(), event_minutes="60")
    ada = await house.signed_in(ADA)
    await times_of(house).write()
    questions = Questions(house, monkeypatch)

    await asyncio.gather(*(ada.gets("act", str(n)) for n in range(50)))

    assert (questions.read, questions.written) == (1, 0)
    await times_of(house).write()
    assert questions.written == 1


async def test_without_a_quota_nothing_is_measured_asked_or_written(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await mounted(an_app())
    ada = await house.signed_in(ADA)
    questions = Questions(house, monkeypatch)

    await asks_in_each_way(house, ada)

    assert house.pages.times is UNLIMITED
    assert (questions.read, questions.written) == (0, 0)


async def test_what_has_run_is_written_at_the_end_of_the_service(mounted: Mounts) -> None:
    house = await mounted(an_app(), event_minutes="60")
    ada = await house.signed_in(ADA)
    me = await id_of(house)
    await ada.gets("act", "x")
    await mounted.closing.aclose()

    assert (await house.use_cases.read_event_time(me)).total(house.clock.now()) > timedelta(0)


async def test_the_account_tab_says_what_is_used(mounted: Mounts) -> None:
    page = home.build()
    house = await mounted(page.demo, event_minutes="60")
    ada = await house.signed_in(ADA)
    await uses(house, minutes=12.9)
    me = await house.use_cases.recognise(ada.http.cookies["gradioapp-session"], activity=False)

    index = next(i for i, fn in house.demo.fns.items() if len(fn.outputs) == 3 and not fn.inputs)
    joined = await ada.http.post(
        f"{API}/queue/join", json={"data": [], "fn_index": index, "session_hash": "t"}
    )
    shown = completed(await ada.told("t"))["output"]["data"][2]

    assert joined.status_code == 200
    assert await house.use_cases.find_event_quota(me.caller) == EventQuota(
        used=12.9 * MINUTE, quota=60 * MINUTE
    )
    assert shown["visible"]
    assert shown["value"] == "Computing: 12 of 60 minutes used in the last hour."
