"""Keys and secrets of BrowserState: each account has its own, wherever a page or a program reads them."""

import json
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

import gradio as gr
import pytest
from gradio.routes import ORJSONResponse

from adapters.security.marks import HmacAccountMarks
from application.use_cases import BrowserStorage
from domain.model.user import UserId
from entrypoints.ui.delivery.browser_storage import BrowserStates
from gradioapp import Page
from tests.ui.conftest import GRADIO, Browser, Mounts, completed

ADA, BOB = "ada@example.org", "bob@example.org"
KEY: Final = re.compile(r"gradioapp(\.[A-Za-z0-9_-]{43}){2}")
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
SIGNS: Final = """<&>' "ä\\"""

Kept = tuple[str, str]
"""Key and secret of one BrowserState."""


def an_app(**options: Any) -> gr.Blocks:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gradio wants head= in launch(), which is not called here.
        demo = gr.Blocks(title="States", **options)
    with demo:
        gr.BrowserState([])
        gr.BrowserState({"theme": "dark"}, storage_key="settings")
        gr.BrowserState("", storage_key=SIGNS, secret=SIGNS)
    with demo.route("Details", "/details"):
        gr.BrowserState({}, storage_key="settings")
        gr.BrowserState([], secret="of the author's")
    return demo


def a_chat() -> gr.Blocks:
    return gr.ChatInterface(lambda message, _: f"You said {message}", save_history=True)


# Readers of keys and secrets


def _kept(config: Any) -> list[Kept]:
    return [
        (component["props"]["storage_key"], component["props"]["secret"])
        for component in config["components"]
        if component["type"] == "browserstate"
    ]


def in_page(text: str) -> list[Kept]:
    found = re.search(r"<script[^>]*>window\.gradio_config = (.*?);</script>", text)
    assert found
    return _kept(json.loads(found[1]))


async def read_page(browser: Browser, path: str = f"{GRADIO}/") -> list[Kept]:
    answer = await browser.http.get(path)
    assert answer.status_code == 200
    assert answer.headers.get_list("content-length") == [str(len(answer.content))]
    return in_page(answer.text)


async def read_config(browser: Browser, path: str = f"{GRADIO}/config") -> list[Kept]:
    answer = await browser.http.get(path, headers={"accept-encoding": "gzip, br"})
    assert answer.status_code == 200
    assert answer.headers.get_list("content-length") == [str(len(answer.content))]
    return _kept(answer.json())


def as_built(demo: gr.Blocks) -> Iterator[str]:
    for block in demo.blocks.values():
        if isinstance(block, gr.BrowserState):
            yield from (block.storage_key, block.secret)


# Keys and secrets of accounts


@pytest.mark.asvs("14.3.1", "14.3.3")
@pytest.mark.parametrize("build", [an_app, a_chat])
async def test_two_accounts_have_no_key_or_secret_in_common(
    mounted: Mounts, build: Callable[[], gr.Blocks]
) -> None:
    house = await mounted(build())
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    of_ada, of_bob = await read_config(ada), await read_config(bob)

    assert len(of_ada) == len(of_bob) == len(list(as_built(house.demo))) / 2
    flat = [text for kept in (*of_ada, *of_bob) for text in kept]
    assert {text for kept in of_ada for text in kept}.isdisjoint(
        text for kept in of_bob for text in kept
    )
    assert not set(flat) & set(as_built(house.demo))
    for key, secret in (*of_ada, *of_bob):
        assert KEY.fullmatch(key)
        assert SECRET.fullmatch(secret)


async def test_a_page_and_its_config_agree_at_every_address(mounted: Mounts) -> None:
    house = await mounted(an_app())
    ada = await house.signed_in(ADA)

    first, second = await read_page(ada), await read_page(ada, f"{GRADIO}/details")
    configs = [await read_config(ada, f"{GRADIO}/config{rest}") for rest in ("", "/", "?page=nope")]
    alone = await read_config(ada, f"{GRADIO}/config?page=details")

    assert configs == [first + second] * 3
    assert alone == second
    assert (len(first), len(second)) == (3, 2)


async def test_a_page_contains_no_key_or_secret_that_the_app_was_built_with(
    mounted: Mounts,
) -> None:
    house = await mounted(an_app())
    ada = await house.signed_in(ADA)

    texts = [
        (await ada.http.get(f"{GRADIO}{path}")).text
        for path in ("/", "/details", "/config", "/gradio_api/info")
    ]

    random = [text for text in as_built(house.demo) if re.fullmatch("[A-Za-z0-9]{16}", text)]
    assert len(random) == 5  # Two keys and three secrets that the author did not give.
    assert not [text for text in random if text in "".join(texts)]


