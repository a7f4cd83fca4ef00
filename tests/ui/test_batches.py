"""Each caller of a batch is checked alone: a refused caller is told why, and the others get their own results."""

import asyncio
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import gradio as gr
import pytest
from PIL import Image

from domain.errors import AccessTokenEnded, SessionEnded, StoreUnavailable
from domain.model.caller import Caller, SignedIn
from entrypoints.ui.files.showing import NOT_AT_YOUR_WORD
from entrypoints.ui.mcp.offers import offers_of
from entrypoints.ui.sdk import PageRefused
from gradioapp import requires, visible_to
from tests.ui.attacks import FILE_META, as_file, fetches, uploads
from tests.ui.conftest import GRADIO, Browser, House, Messages, Mounts, completed

API: Final = f"{GRADIO}/gradio_api"
OPERATOR: Final = Caller.operator()
ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"


class Stage:
    """A batch function that returns its texts in capitals, and waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached: list[list[str]] = []
        self.has_begun, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def shout(self, texts: list[str]) -> list[list[str]]:
        self.reached.append(sorted(texts))
        self.has_begun.set()
        await self.may_go_on.wait()
        return [[text.upper() for text in texts]]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def an_app(fn: Callable[..., Any], *, on: str = "click", **event: Any) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        text, shown = gr.Textbox(), gr.Textbox()
        options = {"api_name": "fn", "batch": True, "max_batch_size": 8, **event}
        if on == "click":
            gr.Button().click(fn, text, shown, **options)
        elif on == "tick":
            gr.Timer(1).tick(fn, text, shown, **options)
        elif on == "load":
            demo.load(fn, text, shown, **options)
        else:
            gr.Button().click(str, text, shown, api_name="before").then(fn, text, shown, **options)
    return demo


async def with_role(house: House, *emails: str) -> list[Browser]:
    for email in emails:
        await house.has(email, email, "trainer")
    return [await house.signed_in(email) for email in emails]


def id_of(browser: Browser) -> Any:
    assert browser.session is not None
    return browser.session.user_id


async def loses_role(house: House, browser: Browser) -> None:
    await house.use_cases.revoke_role(OPERATOR, id_of(browser), "trainer")


async def gains_role(house: House, browser: Browser) -> None:
    await house.use_cases.grant_role(OPERATOR, id_of(browser), "trainer")


def needs_trainer(holder: str) -> str:
    return f"This needs the role trainer, which {holder} does not have."


def error_in(messages: Messages) -> tuple[str, str]:
    """Return the title and the sentence of an event that was refused exactly once."""
    (refused,) = [m for m in messages if m["msg"] == "process_completed"]
    assert refused["success"] is False
    assert refused["title"] == refused["output"]["title"]
    return refused["title"], refused["output"]["error"]


def unread(house: House) -> list[Any]:
    """Return the messages that wait for tabs."""
    queues = house.demo._queue.pending_messages_per_session.values()
    return [message for queue in queues for message in queue._queue]


def refusals(messages: list[Any]) -> list[tuple[str, str]]:
    return [(m.title, m.output["error"]) for m in messages if getattr(m, "success", None) is False]


# Roles


@pytest.mark.asvs("8.2.1", "8.3.1", "8.3.2")
@pytest.mark.parametrize("on", ["click", "then", "load", "tick"])
async def test_only_the_caller_who_has_lost_the_pages_role_is_refused(
    mounted: Mounts, stage: Stage, on: str, lines: list[dict[str, Any]]
) -> None:
    house = await mounted(an_app(stage.shout, on=on), roles={"trainer"})
    ada, bob, eve = await with_role(house, ADA, BOB, EVE)

    first = await ada.start("fn", "first")
    await stage.has_begun.wait()
    hers = await eve.start("fn", "e")
    his = await bob.start("fn", "b")
    second = await ada.start("fn", "a")
    await loses_role(house, bob)
    stage.may_go_on.set()
    outputs = [completed(await who.told(tab))["output"]["data"] for who, tab in (
        (ada, first), (eve, hers), (ada, second)
    )]  # fmt: skip
    await gains_role(house, bob)  # His page was closed to him, and his messages wait there.

    assert error_in(await bob.told(his)) == ("Not allowed", needs_trainer(BOB))
    assert not unread(house)
    assert outputs == [["FIRST"], ["E"], ["A"]]
    assert stage.reached == [["first"], ["a", "e"]]
    refused = [line for line in lines if line["event"] == "callback refused"]
    assert [(line["user_id"], line["needs"]) for line in refused] == [
        (str(id_of(bob)), ["trainer"])
    ]


@pytest.mark.asvs("8.2.1", "8.3.2")
async def test_a_batch_without_allowed_callers_does_not_run_and_each_is_told_alone(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.shout), roles={"trainer"})
    ada, bob, eve = await with_role(house, ADA, BOB, EVE)

    first = await ada.start("fn", "first")
    await stage.has_begun.wait()
    tabs = {who: await who.start("fn", "x") for who in (bob, eve)}
    for who in tabs:
        await loses_role(house, who)
    stage.may_go_on.set()
    await ada.told(first)
    assert await ada.gets("fn", "one more") == "ONE MORE"  # By then the two have been refused.
    for who in tabs:
        await gains_role(house, who)

    told = [error_in(await who.told(tab)) for who, tab in tabs.items()]
    assert told == [("Not allowed", needs_trainer(BOB)), ("Not allowed", needs_trainer(EVE))]
    assert stage.reached == [["first"], ["one more"]]


@pytest.mark.asvs("8.2.1", "8.3.2")
async def test_an_event_that_was_built_for_a_role_runs_in_no_batch_once_the_role_is_gone(
    mounted: Mounts, stage: Stage
) -> None:
    with gr.Blocks() as demo:

        @visible_to("trainer")
        def tools() -> None:
            gr.Button().click(
                stage.shout, gr.Textbox(), gr.Textbox(), api_name="fn", batch=True, max_batch_size=8
            )

    house = await mounted(demo)
    (ada,) = await with_role(house, ADA)
    number = next(n for n, fn in demo.fns.items() if fn.renderable)
    built = completed(await posts(ada, number, tab="tab"))["output"]["render_config"]
    shout = built["dependencies"][0]["id"]

    async def shouts(text: str) -> None:
        await joins(ada, shout, text, tab="tab")

    await shouts("first")
    await stage.has_begun.wait()
    await shouts("second")
    await shouts("third")
    await loses_role(house, ada)
    stage.may_go_on.set()
    told = [m for m in await ada.told("tab") if m["msg"] == "process_completed"]

    assert stage.reached == [["first"]]
    assert [m["output"].get("error") for m in told] == [None, *[needs_trainer(ADA)] * 2]


async def joins(browser: Browser, number: int, *data: Any, tab: str) -> None:
    body = {"data": data, "fn_index": number, "session_hash": tab}
    answer = await browser.http.post(f"{API}/queue/join", json=body)
    assert answer.status_code == 200, answer.text


async def posts(browser: Browser, number: int, *data: Any, tab: str) -> Messages:
    await joins(browser, number, *data, tab=tab)
    return await browser.told(tab)


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_a_batch_is_refused_on_every_way_to_call_it(mounted: Mounts, stage: Stage) -> None:
    stage.may_go_on.set()
    house = await mounted(an_app(stage.shout, queue=False), roles={"trainer"}, mcp=True)
    ada, bob = await with_role(house, ADA, BOB)

    async def asks(who: Browser, text: str) -> set[int]:
        found = set()
        [offer] = offers_of(house.demo)
        [parameter] = offer.schema["properties"]
        tool = {"name": offer.name, "arguments": {parameter: text}}
        for path, body in {
            "run/fn": {"data": [text]},
            "api/fn": {"data": [text]},
            "queue/join": {"data": [text], "fn_index": 0, "session_hash": "tab"},
            "call/fn": {"data": [text]},
            "call/v2/fn": {"texts": text},
            "mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool},
        }.items():
            answer = await who.http.post(f"{API}/{path}", json=body)
            found.add(answer.status_code)
        return found

    allowed = await asks(ada, "ada")
    await loses_role(house, bob)
    refused = await asks(bob, "bob")
    async with asyncio.timeout(30):
        while len(said := [text for texts in stage.reached for text in texts]) < 6:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert (allowed, refused) == ({200}, {403})
    assert said == ["ada"] * 6


@pytest.mark.asvs("8.3.1", "8.3.2")
@pytest.mark.parametrize("path", ["run/fn", "api/fn"])
async def test_a_batch_without_the_queue_checks_the_role_again(
    mounted: Mounts, stage: Stage, path: str
) -> None:
    reached: list[str] = []

    def shout(texts: list[str]) -> list[list[str]]:
        reached.extend(texts)
        return [texts]

    house = await mounted(an_app(shout, queue=False), roles={"trainer"})
    (bob,) = await with_role(house, BOB)
    recognise = house.gate._callers._recognise

    async def once(token: str, /, *, activity: bool) -> SignedIn:
        """Recognise the caller, and then revoke the role, just behind the gate."""
        found = await recognise(token, activity=activity)
        await loses_role(house, bob)
        return found

    house.gate._callers._recognise = once
    answer = await bob.http.post(f"{API}/{path}", json={"data": ["x"]})

    assert answer.status_code == 400
    assert needs_trainer(BOB) in answer.text
    assert not reached


# Sessions and access tokens that have ended


@pytest.mark.asvs("7.4.1", "8.3.2")
@pytest.mark.parametrize("batch", [True, False])
async def test_a_caller_whose_session_has_ended_is_told_so_with_and_without_a_batch(
    mounted: Mounts, stage: Stage, *, batch: bool
) -> None:
    async def alone(text: str) -> str:
        return (await stage.shout([text]))[0][0]

    house = await mounted(an_app(stage.shout if batch else alone, batch=batch, concurrency_limit=1))
    ada, eve = await house.signed_in(ADA), await house.signed_in(EVE)
    first = await ada.start("fn", "first")
    await stage.has_begun.wait()
    hers = await eve.start("fn", "e")
    second = await ada.start("fn", "a")
    listening = asyncio.create_task(eve.stream(hers))
    await is_listening(house, eve)

    await house.ends(eve)
    stage.may_go_on.set()

    assert completed(await ada.told(first))["output"]["data"] == ["FIRST"]
    assert completed(await ada.told(second))["output"]["data"] == ["A"]
    assert '"msg":"unexpected_error","event_id":null,"message":"Session expired"' in await listening
    assert stage.reached == [["first"], ["a"]]


async def is_listening(house: House, browser: Browser) -> None:
    """Return when the browser's stream has been admitted and waits for messages."""
    while not any(  # noqa: ASYNC110 -- Nothing tells when a stream has been let in.
        tab.session_id == browser.session.id  # type: ignore[union-attr]
        for account in house.pages.accounts.all()
        for tab in account.streams
    ):
        await asyncio.sleep(0)


