"""`gr.Cache` and `gr.cache` show no user the outputs of another one, unless their author wants it."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from application.settings import load
from entrypoints.ui import Page, PageRefused, load_pages, must_be_servable
from gradioapp import requires
from tests.ui.attacks import API
from tests.ui.conftest import Browser, Mounts, completed

ADA, BOB = "ada@example.org", "bob@example.org"

OF_A_TAB: Final = gr.Cache(per_session=True)


def refusal_of(fn: Callable[..., Any], **event: Any) -> str:
    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Button().click(fn, text, out, api_name="fn", **event)
    with pytest.raises(PageRefused) as refused:
        must_be_servable(Page(demo, title="App"), load(env_file=None, environment="test"))
    return str(refused.value)


def by_default(
    texts: list[str],
    cache: gr.Cache = gr.Cache(per_session=True),  # noqa: B008 -- As authors write it.
) -> list[list[str]]:
    return [texts]


def by_keyword(
    texts: list[str],
    *,
    cache: gr.Cache = gr.Cache(per_session=True),  # noqa: B008
) -> list[list[str]]:
    return [texts]


def by_name(texts: list[str]) -> list[list[str]]:
    OF_A_TAB.set("k", texts=texts)
    return [texts]


@gr.cache(per_session=True)  # type: ignore[untyped-decorator]
def decorated(texts: list[str]) -> list[list[str]]:
    return [texts]


def of_closure() -> Callable[..., Any]:
    cache = gr.Cache(per_session=True)

    def inside(texts: list[str]) -> list[list[str]]:
        cache.set("k", texts=texts)
        return [texts]

    return inside


@pytest.mark.parametrize("fn", [by_default, by_keyword, by_name, decorated, of_closure()])
def test_a_batch_that_has_a_cache_of_each_session_is_refused(fn: Callable[..., Any]) -> None:
    refusal = refusal_of(fn, batch=True)

    assert "is a batch=True event that takes a cache with per_session=True" in refusal
    assert "\n" not in refusal


def test_a_batch_may_have_a_cache_of_all_users() -> None:
    @gr.cache  # type: ignore[untyped-decorator]
    def shared(
        texts: list[str],
        cache: gr.Cache = gr.Cache(),  # noqa: B008
    ) -> list[list[str]]:
        return [texts]

    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Button().click(shared, text, out, batch=True)

    must_be_servable(Page(demo, title="App"), load(env_file=None, environment="test"))


async def test_a_cache_of_each_session_that_a_batch_reaches_unseen_keeps_nothing(
    mounted: Mounts,
) -> None:
    calls: list[str] = []

    def upper(text: str) -> str:
        calls.append(text)
        return f"{len(calls)}"

    def batch(texts: list[str]) -> list[list[str]]:
        return [[gr.cache(upper, per_session=True)(text) for text in texts]]

    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Button().click(batch, text, out, batch=True, api_name="fn")
    house = await mounted(demo)
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    for who in (ada, bob):
        assert not completed(await who.runs("fn", "a"))["success"]
    assert calls == []


def plain(
    text: str,
    cache: gr.Cache = gr.Cache(per_session=True),  # noqa: B008
) -> str:
    found = cache.get("k")
    cache.set("k", text=text)
    return str(found and found["text"])


async def later(
    text: str,
    cache: gr.Cache = gr.Cache(per_session=True),  # noqa: B008
) -> str:
    return plain(text, cache)


def steps(
    text: str,
    cache: gr.Cache = gr.Cache(per_session=True),  # noqa: B008
) -> Iterator[str]:
    yield "first"
    yield plain(text, cache)


async def later_steps(
    text: str,
    cache: gr.Cache = gr.Cache(per_session=True),  # noqa: B008
) -> AsyncIterator[str]:
    yield "first"
    yield plain(text, cache)


@pytest.mark.parametrize("fn", [plain, later, steps, later_steps])
async def test_a_cache_of_each_session_is_of_one_tab(
    fn: Callable[..., Any], mounted: Mounts
) -> None:
    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Button().click(fn, text, out, api_name="fn")
    house = await mounted(demo)
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    said = []
    for who, word in ((ada, "a"), (bob, "b"), (ada, "c")):
        tab = await who.start("fn", word, tab="the-same-name")
        said.append(completed(await who.told(tab))["output"]["data"][0])

    assert said == ["None", "None", "a"]


@pytest.mark.parametrize("kind", [gr.Request, gr.Request | None, gr.SelectData])
def test_a_cached_function_that_takes_what_belongs_to_one_call_is_refused(kind: Any) -> None:
    """Gradio names the result after the address of the object in memory, which another caller's object gets later."""

    def asks(text: str, of_caller: Any) -> str:
        return text

    asks.__annotations__["of_caller"] = kind

    assert "asks is cached by gr.cache and takes gr." in refusal_of(gr.cache(asks))


