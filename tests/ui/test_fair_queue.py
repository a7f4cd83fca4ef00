"""One account cannot take all shared resources: turns in the queue, places to wait, and threads."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import gradio as gr
import pytest

from entrypoints import ui
from entrypoints.ui import limits
from entrypoints.ui.queueing.fair_queue import TOLD_PER_SECOND, TOLD_WITHIN, FairQueue
from entrypoints.ui.sdk.current import current_user
from tests.ui.attacks import API, index_of, is_problem, joins
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed

EVE, ADA, BOB = "eve@example.org", "ada@example.org", "bob@example.org"
PATIENCE = 30


class Stage:
    """Callbacks that wait until the test releases one or all of them; the stage records the callers in their order."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.at_once: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._may_go = asyncio.Semaphore(0)
        self._open = threading.Event()
        self._lock = threading.Lock()

    async def act(self, said: str = "") -> str:
        self._enter()
        await self._may_go.acquire()
        self._leave()
        return said

    def act_in_thread(self, said: str = "") -> str:
        self._enter()
        self._open.wait(PATIENCE)
        self._leave()
        return said

    def one_goes(self) -> None:
        self._may_go.release()

    def all_go(self) -> None:
        self._open.set()
        for _ in range(5000):
            self._may_go.release()

    def _enter(self) -> None:
        who = current_user().email
        with self._lock:
            self.began.append(who)
            self.at_once[who] += 1
            self.most[who] = max(self.most[who], self.at_once[who])

    def _leave(self) -> None:
        with self._lock:
            self.at_once[current_user().email] -= 1

    async def holds(self, who: str, count: int) -> None:
        await until(lambda: self.at_once[who] == count)

    async def began_in_all(self, count: int) -> None:
        await until(lambda: len(self.began) == count)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 -- Threads, and Gradio, have no event to wait for.
            await asyncio.sleep(0.002)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.all_go()


def an_app(fn: Callable[..., Any], **options: Any) -> gr.Blocks:
    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(fn, said, shown, api_name="act", **options)
    return cast("gr.Blocks", demo)


def queue_of(house: House) -> FairQueue:
    queue = house.demo._queue
    assert isinstance(queue, FairQueue)
    return queue


async def posts(browser: Browser, address: str, *data: Any, tab: str, page: str = API) -> Any:
    body: dict[str, Any] = {"data": data, "session_hash": tab}
    if address == "queue/join":
        body["fn_index"] = 0
    return await browser.http.post(f"{page}/{address}", json=body)


async def post_many(browsers: list[Browser], count: int, *, tabs: str = "t") -> list[Any]:
    """Post in turn from each browser, fifty at a time."""
    answers: list[Any] = []
    for start in range(0, count, 50):
        answers += await asyncio.gather(
            *(
                posts(browsers[n % len(browsers)], "queue/join", str(n), tab=f"{tabs}{n % 100}")
                for n in range(start, min(start + 50, count))
            )
        )
    return answers


async def an_abuser(house: House) -> list[Browser]:
    """Return the clients of one account: ten sign-ins and two access tokens."""
    await house.has(EVE)
    tokens = [house.program(await house.makes_token(EVE)) for _ in range(2)]
    return [*tokens, *[await house.signed_in(EVE) for _ in range(10)]]


async def until_everything_is_released(house: House) -> None:
    """Wait until the queue, the threads and the caps hold nothing for anybody."""
    queue, threads = queue_of(house), house.pages.threads
    groups = list(queue._groups.values())

    def is_empty() -> bool:
        return not (
            any(group.queue or group.current_concurrency for group in groups)
            or any(group.turns._running for group in groups)
            or queue._workers._running
            or queue._joining
            or queue.event_ids_to_events
            or threads._steps._held
            or threads._events._held
        )

    await until(is_empty)
    assert not any(queue.active_jobs)
    for account in house.pages.accounts.all():
        account.must_have_room_for_an_event()
        assert not account.under_way
        assert not account.direct
        assert not account.joining