@pytest.mark.asvs("7.4.1", "8.3.2")
@pytest.mark.parametrize("way", ["session", "access token"])
async def test_an_ended_caller_in_a_batch_gets_the_sentence_instead_of_an_empty_result(
    mounted: Mounts, stage: Stage, way: str
) -> None:
    house = await mounted(an_app(stage.shout))
    ada, eve = await house.signed_in(ADA), await house.signed_in(EVE)
    made = await house.makes_token(EVE)
    first = await ada.start("fn", "first")
    await stage.has_begun.wait()
    await (eve if way == "session" else house.program(made)).start("fn", "e")
    second = await ada.start("fn", "a")

    if way == "session":
        await house.ends(eve)
    else:
        assert eve.session is not None
        me = await house.use_cases.recognise(eve.http.cookies["gradioapp-session"], activity=False)
        await house.use_cases.revoke_token(me.caller, made.token.id)
    stage.may_go_on.set()

    assert completed(await ada.told(first))["output"]["data"] == ["FIRST"]
    assert completed(await ada.told(second))["output"]["data"] == ["A"]
    ended = {
        "session": ("Session ended", SessionEnded.sentence),
        "access token": ("Token ended", AccessTokenEnded.sentence),
    }
    assert refusals(unread(house)) == [ended[way]]
    assert stage.reached == [["first"], ["a"]]