@requires("admin")
def secret(text: str) -> str:
    return f"secret of {text}"


@requires("admin")
def secret_steps(text: str) -> Iterator[str]:
    yield f"secret of {text}"


def at_runtime(text: str) -> str:
    return str(gr.cache(secret)(text))


def in_steps(text: str) -> str:
    return "".join(gr.cache(secret_steps)(text))


@pytest.mark.parametrize("fn", [at_runtime, in_steps])
async def test_a_cached_result_is_refused_to_callers_without_the_role(
    fn: Callable[..., Any], mounted: Mounts
) -> None:
    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Button().click(fn, text, out, api_name="fn")
    house = await mounted(demo)
    await house.has(ADA, "Ada", "admin")
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    assert await ada.gets("fn", "a") == "secret of a"
    assert await ada.gets("fn", "a") == "secret of a"
    refused = completed(await bob.runs("fn", "a"))

    assert not refused["success"]
    assert "secret" not in str(refused["output"].get("data"))


async def test_a_decorated_helper_of_a_loaded_file_is_refused_to_callers_without_the_role(
    mounted: Mounts, tmp_path: Path
) -> None:
    file = tmp_path / "with_a_cached_helper.py"
    file.write_text(
        "import gradio as gr\nfrom gradioapp import requires\n\n"
        '@gr.cache\n@requires("admin")\ndef secret(text):\n    return f"secret of {text}"\n\n'
        "def calls(text):\n    return secret(text)\n\n"
        "with gr.Blocks() as demo:\n    text, out = gr.Textbox(), gr.Textbox()\n"
        '    gr.Button().click(calls, text, out, api_name="fn")\n'
    )
    [page] = load_pages([f"{file}:demo"])
    house = await mounted(page.demo)
    await house.has(ADA, "Ada", "admin")
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    assert await ada.gets("fn", "a") == "secret of a"
    assert not completed(await bob.runs("fn", "a"))["success"]


async def test_without_a_tab_a_cache_of_each_session_is_not_shared(mounted: Mounts) -> None:
    @gr.cache(per_session=True)  # type: ignore[untyped-decorator]
    def decorated(text: str) -> str:
        calls.append(text)
        return f"call {len(calls)}"

    calls: list[str] = []
    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Button().click(plain, text, out, api_name="plain")
        gr.Button().click(decorated, text, out, api_name="decorated")
    house = await mounted(demo)
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    async def run(browser: Browser, name: str) -> str:
        answer = await browser.http.post(f"{API}/run/{name}", json={"data": ["of a"]})
        return str(answer.json()["data"][0])

    assert [await run(who, "plain") for who in (ada, bob, ada)] == ["None", "None", "of a"]
    assert [await run(who, "decorated") for who in (ada, bob, ada)] == [
        "call 1",
        "call 2",
        "call 1",
    ]


async def test_a_server_function_shares_no_cache_of_each_session(mounted: Mounts) -> None:
    cache = gr.Cache(per_session=True)

    def fn(data: list[str]) -> str:
        return plain(data[0], cache)

    with gr.Blocks() as demo:
        html = gr.HTML("", server_functions=[fn])
    house = await mounted(demo)
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    async def asks(browser: Browser) -> Any:
        body = {"component_id": html._id, "fn_name": "fn", "data": ["x"], "session_hash": "tab"}
        return (await browser.http.post(f"{API}/component_server", json=body)).json()

    assert [await asks(who) for who in (ada, bob, ada)] == ["None", "None", "x"]


async def test_a_thread_of_the_function_finds_nothing_in_a_cache_of_each_session(
    mounted: Mounts,
) -> None:
    cache = gr.Cache(per_session=True)

    def fn(text: str) -> str:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(plain, text, cache).result()

    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Button().click(fn, text, out, api_name="fn")
    house = await mounted(demo)
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)

    assert [await who.gets("fn", "of a") for who in (ada, bob)] == ["None", "None"]