# Turns


async def test_all_sign_ins_and_tokens_of_a_flood_count_as_one_account(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.act), sessions_per_user=20)
    eves = await an_abuser(house)
    ada = await house.signed_in(ADA)

    answers = await post_many(eves, 1000)
    await stage.began_in_all(1)
    await joins(ada, house, "act", "of Ada", tab="mine")
    stage.one_goes()
    await stage.began_in_all(2)

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {200: limits.EVENTS, 429: 1000 - limits.EVENTS}
    assert stage.began == [EVE, ADA]
    stage.one_goes()
    assert completed(await ada.told("mine"))["output"]["data"] == ["of Ada"]


async def test_the_account_that_has_run_least_is_next(mounted: Mounts, stage: Stage) -> None:
    house = await mounted(an_app(stage.act))
    eve, ada, bob = [await house.signed_in(email) for email in (EVE, ADA, BOB)]
    await post_many([eve], 20)
    await stage.began_in_all(1)
    for browser, count in ((ada, 2), (bob, 2)):
        await post_many([browser], count)
    for count in range(2, 8):
        stage.one_goes()
        await stage.began_in_all(count)

    assert stage.began[:3] == [EVE, ADA, BOB]
    assert Counter(stage.began) == {EVE: 3, ADA: 2, BOB: 2}


async def test_each_function_has_its_own_turns(mounted: Mounts, stage: Stage) -> None:
    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        for name in ("act", "other"):
            gr.Button().click(stage.act, said, shown, api_name=name, concurrency_id=name)
    house = await mounted(demo)
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)
    await joins(eve, house, "act", "", tab="a")
    await joins(eve, house, "other", "", tab="a")
    await stage.began_in_all(2)
    await joins(eve, house, "other", "", tab="a")
    await joins(ada, house, "other", "", tab="mine")

    stage.all_go()
    await stage.began_in_all(4)

    assert stage.began == [EVE, EVE, ADA, EVE]


async def test_a_waiting_tab_is_told_its_place_in_the_actual_order(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.act))
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)
    for number in range(10):
        await joins(eve, house, "act", "", tab=f"eve{number}")
        await stage.began_in_all(1)
    await joins(ada, house, "act", "", tab="mine")
    stage.all_go()

    def ranks(messages: list[dict[str, Any]]) -> list[tuple[int, int]]:
        told = [m for m in messages if m["msg"] == "estimation"]
        return [(m["rank"], m["queue_size"]) for m in told]

    assert ranks(await ada.told("mine")) == [(0, 10)]
    last = ranks(await eve.told("eve9"))
    assert last == [(8, 9), (9, 10), *((n, n + 1) for n in range(8, -1, -1))]


async def test_the_announced_places_of_two_accounts_are_those_in_which_their_events_start(
    mounted: Mounts,
) -> None:
    started: list[str] = []
    may_begin = asyncio.Event()

    async def act(said: str) -> str:
        if said == "eve0":
            started.append(said)
            await may_begin.wait()
        elif said != "bob":
            started.append(said)
        return said

    house = await mounted(an_app(act))
    eve, ada, bob = [await house.signed_in(email) for email in (EVE, ADA, BOB)]
    await bob.gets("act", "bob")  # From now on, the usual time of the function is known.
    tabs = {f"eve{n}": eve for n in range(11)} | {f"ada{n}": ada for n in range(3)}
    for tab, who in tabs.items():
        await joins(who, house, "act", tab, tab=tab)
        await until(lambda: started == ["eve0"])
    await asyncio.sleep(2 * TOLD_WITHIN)
    queue = queue_of(house)
    places: dict[tuple[int, int], str] = {}
    for event in queue._waiting():
        messages: Any = queue.pending_messages_per_session[event.session_hash]
        last = messages._queue[-1]
        places[last.rank, last.queue_size] = event.session_hash.partition(".")[0]
    may_begin.set()
    await until(lambda: len(started) == len(tabs))

    assert sorted(places) == [(rank, 13) for rank in range(13)]
    assert [places[place] for place in sorted(places)] == started[1:]
    assert started[1:4] == ["ada0", "ada1", "ada2"]