async def test_an_unavailable_store_refuses_the_callers_that_it_cannot_check(
    mounted: Mounts, stage: Stage
) -> None:
    house = await mounted(an_app(stage.shout), session_cache_seconds=0)
    ada, eve = await house.signed_in(ADA), await house.signed_in(EVE)
    first = await ada.start("fn", "first")
    await stage.has_begun.wait()
    hers = await eve.start("fn", "e")
    units = house.container.units_of_work()
    reading = units.reading

    def unavailable() -> Any:
        raise StoreUnavailable

    units.reading = unavailable
    stage.may_go_on.set()
    while not refusals(unread(house)):  # noqa: ASYNC110 -- Gradio has no event to wait for.
        await asyncio.sleep(0)
    units.reading = reading

    assert error_in(await eve.told(hers)) == ("Database unavailable", StoreUnavailable.sentence)
    assert completed(await ada.told(first))["success"]
    assert stage.reached == [["first"]]


# Effects of a batch on its callers


@pytest.mark.asvs("7.3.1")
@pytest.mark.parametrize(("on", "is_activity"), [("tick", False), ("click", True)])
async def test_a_click_of_a_batch_keeps_a_session_awake_and_a_tick_does_not(
    mounted: Mounts, stage: Stage, on: str, *, is_activity: bool
) -> None:
    stage.may_go_on.set()
    house = await mounted(an_app(stage.shout, on=on))
    ada = await house.signed_in(ADA)

    house.passes(minutes=20)
    tab = await ada.start("fn", "x")
    house.passes(minutes=2)
    assert completed(await ada.told(tab))["output"]["data"] == ["X"]
    house.passes(minutes=20)

    answer = await ada.http.get("/api/v1/me", headers={"x-gradioapp-passive": "1"})
    assert answer.status_code == (200 if is_activity else 401)


