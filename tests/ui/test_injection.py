"""Parameters whose default is `injected`: by their type, in whatever Gradio calls, and seen by nobody else."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

import gradio as gr
import pytest

from entrypoints.ui import PageRefused, being_built
from entrypoints.ui.sdk import Session, State, User, current_user, injected
from tests.ui.conftest import GRADIO, Browser, Mounts, completed, steps

if TYPE_CHECKING:
    from decimal import Decimal

ADA: Final = "ada@example.org"


def an_app(fn: Callable[..., Any], **event: Any) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.Button().click(fn, gr.Textbox(), gr.Textbox(), api_name="fn", **event)
    return demo


def sync(text: str, *, user: User = injected) -> str:
    return f"{text} of {user.email}"


async def coroutine(text: str, *, user: User = injected) -> str:
    await asyncio.sleep(0)
    return f"{text} of {user.email}"


def optional(text: str, *, user: User | None = injected) -> str:
    return f"{text} of {user.email if user else ''}"


def positional(text: str, user: User = injected) -> str:
    return f"{text} of {user.email}"


def unresolvable(text: Decimal, *, user: User = injected) -> str:
    return f"{text} of {user.email}"


def helper(*, user: User = injected) -> str:
    return user.email


def by_a_helper(text: str) -> str:
    return f"{text} of {helper()}"


def decorated(fn: Callable[..., Any]) -> Callable[..., Any]:
    def inner(*args: Any) -> Any:
        return fn(*args)

    return inner


@wraps(sync)
def wrapped(*args: Any) -> str:
    return sync(*args)


class Method:
    def fn(self, text: str, *, user: User = injected) -> str:
        return f"{text} of {user.email}"

    def __call__(self, text: str, *, user: User = injected) -> str:
        return f"{text} of {user.email}"


def with_request(text: str, request: gr.Request, *, user: User = injected) -> str:
    assert request.username == user.email
    return f"{text} of {user.email}"


CALLBACKS: Final[list[Any]] = [
    sync,
    coroutine,
    optional,
    positional,
    unresolvable,
    by_a_helper,
    decorated(sync),
    wrapped,
    partial(sync),
    Method().fn,
    Method(),
    with_request,
    lambda text, *, who=sync: who(text),
]


@pytest.mark.asvs("8.3.3")
async def test_a_parameter_is_the_caller(mounted: Mounts, subtests: pytest.Subtests) -> None:
    with gr.Blocks() as demo:
        text = gr.Textbox()
        for number, fn in enumerate(CALLBACKS):
            gr.Button().click(fn, text, text, api_name=f"fn{number}")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    for number, fn in enumerate(CALLBACKS):
        with subtests.test(fn=fn):
            assert await ada.gets(f"fn{number}", "x") == f"x of {ADA}"
            assert await bob.gets(f"fn{number}", "x") == "x of bob@example.org"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_generator_has_its_caller_in_every_step(mounted: Mounts, *, is_async: bool) -> None:
    def fn(text: str, *, user: User = injected) -> Iterator[str]:
        yield f"{text} {user.email}"
        yield f"{text} {user.name}"

    async def async_fn(text: str, *, user: User = injected) -> AsyncIterator[str]:
        yield f"{text} {user.email}"
        yield f"{text} {user.name}"

    ada = await (await mounted(an_app(async_fn if is_async else fn))).signed_in()

    assert steps(await ada.runs("fn", "x")) == [f"x {ADA}", "x Ada"]


async def test_each_parameter_is_what_its_type_says(mounted: Mounts) -> None:
    def fn(
        text: str, *, who: User = injected, where: Session = injected, kept: State = injected
    ) -> str:
        kept["text"] = where.data["text"] = text
        assert isinstance(who, User)
        assert isinstance(where, Session)
        assert isinstance(kept, State)
        assert dict(kept) == {"text": text}
        return f"{who.id} {where.id} {len(kept)}"

    house = await mounted(an_app(fn))
    ada = await house.signed_in()
    assert ada.session is not None

    assert await ada.gets("fn", "x") == f"{ada.session.user_id} {ada.session.id} 1"
    assert await house.kept(ada) == {"text": "x"}


async def test_a_chat_has_its_caller(mounted: Mounts) -> None:
    def answer(message: str, history: list[Any], *, user: User = injected) -> str:
        return f"{message}, {user.email}"

    async def stream(
        message: str, history: list[Any], *, user: User = injected
    ) -> AsyncIterator[str]:
        yield f"{message}, {user.email}"

    for fn in (answer, stream):
        ada = await (await mounted(gr.ChatInterface(fn, api_name="chat"))).signed_in()

        told = await ada.runs("chat", "hello", [])

        assert f"hello, {ADA}" in str(told)


async def test_an_interface_has_its_caller(mounted: Mounts) -> None:
    ada = await (await mounted(gr.Interface(sync, "text", "text", api_name="fn"))).signed_in()

    assert await ada.gets("fn", "x") == f"x of {ADA}"


async def test_what_gr_render_builds_has_its_caller(mounted: Mounts) -> None:
    built_for: list[str] = []

    with gr.Blocks() as demo:
        text = gr.Textbox()

        @gr.render(inputs=text, triggers=[text.submit])  # type: ignore[untyped-decorator]
        def show(said: str, *, user: User = injected) -> None:
            built_for.append(user.email)

            def inner(*, me: User = injected) -> str:
                return f"{said} of {me.email}"

            gr.Button().click(inner, None, gr.Textbox(), api_name="inner")

    house = await mounted(demo)
    ada = await house.signed_in()
    number = next(n for n, fn in demo.fns.items() if fn.renderable)
    rendered = await post(ada, number, "x")

    assert built_for == [ADA]
    inner = rendered["output"]["render_config"]["dependencies"][0]["id"]
    assert (await post(ada, inner))["output"]["data"] == [f"x of {ADA}"]


async def post(browser: Browser, number: int, *data: Any, tab: str = "mine") -> dict[str, Any]:
    body = {"data": data, "fn_index": number, "session_hash": tab}
    joined = await browser.http.post(f"{GRADIO}/gradio_api/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    return completed(await browser.told(tab))


async def test_a_value_function_has_its_caller_and_nobody_while_the_app_is_built(
    mounted: Mounts,
) -> None:
    def greeting(*, user: User = injected, state: State = injected) -> str:
        state["greeted"] = True
        return f"Hello {user.name}, admin: {'admin' in user.roles}"

    demo = gr.Blocks()
    with being_built(), demo:
        box = gr.Textbox(value=greeting)
    house = await mounted(demo)
    ada = await house.signed_in()
    [number] = demo.fns
    body = {"data": [], "fn_index": number, "session_hash": "tab"}
    await ada.http.post(f"{GRADIO}/gradio_api/queue/join", json=body)

    assert completed(await ada.told("tab"))["output"]["data"] == ["Hello Ada, admin: False"]
    assert box.value == "Hello , admin: False"


async def test_a_validator_has_its_caller(mounted: Mounts) -> None:
    asked: list[str] = []

    def validate(text: str, *, user: User = injected) -> Any:
        asked.append(user.email)
        return gr.validate(is_valid=text != "bad", message="no")

    ada = await (await mounted(an_app(sync, validator=validate))).signed_in()

    assert await ada.gets("fn", "x") == f"x of {ADA}"
    assert asked == [ADA]


async def test_nobody_sees_what_is_injected_in_the_description(mounted: Mounts) -> None:
    house = await mounted(an_app(sync))
    ada = await house.signed_in()

    info = (await ada.http.get(f"{GRADIO}/gradio_api/info")).json()

    [parameter] = info["named_endpoints"]["/fn"]["parameters"]
    assert parameter["parameter_name"] == "text"


async def test_a_thread_with_its_callers_context_knows_who_is_calling(mounted: Mounts) -> None:
    async def fn(text: str) -> str:
        return await asyncio.to_thread(sync, text)

    ada = await (await mounted(an_app(fn))).signed_in()

    assert await ada.gets("fn", "x") == f"x of {ADA}"


def test_what_is_injected_can_be_copied_and_compared_while_nobody_calls() -> None:
    copied = copy.copy(sync.__kwdefaults__ or {})

    assert copied.keys() == {"user"}
    assert not injected == str  # noqa: E721, SIM201 -- As Gradio compares defaults.


async def test_a_type_that_cannot_be_injected_is_refused_by_file_and_line(mounted: Mounts) -> None:
    def fn(text: str, *, user: int = injected) -> str:
        return text

    with pytest.raises(PageRefused, match=r"test_injection\.py, line \d+: user of fn is injected"):
        await mounted(an_app(fn))


@pytest.mark.asvs("8.3.3")
async def test_a_batch_that_is_injected_the_caller_is_refused(mounted: Mounts) -> None:
    def fn(texts: list[str], *, user: User = injected) -> list[list[str]]:
        return [texts]

    with pytest.raises(PageRefused, match="fn is a batch=True event that takes User"):
        await mounted(an_app(fn, batch=True))


async def test_a_function_that_nothing_leads_to_says_what_to_do(mounted: Mounts) -> None:
    table: dict[str, Any] = {}

    def hidden(*, user: User = injected) -> str:
        return user.email

    table["hidden"] = hidden

    def fn(text: str) -> str:
        try:
            return str(table["hidden"]())
        except RuntimeError as error:
            return f"{error} {current_user().email}"

    ada = await (await mounted(an_app(fn))).signed_in()

    assert "`injected` reaches the functions that Gradio calls" in await ada.gets("fn", "x")
