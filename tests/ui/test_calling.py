"""Every kind of Gradio callback knows its caller and keeps changes of the session's data."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

import gradio as gr
import pytest

from domain.errors import EmailTaken, SessionEnded, StateInvalid
from entrypoints.ui import PageRefused, being_built
from gradioapp import User, current_session, current_user, injected, redirect, requires
from tests.ui.attacks import opened
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed, steps

ADA: Final = "ada@example.org"


def an_app(fn: Callable[..., Any], *, takes: int = 0, **event: Any) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        inputs = [gr.Textbox() for _ in range(takes)]
        gr.Button().click(fn, inputs, gr.Textbox(), api_name="fn", **event)
    return demo


def deep(levels: int = 20) -> str:
    return deep(levels - 1) if levels else current_user().email


def sync() -> str:
    return deep()


async def coroutine() -> str:
    await asyncio.sleep(0)
    return deep()


async def in_a_thread() -> str:
    return await asyncio.to_thread(deep)


async def in_a_task() -> str:
    return await asyncio.create_task(coroutine())


def sync_steps() -> Iterator[str]:
    yield f"first {deep()}"
    yield f"second {deep()}"


async def async_steps() -> AsyncIterator[str]:
    yield f"first {deep()}"
    await asyncio.sleep(0)
    yield f"second {deep()}"


async def answer_of(run: Browser, path: str, *data: Any) -> dict[str, Any]:
    answer = await run.http.post(f"{GRADIO}/gradio_api/{path}", json={"data": data})
    said: dict[str, Any] = answer.json()
    return said


async def is_signed_in(house: House, browser: Browser) -> bool:
    try:
        await house.kept(browser)
    except SessionEnded:
        return False
    return True


# The caller


@pytest.mark.asvs("8.3.3")
@pytest.mark.parametrize("fn", [sync, coroutine, in_a_thread, in_a_task])
async def test_a_callback_knows_its_caller_at_any_depth(
    mounted: Mounts, fn: Callable[[], str | Awaitable[str]]
) -> None:
    ada = await (await mounted(an_app(fn))).signed_in()

    assert await ada.gets("fn") == ADA


@pytest.mark.parametrize("fn", [sync_steps, async_steps])
async def test_a_generator_knows_its_caller_in_every_step(
    mounted: Mounts, fn: Callable[[], Any]
) -> None:
    ada = await (await mounted(an_app(fn))).signed_in()

    assert steps(await ada.runs("fn")) == [f"first {ADA}", f"second {ADA}"]


@pytest.mark.parametrize("fn", [sync, coroutine])
@pytest.mark.parametrize("path", ["run", "api"])
async def test_an_event_past_the_queue_knows_its_caller(
    mounted: Mounts, fn: Callable[[], Any], path: str
) -> None:
    ada = await (await mounted(an_app(fn, queue=False))).signed_in()

    assert (await answer_of(ada, f"{path}/fn"))["data"] == [ADA]


async def test_a_call_of_a_program_knows_its_caller(mounted: Mounts) -> None:
    ada = await (await mounted(an_app(sync))).signed_in()

    event_id = (await answer_of(ada, "call/fn"))["event_id"]
    told = await ada.http.get(f"{GRADIO}/gradio_api/call/fn/{event_id}")

    assert f'["{ADA}"]' in told.text


async def test_a_load_event_knows_its_caller(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        demo.load(sync, None, gr.Textbox(), api_name="load")
    ada = await (await mounted(demo)).signed_in()

    assert await ada.gets("load") == ADA


async def test_a_value_function_knows_its_caller(mounted: Mounts) -> None:
    demo = gr.Blocks()
    with being_built(), demo:
        box = gr.Textbox(value=lambda: f"of {current_user().email}")
    house = await mounted(demo)
    bob = await house.signed_in("bob@example.org")
    [number] = demo.fns

    await bob.http.post(
        f"{GRADIO}/gradio_api/queue/join",
        json={"data": [], "fn_index": number, "session_hash": "tab"},
    )

    assert completed(await bob.told("tab"))["output"]["data"] == ["of bob@example.org"]
    assert box.value == "of "


async def test_an_unload_event_knows_the_owner_of_its_tab(mounted: Mounts) -> None:
    left: list[str] = []
    demo = gr.Blocks()
    with demo:
        demo.unload(lambda: left.append(current_user().email))
        gr.Button().click(sync, None, gr.Textbox(), api_name="fn")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    for browser in (ada, bob):
        await browser.gets("fn")
        async with opened(house, browser, f"{GRADIO}/gradio_api/heartbeat/mine"):
            assert left == ([] if browser is ada else [ADA])

    assert left == [ADA, "bob@example.org"]


def leaving(*leave: Callable[..., Any]) -> gr.Blocks:
    """Make an app with these unload events."""
    demo: gr.Blocks
    with gr.Blocks() as demo:
        for each in leave:
            demo.unload(each)
        gr.Button().click(sync, None, gr.Textbox(), api_name="fn")
    return demo


async def hears(stream: Any, text: str) -> None:
    while text not in stream.text:
        stream.has_said.clear()
        await asyncio.wait_for(stream.has_said.wait(), 10)


RESUMABLE: Final[list[dict[str, str]]] = [{}, {"x_gradioapp_stream": "one"}]
"""Headers of a heartbeat: of a program, and of a page that resumes its streams."""


@pytest.mark.parametrize("headers", RESUMABLE, ids=["program", "page"])
@pytest.mark.parametrize("ends_first", ["the tab", "the session"])
async def test_an_unload_event_runs_as_nobody_if_its_session_has_ended(
    mounted: Mounts, ends_first: str, headers: dict[str, str], lines: list[Any]
) -> None:
    left: list[Any] = []
    is_over = asyncio.Event()

    def leave(request: gr.Request) -> None:
        left.append(request.username)
        for ask in (current_user, current_session, lambda: redirect("/gradio/")):
            with pytest.raises(RuntimeError, match=r"read request\.username"):
                ask()
        is_over.set()

    house = await mounted(leaving(leave))
    ada = await house.signed_in()

    async with opened(house, ada, f"{GRADIO}/gradio_api/heartbeat/mine", **headers) as stream:
        await hears(stream, "ALIVE")
        await house.ends(ada)
        if ends_first == "the session":
            await asyncio.wait_for(is_over.wait(), 10)
    if headers and ends_first == "the tab":
        # The tab may come back for a while.
        [account] = house.pages.accounts.all()
        account.resumable.leave(next(iter(account.tabs)))
        await asyncio.wait_for(is_over.wait(), 10)

    assert left == [ADA]
    assert "unload event failed" not in [line["event"] for line in lines]


@pytest.mark.parametrize("headers", RESUMABLE, ids=["program", "page"])
async def test_an_unload_event_runs_once_as_its_caller_when_the_service_stops(
    mounted: Mounts, headers: dict[str, str]
) -> None:
    left: list[str] = []
    is_over = asyncio.Event()

    def leave(*, user: User = injected) -> None:
        left.append(user.email)
        is_over.set()

    house = await mounted(leaving(leave))
    ada = await house.signed_in()

    async with opened(house, ada, f"{GRADIO}/gradio_api/heartbeat/mine", **headers) as stream:
        await hears(stream, "ALIVE")
        house.pages.stopping.set()
        await asyncio.wait_for(is_over.wait(), 10)

    assert left == [ADA]


@pytest.mark.parametrize("is_alive", [True, False])
async def test_an_unload_event_that_fails_is_logged_once_and_stops_no_other(
    mounted: Mounts, lines: list[Any], *, is_alive: bool
) -> None:
    left: list[str] = []

    def fails() -> None:
        raise ValueError("no such thing")

    def asks() -> None:
        raise gr.Error("nobody reads this")

    house = await mounted(leaving(fails, asks, lambda: left.append("last")))
    ada = await house.signed_in()

    async with opened(house, ada, f"{GRADIO}/gradio_api/heartbeat/mine") as stream:
        await hears(stream, "ALIVE")
        if not is_alive:
            await house.ends(ada)

    failed = [line for line in lines if line["log_level"] in {"warning", "error", "critical"}]
    assert [(line["event"], line["of"]) for line in failed] == [
        ("unload event failed", "fails"),
        ("unload event failed", "asks"),
    ]
    assert left == ["last"]


TIDIED: Final[list[str]] = []


@requires("keeper")
def tidies() -> None:
    TIDIED.append("by nobody")


async def test_an_unload_event_that_needs_a_role_does_not_run_as_nobody(
    mounted: Mounts, lines: list[Any]
) -> None:
    house = await mounted(leaving(tidies))
    await house.has("ada@example.org", "Ada", "keeper")
    ada = await house.signed_in()

    async with opened(house, ada, f"{GRADIO}/gradio_api/heartbeat/mine") as stream:
        await hears(stream, "ALIVE")
        await house.ends(ada)

    assert TIDIED == []
    [failed] = [line for line in lines if line["event"] == "unload event failed"]
    assert failed["of"] == "tidies"


async def test_every_event_of_a_chain_knows_its_caller_and_earlier_changes(mounted: Mounts) -> None:
    def first() -> str:
        current_session().data["chain"] = [deep()]
        return "first"

    def second() -> str:
        return f"{current_session().data['chain']} {deep()}"

    with gr.Blocks() as demo:
        box = gr.Textbox()
        gr.Button().click(first, None, box, api_name="first").then(
            second, None, box, api_name="second"
        )
    ada = await (await mounted(demo)).signed_in()

    await ada.gets("first")

    assert await ada.gets("second") == f"['{ADA}'] {ADA}"


async def test_the_username_of_a_request_is_the_e_mail_address(mounted: Mounts) -> None:
    def fn(request: gr.Request) -> str | None:
        return request.username

    ada = await (await mounted(an_app(fn))).signed_in()

    assert await ada.gets("fn") == ADA


async def test_the_session_of_a_callback_is_that_of_the_cookie(mounted: Mounts) -> None:
    def fn() -> str:
        session = current_session()
        return f"{session.id} {session.ends_at.isoformat()}"

    ada = await (await mounted(an_app(fn))).signed_in()
    assert ada.session is not None

    assert await ada.gets("fn") == f"{ada.session.id} {ada.session.ends_at.isoformat()}"


@pytest.mark.asvs("8.2.2", "15.4.1")
async def test_twenty_callers_at_once_are_never_mixed(mounted: Mounts) -> None:
    async def fn(text: str) -> str:
        data = current_session().data
        data["mine"] = text
        before = current_user().email
        await asyncio.sleep(0.01)
        return f"{before} {await asyncio.to_thread(deep)} {data['mine']}"

    house = await mounted(an_app(fn, takes=1, concurrency_limit=None))
    emails = [f"user{n}@example.org" for n in range(20)]
    browsers = [await house.signed_in(email) for email in emails]

    answers = await asyncio.gather(
        *(b.gets("fn", f"of {e}") for b, e in zip(browsers, emails, strict=True))
    )

    assert answers == [f"{email} {email} of {email}" for email in emails]
    assert [await house.kept(b) for b in browsers] == [{"mine": f"of {email}"} for email in emails]


async def test_the_caller_is_unknown_outside_a_callback(mounted: Mounts) -> None:
    await mounted(gr.Blocks())

    with pytest.raises(RuntimeError, match="Nobody is signed in here: this works inside a Gradio"):
        current_user()
    with pytest.raises(RuntimeError, match="Nobody is signed in here"):
        current_session()


async def test_a_thread_that_the_author_starts_has_no_caller(mounted: Mounts) -> None:
    said: list[str] = []

    def ask() -> None:
        try:
            said.append(current_user().email)
        except RuntimeError as error:
            said.append(str(error))

    def fn() -> str:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return said[0]

    ada = await (await mounted(an_app(fn))).signed_in()

    assert "not in a thread of your own" in await ada.gets("fn")


# Session data


async def test_a_value_that_a_callback_sets_is_kept_with_the_session(mounted: Mounts) -> None:
    def fn() -> None:
        current_session().data["colour"] = {"name": "red"}

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    await ada.gets("fn")

    assert await house.kept(ada) == {"colour": {"name": "red"}}


async def test_changes_through_the_session_of_a_request_are_kept(mounted: Mounts) -> None:
    def fn(request: gr.Request) -> str:
        assert request.request is not None
        request.request.session["visits"] = request.request.session.get("visits", 0) + 1
        return str(current_session().data["visits"])

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    assert [await ada.gets("fn"), await ada.gets("fn")] == ["1", "2"]
    assert await house.kept(ada) == {"visits": 2}


async def test_a_value_that_a_callback_removes_is_gone(mounted: Mounts) -> None:
    def fn() -> None:
        data = current_session().data
        if "old" in data:
            del data["old"]
        else:
            data.update(old=1, other=2)

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    await ada.gets("fn")
    await ada.gets("fn")

    assert await house.kept(ada) == {"other": 2}


async def test_a_change_inside_a_value_is_kept(mounted: Mounts) -> None:
    def fn() -> None:
        current_session().data.setdefault("cart", {"items": []})["items"].append("pear")

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    await ada.gets("fn")
    await ada.gets("fn")

    assert await house.kept(ada) == {"cart": {"items": ["pear", "pear"]}}


async def test_a_callback_that_raises_keeps_no_changes(mounted: Mounts) -> None:
    def fn(word: str) -> None:
        data = current_session().data
        data.setdefault("words", []).append(word)
        if word == "bad":
            raise ValueError(word)

    house = await mounted(an_app(fn, takes=1))
    ada = await house.signed_in()

    await ada.gets("fn", "good")
    await ada.runs("fn", "bad")

    assert await house.kept(ada) == {"words": ["good"]}


async def test_each_step_of_a_generator_is_kept_before_the_next_begins(mounted: Mounts) -> None:
    houses: list[House] = []
    found: list[dict[str, Any]] = []

    async def fn() -> AsyncIterator[int]:
        for number in range(3):
            found.append(await houses[0].kept(ada))
            current_session().data["step"] = number
            yield number

    houses.append(await mounted(an_app(fn)))
    ada = await houses[0].signed_in()

    await ada.runs("fn")

    assert found == [{}, {"step": 0}, {"step": 1}]
    assert await houses[0].kept(ada) == {"step": 2}


async def test_two_events_of_a_session_keep_only_their_own_changes(mounted: Mounts) -> None:
    has_begun, other_is_done = asyncio.Event(), asyncio.Event()

    async def fn(key: str) -> None:
        current_session().data[key] = "here"
        if key == "slow":
            has_begun.set()
            await other_is_done.wait()

    house = await mounted(an_app(fn, takes=1, concurrency_limit=None))
    ada = await house.signed_in()

    slow = asyncio.create_task(ada.gets("fn", "slow"))
    await has_begun.wait()
    await ada.gets("fn", "quick")
    other_is_done.set()
    await slow

    assert await house.kept(ada) == {"slow": "here", "quick": "here"}


@pytest.mark.parametrize("value", [object(), {1: "no text"}, float("nan"), {1, 2}])
async def test_a_value_that_is_not_json_is_refused_at_the_line_that_sets_it(
    mounted: Mounts, value: object
) -> None:
    reached: list[str] = []

    def fn() -> str:
        try:
            current_session().data["thing"] = value
        except StateInvalid as error:
            return error.sentence
        reached.append("the next line")
        return ""

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    said = await ada.gets("fn")

    assert said.startswith("The value of 'thing' ")
    assert not reached
    assert await house.kept(ada) == {}


async def test_a_value_that_is_not_json_inside_another_is_refused_with_the_reason(
    mounted: Mounts,
) -> None:
    def fn() -> str:
        current_session().data.setdefault("things", []).append(object())
        return "done"

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    last = completed(await ada.runs("fn"))

    assert not last["success"]
    assert last["output"]["title"] == "Cannot be saved"
    assert last["output"]["error"].startswith("The value of 'things' is not JSON")
    assert await house.kept(ada) == {}


# The end of a session


@pytest.mark.asvs("7.4.1", "8.3.2")
@pytest.mark.parametrize("is_async", [True, False])
async def test_an_ended_session_runs_no_further_step(mounted: Mounts, *, is_async: bool) -> None:
    reached: list[int] = []
    loop = asyncio.get_running_loop()

    async def async_fn() -> AsyncIterator[int]:
        for number in range(5):
            reached.append(number)
            if number == 1:
                await house.ends(ada)
            yield number

    def sync_fn() -> Iterator[int]:
        for number in range(5):
            reached.append(number)
            if number == 1:
                asyncio.run_coroutine_threadsafe(house.ends(ada), loop).result(timeout=5)
            yield number

    house = await mounted(an_app(async_fn if is_async else sync_fn))
    ada = await house.signed_in()

    told = await ada.runs("fn")

    assert reached == [0, 1]
    assert told[-1]["msg"] == "unexpected_error"
    assert told[-1]["session_not_found"]


@pytest.mark.asvs("7.4.1")
async def test_an_event_whose_session_ends_while_it_waits_does_not_run(
    mounted: Mounts,
) -> None:
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()
    reached: list[str] = []

    async def fn(who: str) -> None:
        reached.append(who)
        has_begun.set()
        await may_go_on.wait()

    house = await mounted(an_app(fn, takes=1, concurrency_limit=1))
    ada, eve = await house.signed_in(), await house.signed_in("eve@example.org")

    first = await ada.start("fn", "ada")
    await has_begun.wait()
    await eve.start("fn", "eve")
    await house.ends(eve)
    may_go_on.set()
    await ada.told(first)
    await ada.gets("fn", "ada, who comes after eve")

    assert reached == ["ada", "ada, who comes after eve"]


@pytest.mark.asvs("7.4.1", "8.3.2")
async def test_a_batch_leaves_out_callers_whose_session_has_ended(mounted: Mounts) -> None:
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()
    reached: list[list[str]] = []

    async def fn(texts: list[str]) -> list[list[str]]:
        reached.append(list(texts))
        has_begun.set()
        await may_go_on.wait()
        return [[f"of {text}" for text in texts]]

    house = await mounted(an_app(fn, takes=1, batch=True, max_batch_size=4))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    eve = await house.signed_in("eve@example.org")

    await ada.start("fn", "first")
    await has_begun.wait()
    tabs = [
        await someone.start("fn", name) for name, someone in (("a", ada), ("e", eve), ("b", bob))
    ]
    await house.ends(eve)
    may_go_on.set()

    assert completed(await ada.told(tabs[0]))["output"]["data"] == ["of a"]
    assert completed(await bob.told(tabs[2]))["output"]["data"] == ["of b"]
    assert reached == [["first"], ["b", "a"]]  # Ada has run before, so Bob is first.


@pytest.mark.asvs("7.3.1")
@pytest.mark.parametrize(("event", "is_activity"), [("tick", False), ("click", True)])
async def test_a_click_keeps_a_session_awake_and_a_tick_does_not(
    mounted: Mounts, event: str, *, is_activity: bool
) -> None:
    with gr.Blocks() as demo:
        box = gr.Textbox()
        gr.Timer(1).tick(sync, None, box, api_name="tick")
        gr.Button().click(sync, None, box, api_name="click")
    house = await mounted(demo)
    ada = await house.signed_in()

    house.passes(minutes=20)
    assert await ada.gets(event) == ADA
    house.passes(minutes=20)

    assert await is_signed_in(house, ada) is is_activity


@pytest.mark.parametrize(("event", "is_listed"), [("tick", False), ("click", True)])
async def test_a_session_counts_as_running_during_a_click_but_not_during_a_tick(
    mounted: Mounts, event: str, *, is_listed: bool
) -> None:
    found: list[list[str]] = []

    def fn() -> None:
        found.append([str(session) for session in house.pages.running.sessions()])

    with gr.Blocks() as demo:
        gr.Timer(1).tick(fn, api_name="tick")
        gr.Button().click(fn, api_name="click")
    house = await mounted(demo)
    ada = await house.signed_in()
    assert ada.session is not None

    await ada.runs(event)

    assert found == [[str(ada.session.id)] if is_listed else []]
    assert not house.pages.running.sessions()


async def test_a_session_does_not_count_as_running_after_an_event_that_failed(
    mounted: Mounts,
) -> None:
    def fn() -> None:
        raise ValueError

    house = await mounted(an_app(fn))
    ada = await house.signed_in()

    await ada.runs("fn")

    assert not house.pages.running.sessions()


# Errors


@pytest.mark.asvs("16.5.1", "16.3.4")
@pytest.mark.parametrize("is_queued", [True, False])
async def test_a_fault_gives_the_caller_a_number_and_logs_the_details(
    mounted: Mounts, lines: list[dict[str, Any]], *, is_queued: bool
) -> None:
    def fn() -> None:
        raise ValueError("hunter2")

    ada = await (await mounted(an_app(fn, queue=is_queued))).signed_in()

    if is_queued:
        shown = completed(await ada.runs("fn"))["output"]
        path = f"{GRADIO}/gradio_api/queue/join"
    else:
        shown = await answer_of(ada, "run/fn")
        path = f"{GRADIO}/gradio_api/run/fn"

    asked = next(line for line in lines if line.get("path") == path)["request_id"]
    failed = next(line for line in lines if line["event"] == "event failed")
    assert shown["error"].startswith("Something went wrong.")
    assert f"number {asked}." in shown["error"]
    assert "hunter2" not in str(shown)
    assert (failed["request_id"], str(failed["exc_info"])) == (asked, "hunter2")


async def test_a_refusal_is_shown_with_its_sentence_and_not_logged_as_an_error(
    mounted: Mounts, lines: list[dict[str, Any]]
) -> None:
    def fn() -> None:
        raise EmailTaken

    ada = await (await mounted(an_app(fn))).signed_in()

    shown = completed(await ada.runs("fn"))["output"]

    assert (shown["error"], shown["title"]) == (EmailTaken.sentence, "Already taken")
    assert not [line for line in lines if line["log_level"] == "error"]


async def test_an_error_that_the_author_raises_is_shown_unchanged(mounted: Mounts) -> None:
    def fn() -> None:
        raise gr.Error("Own words", title="Own title", duration=3, print_exception=False)

    ada = await (await mounted(an_app(fn))).signed_in()

    shown = completed(await ada.runs("fn"))["output"]

    assert (shown["error"], shown["title"], shown["duration"]) == ("Own words", "Own title", 3)


async def test_missing_inputs_are_refused_before_the_callback_runs(mounted: Mounts) -> None:
    reached: list[tuple[str, ...]] = []

    def fn(*texts: str) -> None:
        reached.append(texts)

    ada = await (await mounted(an_app(fn, takes=2))).signed_in()

    for path in ("run/fn", "call/fn"):
        shown = await answer_of(ada, path, "one")
        assert shown["detail"] == "This event takes 2 inputs, not 1."
    assert not reached


# Results that Gradio caches


async def test_a_cached_function_is_called_once_for_all_callers(mounted: Mounts) -> None:
    reached: list[str] = []

    @gr.cache  # type: ignore[untyped-decorator]
    def shout(text: str) -> str:
        reached.append(current_user().email)
        return text.upper()

    house = await mounted(an_app(shout, takes=1))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    assert [await who.gets("fn", "hi") for who in (ada, bob, ada)] == ["HI"] * 3
    assert reached == [ADA]


async def test_a_cached_generator_yields_every_step(mounted: Mounts) -> None:
    @gr.cache  # type: ignore[untyped-decorator]
    def count(text: str) -> Iterator[str]:
        yield f"{text} 1"
        yield f"{text} 2"

    ada = await (await mounted(an_app(count, takes=1))).signed_in()

    assert steps(await ada.runs("fn", "hi")) == ["hi 1", "hi 2"]
    assert (await ada.gets("fn", "hi")) == "hi 2"


async def test_a_cached_function_refuses_a_caller_without_the_role(mounted: Mounts) -> None:
    @requires("trainer")
    @gr.cache  # type: ignore[untyped-decorator]
    def shout(text: str) -> str:
        return text.upper()

    house = await mounted(an_app(shout, takes=1))
    await house.has(ADA, "Ada", "trainer")
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    assert await ada.gets("fn", "hi") == "HI"
    refused = completed(await bob.runs("fn", "hi"))
    assert "This needs the role trainer" in refused["output"]["error"]


async def test_a_cached_function_that_takes_the_caller_is_refused_as_a_page(
    mounted: Mounts,
) -> None:
    @gr.cache  # type: ignore[untyped-decorator]
    def greet(text: str, *, user: User = injected) -> str:
        return f"{text} {user.name}"

    with pytest.raises(PageRefused, match=r"greet is cached by gr\.cache and takes User"):
        await mounted(an_app(greet, takes=1))


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("way", ["run", "join", "call", "call/v2"])
async def test_a_hugging_face_token_in_a_body_is_ignored(mounted: Mounts, way: str) -> None:
    seen: list[Any] = []

    def take(text: str, token: gr.OAuthToken | None) -> str:
        seen.append(token)
        return text

    with gr.Blocks() as demo:
        gr.Button().click(take, gr.Textbox(), gr.Textbox(), api_name="take")
    ada = await (await mounted(demo)).signed_in()
    sent: dict[str, tuple[str, dict[str, Any]]] = {
        "run": ("run/take", {"data": ["x"]}),
        "join": ("queue/join", {"data": ["x"], "fn_index": 0, "session_hash": "tab"}),
        "call": ("call/take", {"data": ["x"]}),
        "call/v2": ("call/v2/take", {"text": "x"}),
    }
    path, body = sent[way]

    response = await ada.http.post(
        f"{GRADIO}/gradio_api/{path}", json={**body, "oauth_token": "stolen"}
    )

    assert response.status_code == 200, response.text
    async with asyncio.timeout(10):
        while not seen:  # noqa: ASYNC110 -- Gradio has no event to wait for.
            await asyncio.sleep(0.01)
    assert seen == [None]