@pytest.mark.parametrize(("on", "is_listed"), [("tick", False), ("click", True)])
async def test_the_sessions_of_a_batch_count_as_running_unless_a_tick_started_it(
    mounted: Mounts, stage: Stage, on: str, *, is_listed: bool
) -> None:
    found: list[set[Any]] = []

    async def fn(texts: list[str]) -> list[list[str]]:
        found.append(set(house.pages.running.sessions()))
        return await stage.shout(texts)

    house = await mounted(an_app(fn, on=on))
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    program = house.program(await house.makes_token(ADA))
    first = await ada.start("fn", "first")
    await stage.has_begun.wait()
    tabs = [(who, await who.start("fn", "x")) for who in (ada, bob, program)]
    stage.may_go_on.set()
    for who, tab in [(ada, first), *tabs]:
        assert completed(await who.told(tab))["success"]

    both = {ada.session.id, bob.session.id} if ada.session and bob.session else set()
    assert found[1] == (both if is_listed else set())
    assert not house.pages.running.sessions()


@pytest.mark.asvs("16.5.1", "16.3.4")
async def test_a_fault_of_a_batch_gives_each_caller_a_number_and_logs_the_details(
    mounted: Mounts, lines: list[dict[str, Any]]
) -> None:
    def fn(texts: list[str]) -> None:
        raise ValueError("hunter2")

    house = await mounted(an_app(fn))
    ada = await house.signed_in(ADA)

    title, sentence = error_in(await ada.runs("fn", "x"))

    failed = next(line for line in lines if line["event"] == "event failed")
    assert (title, str(failed["exc_info"])) == ("Error", "hunter2")
    assert f"number {failed['request_id']}." in sentence
    assert "hunter2" not in sentence


def too_few(texts: list[str]) -> list[list[str]]:
    return [texts[1:]]


def nothing(texts: list[str]) -> None:
    assert texts


def a_generator(texts: list[str]) -> Iterator[list[list[str]]]:
    yield [texts]