async def test_a_long_queue_of_short_events_does_not_tell_every_tab_of_every_start(
    mounted: Mounts, stage: Stage
) -> None:
    waiting, starts = 60, 30
    house = await mounted(an_app(stage.act))
    eve = await house.signed_in(EVE)
    for number in range(waiting + 1):
        await joins(eve, house, "act", "", tab=f"eve{number}")
    await asyncio.sleep(2 * TOLD_WITHIN)
    messages: Any = queue_of(house).pending_messages_per_session
    last = next(tab for tab in messages if tab.startswith(f"eve{waiting}."))
    known, since = messages[last].qsize(), time.monotonic()
    for number in range(starts):
        stage.one_goes()
        await stage.began_in_all(number + 2)

    most = (time.monotonic() - since) * TOLD_PER_SECOND / (waiting - starts)
    assert messages[last].qsize() - known <= most + 1
    await asyncio.sleep(waiting / TOLD_PER_SECOND + TOLD_WITHIN)
    told = messages[last]._queue[-1]
    assert (told.rank, told.queue_size) == (waiting - starts - 1, waiting - starts)


async def test_a_waiting_tab_hears_that_the_events_before_it_were_cancelled(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.act))
    eve = await house.signed_in(EVE)
    for number in range(3):
        await joins(eve, house, "act", "", tab=f"eve{number}")
        await stage.began_in_all(1)
    account = next(iter(house.pages.accounts.all()))
    cancelled = next(one for one, tab in account.under_way.items() if tab.name.startswith("eve1"))
    body = {"event_id": cancelled, "fn_index": 0, "session_hash": "eve1"}
    (await eve.http.post(f"{API}/cancel", json=body)).raise_for_status()
    await asyncio.sleep(2 * TOLD_WITHIN)
    stage.all_go()

    told = [m for m in await eve.told("eve2") if m["msg"] == "estimation"]

    assert [(m["rank"], m["queue_size"]) for m in told][-1] == (0, 1)


# Places to wait


@pytest.mark.parametrize(("size", "of_one", "of_another"), [(1, 1, 0), (2, 1, 1), (7, 3, 4)])
async def test_one_account_has_at_most_half_of_the_places_that_the_author_set(
    mounted: Mounts, stage: Stage, size: int, of_one: int, of_another: int
) -> None:
    demo = an_app(stage.act)
    demo.queue(max_size=size)
    house = await mounted(demo)
    eve, ada, bob = [await house.signed_in(email) for email in (EVE, ADA, BOB)]
    await posts(bob, "queue/join", "", tab="runs")
    await stage.began_in_all(1)

    eves = await post_many([eve], size + 5)
    adas = await post_many([ada], half := limits.half_of(size))
    full = [await posts(bob, "queue/join", "", tab=f"b{n}") for n in range(size + 1)][-1]

    assert [answer.status_code for answer in eves].count(200) == of_one
    refused = next(answer for answer in eves if answer.status_code != 200)
    assert is_problem(refused, 429)
    assert f"{of_one} of your events wait" in refused.json()["detail"]
    assert [answer.status_code for answer in adas].count(200) == min(half, of_another)
    assert is_problem(full, 503)
    assert f"All {size} places" in full.json()["detail"]
    stage.all_go()
    await until_everything_is_released(house)