async def test_a_program_has_the_keys_of_its_account(mounted: Mounts) -> None:
    house = await mounted(an_app())
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    program = house.program(await house.makes_token(ADA))

    assert await read_config(program) == await read_config(ada)
    assert await read_config(program) != await read_config(bob)


async def test_keys_and_secrets_are_the_same_in_every_session_of_the_account(
    mounted: Mounts,
) -> None:
    house = await mounted(an_app())
    laptop, phone = await house.signed_in(ADA), await house.signed_in(ADA)
    before = await read_config(laptop)
    await house.ends(laptop)

    assert await read_config(phone) == before
    assert await read_config(await house.signed_in(ADA)) == before


async def test_an_app_without_browser_state_is_passed_on_unchanged(mounted: Mounts) -> None:
    demo = gr.Blocks()
    with demo:
        gr.JSON({"storage_key": "mine", "secret": "of a text"})
    house = await mounted(demo)
    ada = await house.signed_in(ADA)

    config = (await ada.http.get(f"{GRADIO}/config")).json()

    (shown,) = (c for c in config["components"] if c["type"] == "json")
    assert shown["props"]["value"] == {"storage_key": "mine", "secret": "of a text"}


@pytest.mark.asvs("14.3.1")
async def test_the_first_script_of_a_page_keeps_the_storage_to_its_account(mounted: Mounts) -> None:
    """Otherwise a script of the author could read the storage of another account first."""
    house = await mounted(an_app(head="<script>window.early = localStorage.length</script>"))
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    pages = [
        (await browser.http.get(f"{GRADIO}{path}")).text
        for browser in (ada, bob)
        for path in ("/", "/details")
    ]

    owners = []
    for page in pages:
        first = re.search(r'<script nonce="[^"]+"([^>]*)>', page)
        assert first
        assert page.index("window.early") > first.end()
        owners += re.findall(r'data-owner="([A-Za-z0-9_-]{43})"', first[1])
    assert owners[0] == owners[1] != owners[2] == owners[3]
    for browser, owner in ((ada, owners[0]), (bob, owners[2])):
        kept = await read_config(browser)
        assert {key.split(".")[1] for key, _ in kept} == {owner}


# Sources of keys and secrets


def read_built(demo: gr.Blocks) -> list[Kept]:
    """Return the keys and secrets of one account, with a marks key that is always the same."""
    storage = BrowserStorage(marks=HmacAccountMarks(["a-key-of-our-own-0123456789abcdef"]))
    states = BrowserStates(demo, storage, page="/gradio/app")
    config = ORJSONResponse(demo.get_config_file()).body
    return _kept(json.loads(states.in_text(bytes(config), user_id=UserId(UUID(int=1)))))


@pytest.mark.parametrize("build", [an_app, a_chat])
async def test_keys_and_secrets_are_the_same_when_the_app_is_built_again(
    build: Callable[[], gr.Blocks],
) -> None:
    """Other apps may have been built before, like at a restart."""
    first = build()
    a_chat()  # The numbers of components go on.
    second = build()

    assert list(as_built(first)) != list(as_built(second))
    assert read_built(first) == read_built(second)


async def test_another_default_value_gets_a_new_key() -> None:
    """Otherwise a kept value would reach another component once an app has changed."""

    def with_defaults(*values: Any) -> gr.Blocks:
        demo = gr.Blocks()
        with demo:
            for value in values:
                gr.BrowserState(value)
        return demo

    before = read_built(with_defaults([], {}))
    after = read_built(with_defaults({}, "", []))

    assert [after[2], after[0]] == before
    assert after[1] not in before


async def test_a_new_secret_of_the_author_is_a_new_secret_for_all_accounts() -> None:
    def with_secret(secret: str) -> gr.Blocks:
        demo = gr.Blocks()
        with demo:
            gr.BrowserState([], storage_key="kept", secret=secret)
        return demo

    (before,), (same,), (after,) = (read_built(with_secret(text)) for text in ("a", "a", "b"))

    assert before == same
    assert before[0] == after[0]
    assert before[1] != after[1]


async def test_states_of_one_page_share_a_key_only_if_they_have_the_same_storage_key(
    mounted: Mounts,
) -> None:
    demo = gr.Blocks()
    with demo:
        for _ in range(2):
            gr.BrowserState([])
            gr.BrowserState({})
            gr.BrowserState([], storage_key="one")
            gr.ChatInterface(lambda message, _: message)
        gr.BrowserState([], storage_key="one", secret="other")
        gr.BrowserState([], storage_key="two", secret="other")
    ada = await (await mounted(demo)).signed_in(ADA)

    kept = await read_config(ada)

    assert len(kept) == 10
    named = [kept[2], kept[6]]
    assert named[0] == named[1]
    assert kept[8][0] == named[0][0]
    assert kept[8][1] != named[0][1]
    assert kept[8][1] == kept[9][1]
    assert len({key for key, _ in kept}) == 8
    assert len({secret for _, secret in kept}) == 8