@pytest.mark.parametrize("fn", [too_few, nothing, a_generator], ids=lambda fn: fn.__name__)
@pytest.mark.parametrize("emails", [[ADA], [ADA, BOB]], ids=["alone", "together"])
async def test_each_caller_is_told_if_a_batch_does_not_return_a_value_for_each_input(
    mounted: Mounts, fn: Callable[..., Any], emails: list[str], lines: list[dict[str, Any]]
) -> None:
    house = await mounted(an_app(fn))
    browsers = [await house.signed_in(email) for email in emails]

    tabs = [await browser.start("fn", "text") for browser in browsers]
    told = [
        await asyncio.wait_for(browser.told(tab), 20)
        for browser, tab in zip(browsers, tabs, strict=True)
    ]

    for messages in told:
        title, sentence = error_in(messages)
        assert (title, sentence[:20]) == ("Error", "Something went wrong")
    faults = [str(line["exc_info"]) for line in lines if line["event"] == "event failed"]
    assert faults
    if fn is too_few:
        assert "one value for each input, as in [[value, value]]" in faults[0]


async def test_an_error_that_the_author_raises_reaches_all_callers_of_the_batch(
    mounted: Mounts, stage: Stage
) -> None:
    async def fn(texts: list[str]) -> list[list[str]]:
        await stage.shout(texts)
        raise gr.Error("Own words", title="Own title")

    house = await mounted(an_app(fn))
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    await ada.start("fn", "first")
    await stage.has_begun.wait()
    tabs = [(who, await who.start("fn", "x")) for who in (ada, bob)]
    stage.may_go_on.set()

    told = [error_in(await who.told(tab)) for who, tab in tabs]
    assert told == [("Own title", "Own words")] * 2


# Each caller's own tab


@pytest.mark.asvs("8.2.2", "15.4.2")
@pytest.mark.parametrize("loses", [None, EVE, BOB])
async def test_each_caller_of_a_batch_keeps_their_own_state(
    mounted: Mounts, stage: Stage, loses: str | None
) -> None:
    """`loses` is the caller who loses the role before the batch runs; None is nobody."""

    async def add(texts: list[str], sums: list[str]) -> list[list[str]]:
        await stage.shout(texts)
        sums = [f"{before}{text}" for before, text in zip(sums, texts, strict=True)]
        return [sums, sums]

    with gr.Blocks() as demo:
        total = gr.State("")
        gr.Button().click(
            add,
            [gr.Textbox(), total],
            [gr.Textbox(), total],
            api_name="fn",
            batch=True,
            max_batch_size=8,
        )
    house = await mounted(demo, roles={"trainer"})
    ada, bob, eve = await with_role(house, ADA, BOB, EVE)
    stage.may_go_on.set()
    for who, text in ((bob, "b"), (eve, "e")):
        assert completed(await posts(who, 0, text, None, tab="tab"))["output"]["data"][0] == text
    stage.may_go_on.clear()
    stage.has_begun.clear()
    first = await ada.start("fn", "a", None)
    await stage.has_begun.wait()
    for who, text in ((eve, "E"), (bob, "B")):
        await joins(who, 0, text, None, tab="tab")
    if loses is not None:
        await loses_role(house, eve if loses == EVE else bob)
    stage.may_go_on.set()

    await ada.told(first)
    for who, email, sums in ((eve, EVE, ["eE", "eEx"]), (bob, BOB, ["bB", "bBx"])):
        if email != loses:
            assert completed(await who.told("tab"))["output"]["data"][0] == sums[0]
            last = completed(await posts(who, 0, "x", None, tab="tab"))
            assert last["output"]["data"][0] == sums[1]
    assert max(map(len, stage.reached)) == (2 if loses is None else 1)