async def test_one_account_has_at_most_half_of_a_thousand_places(
    mounted: Mounts, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENTS", 10_000)
    house = await mounted(an_app(stage.act), sessions_per_user=20)
    eves = await an_abuser(house)
    ada = await house.signed_in(ADA)
    await posts(ada, "queue/join", "", tab="runs")
    await stage.began_in_all(1)

    answers = await post_many(eves, 700)
    by_names = await eves[0].http.post(f"{API}/call/v2/act", json={"said": "x"})
    adas = await posts(ada, "queue/join", "", tab="mine")

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {200: 500, 429: 200}
    assert is_problem(by_names, 429)
    assert adas.status_code == 200


async def test_events_whose_validator_runs_count_as_waiting(mounted: Mounts, stage: Stage) -> None:
    async def checks(said: str) -> Any:
        await stage.act()
        return gr.validate(said != "bad", "bad")

    demo = an_app(stage.act, validator=checks)
    demo.queue(max_size=4)
    house = await mounted(demo)
    eve = await house.signed_in(EVE)

    joining = [
        asyncio.create_task(posts(eve, "queue/join", said, tab="t")) for said in ("bad", "bad")
    ]
    await stage.holds(EVE, 2)
    one_more = await posts(eve, "queue/join", "", tab="t")
    stage.all_go()
    refused = [(await task).status_code for task in joining]
    await until_everything_is_released(house)

    assert is_problem(one_more, 429)
    assert refused == [422, 422]
    assert (await posts(eve, "queue/join", "", tab="t")).status_code == 200


# Concurrent runs


@pytest.mark.parametrize(("limit", "of_one"), [(1, 1), (2, 1), (3, 1), (4, 2), (None, 20)])
async def test_one_account_runs_at_most_half_of_the_concurrent_events_of_a_function(
    mounted: Mounts, stage: Stage, limit: int | None, of_one: int
) -> None:
    house = await mounted(an_app(stage.act, concurrency_limit=limit))
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)
    await post_many([eve], 30)
    await stage.holds(EVE, of_one)

    await joins(ada, house, "act", "of Ada", tab="mine")
    if limit != 1:
        await stage.holds(ADA, 1)
    stage.all_go()

    assert completed(await ada.told("mine"))["success"]
    await until_everything_is_released(house)
    assert stage.most[EVE] == of_one
    assert stage.began.count(EVE) == 30


# Threads


async def test_events_without_the_queue_leave_a_thread_to_other_accounts(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.act_in_thread, queue=False), sessions_per_user=20)
    eves = await an_abuser(house)
    ada = await house.signed_in(ADA)

    running = [
        asyncio.create_task(posts(eves[n % 12], "run/act", "", tab="t"))
        for n in range(limits.DIRECT + 5)
    ]
    await until(lambda: sum(task.done() for task in running) == 5)
    await stage.holds(EVE, 19)
    adas = [asyncio.create_task(posts(ada, "run/act", "", tab="mine")) for _ in range(3)]
    await stage.holds(ADA, 3)
    stage.all_go()
    answers = [await task for task in running]

    assert Counter(answer.status_code for answer in answers) == {200: limits.DIRECT, 429: 5}
    assert [(await task).status_code for task in adas] == [200] * 3
    assert stage.most[EVE] == 19
    assert stage.began.count(EVE) == limits.DIRECT
    await until_everything_is_released(house)