async def test_pages_share_no_keys_and_routes_of_a_page_share_named_keys(
    mounted: Mounts,
) -> None:
    others = [Page(an_app(), title="First"), Page(an_app(), title="Second")]
    house = await mounted(gr.Blocks(), others=others)
    ada = await house.signed_in(ADA)

    first = await read_config(ada, f"{GRADIO}/first/config")
    second = await read_config(ada, f"{GRADIO}/second/config")

    assert {text for kept in first for text in kept}.isdisjoint(
        text for kept in second for text in kept
    )
    assert first[1] == first[3]


# In events


async def test_a_rendered_browser_state_has_the_callers_own_keys(mounted: Mounts) -> None:
    demo = gr.Blocks()
    with demo:
        count = gr.Number(1)
        gr.BrowserState([], storage_key="shared")

        @gr.render(inputs=count)  # type: ignore[untyped-decorator]
        def show(number: float) -> None:
            for _ in range(int(number)):
                gr.BrowserState([])
            gr.BrowserState([], storage_key="shared")
            gr.BrowserState([], storage_key="apart", secret="s")
            gr.BrowserState([], storage_key="_saved_conversations_7")  # As in a ChatInterface.

    house = await mounted(demo)
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    first, again, of_bob = [await renders(browser, 2.0) for browser in (ada, ada, bob)]

    (static,) = await read_config(ada)
    assert first[2] == static
    assert first[2:4] == again[2:4]
    assert {text for kept in (*first, *again) for text in kept}.isdisjoint(
        text for kept in of_bob for text in kept
    )
    assert len(first) == len({key for key, _ in first}) == 5
    for key, secret in (*first, *again, *of_bob):
        assert KEY.fullmatch(key)
        assert SECRET.fullmatch(secret)


async def renders(browser: Browser, *inputs: Any) -> list[Kept]:
    number = next(n for n, fn in browser.demo.fns.items() if fn.renderable)
    body = {"data": inputs, "fn_index": number, "session_hash": "tab"}
    joined = await browser.http.post(f"{GRADIO}/gradio_api/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    return _kept(completed(await browser.told("tab"))["output"]["render_config"])


async def test_values_are_passed_unchanged(mounted: Mounts) -> None:
    demo = gr.Blocks()
    with demo:
        state = gr.BrowserState({"n": 0}, storage_key="counter")
        gr.Button().click(lambda kept: {"n": kept["n"] + 1}, state, state, api_name="count")
        gr.Button().click(lambda kept: kept, state, state, api_name="same", queue=False)
    ada = await (await mounted(demo)).signed_in(ADA)
    like_a_key = {"n": 1, "storage_key": "counter", "secret": "s"}

    assert await ada.gets("count", {"n": 41}) == {"n": 42}
    assert await ada.gets("count", None) == {"n": 1}
    assert await ada.gets("same", like_a_key) == like_a_key
    answer = await ada.http.post(f"{GRADIO}/gradio_api/run/same", json={"data": [like_a_key]})
    assert answer.json()["data"] == [like_a_key]


@pytest.mark.parametrize("how", ["once", "by steps", "past the queue", "batch"])
async def test_an_event_changes_a_value_but_not_its_key_or_secret(
    mounted: Mounts, how: str
) -> None:
    def moves(value: Any) -> Any:
        return gr.BrowserState(value, storage_key="elsewhere", secret="known")

    def several(values: list[Any]) -> Any:
        return [[moves(value) for value in values]]

    def by_steps(_: float) -> Iterator[Any]:
        yield gr.update(value=1, storage_key="elsewhere")
        yield moves(2)
        yield moves(3)

    demo = gr.Blocks()
    with demo:
        state = gr.BrowserState(0)
        go = gr.Button()
        fn: Any = {
            "by steps": by_steps,
            "batch": several,
        }.get(how, moves)
        go.click(
            fn,
            gr.Number(),
            state,
            api_name="move",
            batch=how == "batch",
            queue=how != "past the queue",
        )
    ada = await (await mounted(demo)).signed_in(ADA)

    if how == "past the queue":
        answer = await ada.http.post(f"{GRADIO}/gradio_api/run/move", json={"data": [3]})
        text, last = answer.text, answer.json()["data"][0]
    else:
        told = await ada.runs("move", 3)
        text, last = json.dumps(told), completed(told)["output"]["data"][0]

    assert "elsewhere" not in text
    assert "known" not in text
    if how != "by steps":  # Later steps contain only the difference.
        assert last["__type__"] == "update"
