"""Every name of a tab leads to a tab of the caller."""

import json
from typing import Any, cast

import gradio as gr
import pytest
from gradio.route_utils import MediaStream

from tests.ui.attacks import (
    API,
    is_problem,
    joins,
    names_of,
    opened,
    tag,
)
from tests.ui.conftest import Browser, House, Mounts, completed


def counting() -> gr.Blocks:
    """An app that counts its runs in the state of the tab."""

    def count(said: str, so_far: int) -> tuple[str, int]:
        return f"{said} {so_far + 1}", so_far + 1

    with gr.Blocks() as demo:
        so_far = gr.State(0)
        said, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(count, [said, so_far], [shown, so_far], api_name="count")
    return cast("gr.Blocks", demo)


async def counts(browser: Browser, house: House, tab: str) -> str:
    await joins(browser, house, "count", "run", None, tab=tab)
    said: str = completed(await browser.told(tab))["output"]["data"][0]
    return said


@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_the_state_of_a_tab_is_reached_by_no_other_account_under_any_name(
    mounted: Mounts,
) -> None:
    house = await mounted(counting())
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    assert [await counts(ada, house, "mine") for _ in range(3)] == ["run 1", "run 2", "run 3"]

    bobs = [await counts(bob, house, name) for name in names_of("mine", ada)]

    assert bobs == ["run 1"] * 3
    assert await counts(ada, house, "mine") == "run 4"
    assert await counts(ada, house, f"mine.{tag(ada)}") == "run 5"


async def test_two_sign_ins_of_one_account_do_not_share_a_tab(mounted: Mounts) -> None:
    house = await mounted(counting())
    laptop, phone = await house.signed_in(), await house.signed_in()
    await counts(laptop, house, "mine")

    assert [await counts(phone, house, name) for name in names_of("mine", laptop)] == ["run 1"] * 3


async def test_messages_to_a_tab_reach_no_other_account(mounted: Mounts) -> None:
    house = await mounted(counting())
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await joins(ada, house, "count", "secret", None, tab="mine")

    heard = [await bob.stream(name) for name in names_of("mine", ada)]
    twice = f"session_hash=mine.{tag(ada)}&session%5Fhash=mine.{tag(ada)}"
    mixed = await bob.http.get(f"{API}/queue/data?{twice}")

    assert not any("secret" in text for text in [*heard, mixed.text])
    assert completed(await ada.told("mine"))["output"]["data"][0] == "secret 1"


async def test_an_anonymous_caller_can_neither_listen_nor_start_events(mounted: Mounts) -> None:
    house = await mounted(counting())
    ada, stranger = await house.signed_in(), house.anonymous()
    await joins(ada, house, "count", "secret", None, tab="mine")

    for name in names_of("mine", ada):
        assert (await stranger.http.get(f"{API}/queue/data?session_hash={name}")).status_code == 401
        assert (await stranger.http.get(f"{API}/heartbeat/{name}")).status_code == 401
        assert (
            await stranger.http.post(
                f"{API}/queue/join", json={"data": [], "fn_index": 0, "session_hash": name}
            )
        ).status_code == 401


async def test_the_end_of_a_heartbeat_does_not_close_a_tab_of_another_account(
    mounted: Mounts,
) -> None:
    left: list[str] = []
    with gr.Blocks() as demo:
        so_far = gr.State(0)
        gr.Button().click(lambda n: n + 1, so_far, so_far, api_name="count")

        def leave(request: gr.Request) -> None:
            left.append(str(request.session_hash))

        demo.unload(leave)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await joins(ada, house, "count", None, tab="mine")
    await ada.told("mine")

    for name in names_of("mine", ada):
        async with opened(house, bob, f"{API}/heartbeat/{name}") as stream:
            assert stream.status == 200

    state: Any = house.demo.state_holder.session_data[f"mine.{tag(ada)}"]
    assert not state.is_closed
    assert all(name.endswith(f".{tag(bob)}") for name in left)