async def test_one_account_holds_at_most_half_of_the_threads_over_all_pages(
    mounted: Mounts, stage: Stage
) -> None:
    def slow_to_read(said: str) -> Any:
        stage.act_in_thread()
        return gr.validate(bool(said), "empty")

    async def quick(said: str) -> str:
        return said

    async def checked(said: str) -> str:
        return said

    with gr.Blocks() as demo:
        said, shown, slow = gr.Textbox(), gr.Textbox(), gr.Textbox()
        slow.postprocess = stage.act_in_thread  # type: ignore[method-assign,assignment]
        gr.Button().click(stage.act_in_thread, said, shown, api_name="act", concurrency_limit=None)
        gr.Button().click(quick, said, slow, api_name="coroutine", concurrency_limit=None)
        gr.Button().click(checked, said, shown, api_name="checked", validator=slow_to_read)

        @gr.render(inputs=said, triggers=[said.submit])  # type: ignore[untyped-decorator]
        def show(_: str) -> None:
            stage.act_in_thread()

    other = an_app(stage.act_in_thread, concurrency_limit=None)
    house = await mounted(demo, others=[ui.Page(demo=other, title="Other")])
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)
    render = next(i for i, fn in house.demo.fns.items() if fn.renderable)

    async def starts(browser: Browser, *, times: int) -> list["asyncio.Task[Any]"]:
        tasks = []
        for n in range(times):
            for index in (0, 1, 2, render):
                body = {"data": ["x"], "fn_index": index, "session_hash": f"t{n}"}
                post = browser.http.post(f"{API}/queue/join", json=body)
                tasks.append(asyncio.create_task(post))
            there = f"{GRADIO}/other/gradio_api"
            for address in ("queue/join", "run/act"):
                post = posts(browser, address, "x", tab=f"t{n}", page=there)
                tasks.append(asyncio.create_task(post))
            tasks += [
                asyncio.create_task(posts(browser, f"run/{name}", "x", tab=f"t{n}"))
                for name in ("act", "coroutine")
            ]
        return tasks

    eves = await starts(eve, times=12)
    await stage.holds(EVE, 20)
    adas = await starts(ada, times=1)
    await stage.holds(ADA, len(adas))
    stage.all_go()
    statuses = {(await task).status_code for task in [*eves, *adas]}
    await until_everything_is_released(house)

    assert statuses == {200}
    assert (stage.most[EVE], stage.most[ADA]) == (20, 8)
    assert stage.began.count(EVE) == 12 * 8


async def test_validators_use_the_threads_of_their_account(mounted: Mounts, stage: Stage) -> None:
    def slow_to_read(said: str) -> Any:
        return gr.validate(not stage.act_in_thread(said), "not empty")

    house = await mounted(an_app(stage.act, validator=slow_to_read))
    eve = await house.signed_in(EVE)

    joining = [asyncio.create_task(posts(eve, "queue/join", "x", tab="t")) for _ in range(30)]
    await stage.holds(EVE, 19)
    stage.all_go()

    assert {(await task).status_code for task in joining} == {422}
    assert stage.most[EVE] == 19
    await until_everything_is_released(house)


async def test_generators_and_component_functions_use_the_threads_of_their_account(
    mounted: Mounts, stage: Stage
) -> None:
    def tell(said: str) -> Iterator[str]:
        yield said
        yield stage.act_in_thread(said)

    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(tell, said, shown, api_name="act", concurrency_limit=None)
        html = gr.HTML(server_functions=[stage_function(stage)])
    house = await mounted(demo)
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)

    def starts(browser: Browser, *, times: int) -> list["asyncio.Task[Any]"]:
        function = {"data": [], "component_id": html._id, "fn_name": "stays", "session_hash": "t"}
        return [
            asyncio.create_task(one)
            for _ in range(times)
            for one in (
                posts(browser, "queue/join", "x", tab="t"),
                browser.http.post(f"{API}/component_server", json=function),
            )
        ]

    eves = starts(eve, times=18)
    await stage.holds(EVE, 19)
    adas = starts(ada, times=1)
    await stage.holds(ADA, 2)
    stage.all_go()
    statuses = {(await task).status_code for task in [*eves, *adas]}
    await until_everything_is_released(house)

    assert statuses == {200}
    assert stage.most[EVE] == 19
    assert stage.began.count(EVE) == 36


def stage_function(stage: Stage) -> Callable[..., Any]:
    def stays(_: Any) -> str:
        return stage.act_in_thread()

    return stays


async def test_an_account_without_free_threads_does_not_block_other_functions(
    mounted: Mounts, stage: Stage
) -> None:
    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(stage.act_in_thread, said, shown, api_name="act", concurrency_limit=None)
        gr.Button().click(lambda said: said, said, shown, api_name="alone", concurrency_limit=1)
    house = await mounted(demo)
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)
    await post_many([eve], 30)
    await stage.holds(EVE, 19)
    await joins(eve, house, "alone", "of Eve", tab="her")
    await joins(ada, house, "alone", "of Ada", tab="mine")

    assert completed(await ada.told("mine"))["output"]["data"] == ["of Ada"]
    stage.all_go()
    assert completed(await eve.told("her"))["output"]["data"] == ["of Eve"]