@pytest.mark.asvs("8.2.2")
async def test_each_caller_of_a_batch_has_the_choices_of_their_own_tab(
    mounted: Mounts, stage: Stage
) -> None:
    with gr.Blocks() as demo:
        choice, text = gr.Dropdown([]), gr.Textbox()
        gr.Button().click(
            lambda name: gr.Dropdown(choices=[name]), gr.Textbox(), choice, api_name="offer"
        )
        gr.Button().click(stage.shout, choice, text, api_name="fn", batch=True, max_batch_size=8)
    house = await mounted(demo)
    ada, bob, eve = [await house.signed_in(email) for email in (ADA, BOB, EVE)]
    for who, name in ((ada, "a"), (bob, "b"), (eve, "e")):
        assert completed(await posts(who, 0, name, tab="tab"))["success"]
    await joins(ada, 1, "a", tab="tab")
    await stage.has_begun.wait()
    await joins(eve, 1, "e", tab="tab")
    await joins(bob, 1, "b", tab="tab")
    stage.may_go_on.set()

    told = [completed(await who.told("tab"))["output"] for who in (ada, eve, bob)]
    assert [output.get("data") for output in told] == [["A"], ["E"], ["B"]]
    assert stage.reached == [["a"], ["b", "e"]]


@pytest.mark.asvs("8.2.2")
async def test_a_batch_that_is_rendered_later_gets_no_event_data(
    mounted: Mounts, stage: Stage
) -> None:
    seen: list[Any] = []
    stage.may_go_on.set()

    def take(texts: list[str], data: gr.EventData) -> list[list[str]]:
        seen.append(data)
        return [texts]

    with gr.Blocks() as demo:

        @gr.render()  # type: ignore[untyped-decorator]
        def build() -> None:
            gr.Button().click(take, gr.Textbox(), gr.Textbox(), api_name="fn", batch=True)

    house = await mounted(demo)
    ada = await house.signed_in()
    built = completed(await posts(ada, 0, tab="tab"))["output"]["render_config"]
    body = {"data": ["x"], "fn_index": built["dependencies"][0]["id"], "session_hash": "tab"}
    await ada.http.post(f"{API}/queue/join", json={**body, "event_data": {"index": 1}})

    assert not completed(await ada.told("tab"))["success"]
    assert not seen


# One caller's input or output


class Hostile(NamedTuple):
    component: Callable[[], Any]
    value: Any
    honest: Any
    error: str


TABLE: Final = {"headers": ["a"], "data": [[1]], "metadata": None}
HOSTILE: Final = {
    "unreadable": Hostile(gr.Dataframe, "no table", TABLE, "The app cannot read the input."),
    "not a choice": Hostile(lambda: gr.Dropdown(["a"]), "b", "a", "is not in the list of choices"),
    "another's file": Hostile(
        gr.File, {"path": "/etc/passwd", "meta": FILE_META}, None, "You have no such file."
    ),
    "too many files": Hostile(
        gr.JSON, ["/etc/passwd"] * 501, [], "An event takes at most 500 files."
    ),
    "too many values": Hostile(
        gr.Chatbot,
        [{"role": "user", "content": str(n)} for n in range(50_000)],
        [],
        "at most 50,000",
    ),
}