async def test_media_streamed_to_a_tab_is_fetched_by_no_other_account(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        audio = gr.Audio(streaming=True)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    stream = MediaStream()
    house.demo.pending_streams[f"mine.{tag(ada)}"]["run"] = {audio._id: stream}

    def there(name: str) -> str:
        return f"{API}/stream/{name}/run/{audio._id}/playlist.m3u8"

    assert [(await bob.http.get(there(n))).status_code for n in names_of("mine", ada)] == [404] * 3
    assert [(await ada.http.get(there(n))).status_code for n in names_of("mine", ada)[:2]] == [
        200,
        200,
    ]


async def test_a_drawing_in_an_editor_is_reached_by_no_other_account(mounted: Mounts) -> None:
    seen: list[Any] = []
    with gr.Blocks() as demo:
        editor = gr.ImageEditor(type="pil")
        gr.Button().click(seen.append, editor, None, api_name="send")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    drawing: dict[str, Any] = {"background": None, "layers": [], "composite": None, "id": "drawing"}

    async def draws(browser: Browser, name: str, content: bytes) -> int:
        answer = await browser.http.post(
            f"{API}/component_server",
            data={
                "component_id": str(editor._id),
                "session_hash": name,
                "fn_name": "accept_blobs",
                "type": "composite",
                "index": "null",
                "id": "drawing",
            },
            files={"file": ("composite", content)},
        )
        return answer.status_code

    assert await draws(ada, "mine", PNG) == 200
    for name in names_of("mine", ada):
        await joins(bob, house, "send", dict(drawing), tab=name)
        await bob.told(name)
        assert await draws(bob, name, b"no picture") == 200
    await joins(ada, house, "send", dict(drawing), tab="mine")
    last = completed(await ada.told("mine"))

    assert last["success"], last
    assert [value["composite"] is not None for value in seen] == [False, False, False, True]


async def test_a_call_without_a_tab_is_read_only_by_its_owner(mounted: Mounts) -> None:
    house = await mounted(counting())
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    for form, body in (("call", {"data": ["short"]}), ("call/v2", {"said": "short"})):
        called = await ada.http.post(f"{API}/{form}/count", json=body)
        event_id = called.json()["event_id"]

        foreign = await bob.http.get(f"{API}/{form}/count/{event_id}")
        unknown = await bob.http.get(f"{API}/{form}/count/{'0' * 32}")
        own = await ada.http.get(f"{API}/{form}/count/{event_id}")

        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert "event: complete" in own.text
        assert "short 1" in own.text


async def test_an_event_without_the_queue_runs_with_a_tab_and_without(mounted: Mounts) -> None:
    house = await mounted(counting())
    ada = await house.signed_in()

    async def runs(**tab: str) -> str:
        answer = await ada.http.post(f"{API}/run/count", json={"data": ["direct", None], **tab})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"][0])

    assert [await runs() for _ in range(2)] == ["direct 1", "direct 1"]
    assert [await runs(session_hash="mine") for _ in range(2)] == ["direct 1", "direct 2"]


WRONG_NAMES: list[Any] = [None, 1, "", [], {}, "a b", "a/b", "<gradio-sep>", "x" * 300, "a\0", "ä"]
WRONG_NAMES += ["..\\..", True]
WRONG_NUMBERS: list[Any] = [None, -1, 99, "0", 0.5, True, 2**80, [], {}]
WRONG_DATA: list[Any] = [None, "text", {}, 1, [], ["one"]]
EVENT: dict[str, Any] = {"data": ["x", None], "fn_index": 0, "session_hash": "mine"}
NUMBERS = [b"NaN", b"-Infinity", b"1e999", b"9" * 400]
DEEP = b'{"data": ' + b"[" * 10_000 + b"]" * 10_000 + b', "fn_index": 0, "session_hash": "m"}'
DEEPER = b'{"data": ["x", ' + b"[" * 200 + b"]" * 200 + b'], "fn_index": 0, "session_hash": "m"}'
CHANGES: list[dict[str, Any]] = [
    *({"session_hash": name} for name in WRONG_NAMES),
    *({"fn_index": index} for index in WRONG_NUMBERS),
    *({"data": data} for data in WRONG_DATA),
    *({"trigger_id": "x"}, {"trigger_id": 1.5}, {"trigger_id": []}),
    *({"simple_format": "yes"}, {"oauth_token": 7}, {"data": ["\ud800", None]}),
]
UNREADABLE = [
    *(b"", b"x", b"[]", b"1", b'"text"', b"null", b"\xff\xfe", DEEP, DEEPER),
    *(json.dumps(EVENT).encode().replace(b'"x"', number) for number in NUMBERS),
    b'{"fn_index": ' + b"9" * 5000 + b"}",
    json.dumps(EVENT).encode("utf-16"),
    *(json.dumps(EVENT | change).encode() for change in CHANGES),
]


@pytest.mark.asvs("2.2.1", "16.5.1")
async def test_an_invalid_event_is_refused_with_a_reason(mounted: Mounts) -> None:
    house = await mounted(counting())
    ada = await house.signed_in()

    for body in UNREADABLE:
        answer = await ada.http.post(
            f"{API}/queue/join", content=body, headers={"content-type": "application/json"}
        )

        assert is_problem(answer, 400, 404, 422), (body[:200], answer.text)
        assert answer.json()["detail"]


async def test_invalid_bodies_are_refused_at_every_other_address(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    house = await mounted(counting())
    ada = await house.signed_in()

    for address in [
        "run/count",
        "api/count",
        "call/count",
        "call/v2/count",
        "cancel",
        "reset",
        "component_server",
        "component_server/",
        "run/nothing",
        "call/nothing",
        "call/v2/nothing",
    ]:
        with subtests.test(address=address):
            for body in (
                b"",
                b"[]",
                b'{"a": NaN}',
                b'{"event_id": NaN}',
                DEEP,
                b'{"data": 7}',
                b'{"said": 1, "x": 2}',
            ):
                answer = await ada.http.post(
                    f"{API}/{address}", content=body, headers={"content-type": "application/json"}
                )

                assert is_problem(answer, 400, 404, 422), (body[:200], answer.text)


async def test_a_component_serves_only_its_server_functions(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        explorer = gr.FileExplorer(root_dir="domain")
    house = await mounted(demo)
    ada = await house.signed_in()

    async def asks(**change: Any) -> Any:
        body = {"data": [], "component_id": explorer._id, "fn_name": "ls", "session_hash": "mine"}
        return await ada.http.post(f"{API}/component_server", json=body | change)

    assert "errors.py" in (await asks()).text
    for change in (
        {"component_id": 99},
        {"component_id": -1},
        {"component_id": None},
        {"component_id": [1]},
        {"fn_name": "preprocess"},
        {"fn_name": "__init__"},
        {"fn_name": None},
        {"fn_name": 1},
        {"session_hash": None},
        {"data": 7},
    ):
        assert is_problem(await asks(**change), 400, 404), change


async def test_a_rendered_event_can_be_called_only_from_its_tab(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        text = gr.Textbox()

        @gr.render(  # type: ignore[untyped-decorator]
            inputs=text, triggers=[text.submit]
        )
        def show(said: str) -> None:
            shown = gr.Textbox()
            gr.Button().click(lambda: f"made of {said}", None, shown, api_name="inner")

    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    render = next(i for i, fn in house.demo.fns.items() if fn.renderable)

    async def posts(browser: Browser, index: int, tab: str, *data: Any) -> Any:
        body = {"data": data, "fn_index": index, "session_hash": tab}
        return await browser.http.post(f"{API}/queue/join", json=body)

    await posts(ada, render, "mine", "secret")
    rendered = completed(await ada.told("mine"))["output"]["render_config"]
    inner = rendered["dependencies"][0]["id"]

    answers = [await posts(bob, inner, name) for name in names_of("mine", ada)]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert (await posts(ada, inner, "mine")).status_code == 200
    assert completed(await ada.told("mine"))["output"]["data"] == ["made of secret"]


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