# Batches


async def test_a_batch_takes_events_of_each_account_in_turn(mounted: Mounts) -> None:
    batches: list[list[str]] = []
    go_on = asyncio.Event()

    async def shout(said: list[str]) -> list[list[str]]:
        batches.append(said)
        await go_on.wait()
        return [[one.upper() for one in said]]

    house = await mounted(an_app(shout, batch=True, max_batch_size=4))
    eve, ada, bob = [await house.signed_in(email) for email in (EVE, ADA, BOB)]
    await joins(eve, house, "act", "first", tab="her")
    await until(lambda: len(batches) == 1)
    for number in range(10):
        await joins(eve, house, "act", f"eve {number}", tab=f"e{number}")
    for browser, said in ((ada, "ada"), (bob, "bob")):
        await joins(browser, house, "act", said, tab="mine")
    go_on.set()

    assert completed(await ada.told("mine"))["output"]["data"] == ["ADA"]
    assert completed(await bob.told("mine"))["output"]["data"] == ["BOB"]
    assert completed(await eve.told("e9"))["output"]["data"] == ["EVE 9"]
    await until_everything_is_released(house)
    assert [list(batch) for batch in batches] == [
        ["first"],
        ["ada", "bob", "eve 0", "eve 1"],
        [f"eve {number}" for number in range(2, 6)],
        [f"eve {number}" for number in range(6, 10)],
    ]


async def test_the_time_of_a_batch_is_shared_among_its_accounts(
    mounted: Mounts,
) -> None:
    batches: list[list[str]] = []
    may_go = asyncio.Semaphore(0)

    async def shout(said: list[str]) -> list[list[str]]:
        batches.append(list(said))
        await may_go.acquire()
        return [[one.upper() for one in said]]

    house = await mounted(an_app(shout, batch=True, max_batch_size=4))
    eve, ada, bob = [await house.signed_in(email) for email in (EVE, ADA, BOB)]
    await joins(bob, house, "act", "first", tab="his")
    await until(lambda: len(batches) == 1)
    await joins(eve, house, "act", "eve", tab="her")
    for _ in range(3):
        await joins(ada, house, "act", "ada", tab="mine")
    may_go.release()
    await until(lambda: len(batches) == 2)
    await asyncio.sleep(0.1)  # A quarter of this time is Eve's, and the rest Ada's.
    for browser, said in ((ada, "ada"), (eve, "eve")):
        await joins(browser, house, "act", said, tab="again")
    for _ in range(2):
        may_go.release()
    await until_everything_is_released(house)

    assert batches == [["first"], ["eve", "ada", "ada", "ada"], ["eve", "ada"]]


# Cancelled and ended events


async def cancels(browser: Browser, event_id: str, tab: str) -> None:
    body = {"session_hash": tab, "fn_index": 0, "event_id": event_id}
    answer = await browser.http.post(f"{API}/cancel", json=body)
    assert answer.json() == {"success": True}


async def test_a_cancelled_event_releases_everything_that_it_held(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.act))
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)
    ids = [await joins(eve, house, "act", "", tab=f"t{number}") for number in range(4)]
    await stage.began_in_all(1)

    await cancels(eve, ids[2], "t2")
    cancelling = []
    for _ in range(10):  # Also while Gradio removes the event.
        cancelling.append(asyncio.create_task(cancels(eve, ids[0], "t0")))
        await asyncio.sleep(0.001)
    await asyncio.gather(*cancelling)
    await stage.began_in_all(2)
    await joins(ada, house, "act", "", tab="mine")
    stage.all_go()
    assert completed(await ada.told("mine"))["success"]

    await until_everything_is_released(house)