@pytest.mark.asvs("2.4.1", "8.2.2")
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("comes_first", [True, False])
async def test_a_refused_input_in_a_batch_is_refused_only_for_its_caller(
    mounted: Mounts, stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch, *, comes_first: bool
) -> None:
    hostile, reached = HOSTILE[name], []
    # Let refused values pass the gate, like values that change behind the gate.
    monkeypatch.setattr("entrypoints.ui.wire.json_bodies.may_name_files", lambda raw: False)

    async def read(values: list[Any]) -> list[list[str]]:
        reached.append(len(values))
        await stage.shout([])
        return [["read" for _ in values]]

    with gr.Blocks() as demo:
        gr.Button().click(
            read, hostile.component(), gr.Textbox(), api_name="fn", batch=True, max_batch_size=8
        )
    house = await mounted(demo)
    ada, bob, eve = [await house.signed_in(email) for email in (ADA, BOB, EVE)]
    first = await ada.start("fn", hostile.honest)
    await stage.has_begun.wait()
    order = [(eve, hostile.value), (bob, hostile.honest)]
    tabs = {who: await who.start("fn", value) for who, value in order[:: 1 if comes_first else -1]}
    again = await ada.start("fn", hostile.honest)
    stage.may_go_on.set()

    assert hostile.error in error_in(await eve.told(tabs[eve]))[1]
    for who, tab in ((ada, first), (bob, tabs[bob]), (ada, again)):
        assert completed(await who.told(tab))["output"]["data"] == ["read"]
    assert reached == [1, 1, 1]


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("comes_first", [True, False])
async def test_a_refused_output_in_a_batch_is_refused_only_for_its_caller(
    mounted: Mounts,
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    comes_first: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("of the server")
    (tmp_path / "given.txt").write_text("of the app")

    async def find(names: list[str]) -> list[list[str]]:
        await stage.shout(names)
        return [["given.txt" if name == "given" else name for name in names]]

    with gr.Blocks() as demo:
        gr.Button().click(
            find, gr.Textbox(), gr.File(), api_name="fn", batch=True, max_batch_size=8
        )
    house = await mounted(demo)
    ada, bob, eve = [await house.signed_in(email) for email in (ADA, BOB, EVE)]
    await ada.start("fn", "given")
    await stage.has_begun.wait()
    order = [(eve, "notes.txt"), (bob, "given")]
    tabs = {who: await who.start("fn", name) for who, name in order[:: 1 if comes_first else -1]}
    stage.may_go_on.set()

    assert NOT_AT_YOUR_WORD in error_in(await eve.told(tabs[eve]))[1]
    (given,) = completed(await bob.told(tabs[bob]))["output"]["data"]
    assert (await fetches(bob, given["path"])).text == "of the app"
    assert len(stage.reached) == 2


async def test_a_too_large_picture_of_a_batch_is_refused_to_its_caller_alone(
    mounted: Mounts, stage: Stage
) -> None:
    async def draw(files: list[str]) -> list[list[Any]]:
        await stage.shout([])
        return [[(path, []) for path in files]]

    with gr.Blocks() as demo:
        gr.Button().click(
            draw, gr.File(), gr.AnnotatedImage(), api_name="fn", batch=True, max_batch_size=8
        )
    house = await mounted(demo, image_pixels=10_000)
    ada, bob, eve = [await house.signed_in(email) for email in (ADA, BOB, EVE)]
    small, large = [_png(side) for side in (10, 200)]
    files = {who: as_file(await uploads(who, small, "a.png")) for who in (ada, bob)}
    files[eve] = as_file(await uploads(eve, large, "a.png"))
    await ada.start("fn", files[ada])
    await stage.has_begun.wait()
    tabs = {who: await who.start("fn", files[who]) for who in (eve, bob)}
    stage.may_go_on.set()

    assert "pixels" in error_in(await eve.told(tabs[eve]))[1]
    assert completed(await bob.told(tabs[bob]))["success"]
    assert len(stage.reached) == 2


def _png(side: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_batch_without_a_readable_input_does_not_run(mounted: Mounts, stage: Stage) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(
            stage.shout, gr.Dataframe(), gr.Textbox(), api_name="fn", batch=True, max_batch_size=8
        )
    house = await mounted(demo)
    ada, bob, eve = [await house.signed_in(email) for email in (ADA, BOB, EVE)]
    stage.may_go_on.set()
    async with house.demo._queue.delete_lock:  # Queue all three before one can run.
        tabs = [(who, await who.start("fn", "no table")) for who in (ada, bob, eve)]

    told = [error_in(await who.told(tab)) for who, tab in tabs]
    assert told == [("Error", "The app cannot read the input.")] * 3
    assert not stage.reached


# Streams


def a_stream(fn: Callable[..., Any]) -> None:
    gr.Image(sources=["webcam"], streaming=True).stream(
        fn, gr.Textbox(), gr.Textbox(), api_name="fn", batch=True, max_batch_size=8
    )


@pytest.mark.asvs("8.2.2")
async def test_a_page_with_a_stream_in_batches_is_refused(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        a_stream(Stage().shout)

    with pytest.raises(PageRefused, match=r"^shout is a batch=True event of a stream"):
        await mounted(demo)


@pytest.mark.asvs("8.2.2")
async def test_a_stream_in_batches_that_is_rendered_later_is_refused(
    mounted: Mounts, stage: Stage
) -> None:
    stage.may_go_on.set()
    with gr.Blocks() as demo:

        @gr.render()  # type: ignore[untyped-decorator]
        def build() -> None:
            a_stream(stage.shout)

    house = await mounted(demo)
    ada = await house.signed_in(ADA)
    built = completed(await posts(ada, 0, tab="tab"))["output"]["render_config"]

    _, sentence = error_in(await posts(ada, built["dependencies"][0]["id"], "x", tab="tab"))

    assert sentence == "A stream takes no batches."
    assert stage.reached == []


# Validators


class Validator:
    def __init__(self) -> None:
        self.reached: list[Any] = []

    def __call__(self, text: Any) -> Any:
        """Return a verdict. For a batch, Gradio passes a list of one sample and expects a column."""
        self.reached.append(text)
        valid = gr.validate(is_valid=True, message="")
        return [[valid]] if isinstance(text, list | tuple) else valid


@pytest.mark.asvs("8.2.1", "8.3.2")
@pytest.mark.parametrize("batch", [True, False])
async def test_a_validator_that_was_built_for_a_role_is_gone_with_the_role(
    mounted: Mounts, stage: Stage, *, batch: bool
) -> None:
    stage.may_go_on.set()
    validates = Validator()

    with gr.Blocks() as demo:

        @visible_to("trainer")
        def tools() -> None:
            gr.Button().click(
                stage.shout if batch else str,
                gr.Textbox(),
                gr.Textbox(),
                api_name="fn",
                batch=batch,
                validator=lambda text: validates(text),
            )

    house = await mounted(demo)
    (ada,) = await with_role(house, ADA)
    number = next(n for n, fn in demo.fns.items() if fn.renderable)
    built = completed(await posts(ada, number, tab="tab"))["output"]["render_config"]
    body = {"data": ["x"], "fn_index": built["dependencies"][0]["id"], "session_hash": "tab"}
    before = await ada.http.post(f"{API}/queue/join", json=body)
    await ada.told("tab")
    reached = list(validates.reached)

    await loses_role(house, ada)
    after = await ada.http.post(f"{API}/queue/join", json=body)

    assert (before.status_code, len(reached)) == (200, 1)
    assert (after.status_code, validates.reached) == (400, reached)
    assert needs_trainer(ADA) in after.json()["detail"]


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_a_validator_runs_only_for_callers_with_the_role_of_its_event(
    mounted: Mounts,
) -> None:
    validates = Validator()
    with gr.Blocks() as demo:
        text, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(
            requires("trainer")(str),
            text,
            shown,
            api_name="fn",
            validator=lambda text: validates(text),
        )
        gr.Button().click(str, text, shown, api_name="open", validator=lambda text: validates(text))
    house = await mounted(demo)
    (ada,) = await with_role(house, ADA)
    bob = await house.signed_in(BOB)

    allowed = await ada.gets("fn", "ada")
    assert await bob.gets("open", "bob") == "bob"
    body = {"data": ["no"], "fn_index": 0, "session_hash": "tab"}
    refused = await bob.http.post(f"{API}/queue/join", json=body)

    assert allowed == "ada"
    assert validates.reached == ["ada", "bob"]
    assert refused.status_code == 400
    assert needs_trainer(BOB) in refused.json()["detail"]


@pytest.mark.asvs("7.3.1")
@pytest.mark.parametrize(("on", "is_activity"), [("tick", False), ("click", True)])
async def test_the_validator_of_a_tick_is_no_activity(
    mounted: Mounts, on: str, *, is_activity: bool
) -> None:
    validates = Validator()
    house = await mounted(an_app(str, on=on, batch=False, validator=lambda text: validates(text)))
    ada = await house.signed_in(ADA)

    house.passes(minutes=20)
    assert await ada.gets("fn", "x") == "x"
    house.passes(minutes=20)

    answer = await ada.http.get("/api/v1/me", headers={"x-gradioapp-passive": "1"})
    assert validates.reached == ["x"]
    assert answer.status_code == (200 if is_activity else 401)