async def test_an_event_cancelled_before_its_first_step_releases_everything(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.act))
    queue, eve = queue_of(house), await house.signed_in(EVE)
    process = queue.process_events

    def cancelled_at_once(*args: Any) -> Any:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: [t.cancel() for t in queue._asyncio_tasks])
        return process(*args)

    queue.process_events = cancelled_at_once  # type: ignore[method-assign,assignment]
    for _ in range(3):
        await joins(eve, house, "act", "", tab="t")
    await until_everything_is_released(house)
    queue.process_events = process  # type: ignore[method-assign]
    await joins(eve, house, "act", "", tab="t")

    await stage.began_in_all(1)


async def test_an_event_cancelled_in_a_thread_counts_until_the_thread_ends(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.act_in_thread, concurrency_limit=None))
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)
    for number in range(40):
        event_id = await joins(eve, house, "act", "", tab=f"t{number}")
        if number < 19:
            await stage.holds(EVE, number + 1)
        await cancels(eve, event_id, f"t{number}")
    await joins(eve, house, "act", "of Eve", tab="her")
    await joins(ada, house, "act", "", tab="mine")
    await stage.holds(ADA, 1)
    at_most = stage.most[EVE]
    stage.all_go()

    assert at_most == 19
    assert completed(await eve.told("her"))["output"]["data"] == ["of Eve"]
    await until_everything_is_released(house)


async def test_a_session_that_ends_releases_everything(mounted: Mounts, stage: Stage) -> None:
    house = await mounted(an_app(stage.act_in_thread))
    eve, ada = await house.signed_in(EVE), await house.signed_in(ADA)
    await post_many([eve], 20)
    await stage.holds(EVE, 1)
    await house.ends(eve)
    await house.forgets()
    await joins(ada, house, "act", "", tab="mine")
    stage.all_go()

    assert completed(await ada.told("mine"))["success"]
    await until_everything_is_released(house)
    assert stage.began == [EVE, ADA]


async def test_the_oldest_functions_that_gr_render_has_made_are_released(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RENDERED", 3)
    with gr.Blocks() as demo:
        text = gr.Textbox()

        @gr.render(inputs=text, triggers=[text.submit])  # type: ignore[untyped-decorator]
        def show(said: str) -> None:
            gr.Button().click(lambda: said, None, gr.Textbox(), api_name="inner")

    house = await mounted(demo)
    queue, ada = queue_of(house), await house.signed_in(ADA)
    render = next(i for i, fn in house.demo.fns.items() if fn.renderable)

    async def posts_index(index: int, *data: Any) -> Any:
        body = {"data": data, "fn_index": index, "session_hash": "mine"}
        assert (await ada.http.post(f"{API}/queue/join", json=body)).status_code == 200
        return completed(await ada.told("mine"))["output"]

    for number in range(12):
        rendered = (await posts_index(render, f"text {number}"))["render_config"]
        for _ in range(2):
            said = await posts_index(rendered["dependencies"][0]["id"])
            assert said["data"] == [f"text {number}"]
    await until_everything_is_released(house)

    assert len(queue._groups) == 1 + 3
    assert len(queue.process_time_per_fn) == 1 + 3


async def test_an_app_has_its_own_queue_again_after_the_service(mounted: Mounts) -> None:
    demo = an_app(str)
    demo.queue(max_size=7, default_concurrency_limit=3)
    await mounted(demo)
    await mounted.closing.aclose()

    queue = demo._queue
    assert type(queue) is type(gr.Blocks()._queue)
    assert (queue.max_size, queue.default_concurrency_limit) == (7, 3)
    demo.create_limiter()  # type: ignore[no-untyped-call]
    assert demo.limiter is None


async def test_an_app_whose_author_asked_for_more_threads_has_its_own_limiter(
    mounted: Mounts,
) -> None:
    demo = an_app(str)
    demo.max_threads = 8
    house = await mounted(demo)

    assert house.demo.limiter is not house.pages.threads
    assert index_of(house, "act") == 0
    eve = await house.signed_in(EVE)
    assert await eve.gets("act", "x") == "x"
