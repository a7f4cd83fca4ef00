"""Parameters whose default is `injected` are filled by their type in every function that Gradio calls."""

from __future__ import annotations

import asyncio
import copy
import json
import types
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Optional

import gradio as gr
import pytest

from entrypoints.ui import PageRefused, being_built, load_pages
from entrypoints.ui.sdk.injection import TYPES
from gradioapp import (
    Session,
    State,
    User,
    current_session,
    current_user,
    injected,
    redirect,
    requires,
)
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
async def test_an_injected_user_is_the_caller(mounted: Mounts, subtests: pytest.Subtests) -> None:
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


# By its type alone


def by_type(text: str, user: User) -> str:
    return f"{text} of {user.email}"


async def by_type_async(text: str, user: User) -> str:
    await asyncio.sleep(0)
    return f"{text} of {user.email}"


def by_type_in_steps(text: str, user: User) -> Iterator[str]:
    yield f"{text} of {user.email}"


async def by_type_in_async_steps(text: str, user: User) -> AsyncIterator[str]:
    yield f"{text} of {user.email}"


def by_keyword(text: str, *, user: User) -> str:
    return f"{text} of {user.email}"


def or_none(text: str, user: User | None) -> str:
    return f"{text} of {user.email if user else ''}"


def optional_of_older_python(text: str, user: Optional[User]) -> str:  # noqa: UP045
    return f"{text} of {user.email if user else ''}"


def with_more_said(text: str, user: Annotated[User, "who calls"]) -> str:
    return f"{text} of {user.email}"


def beside_an_unknown_type(text: Decimal, user: User) -> str:
    return f"{text} of {user.email}"


def before_the_request(text: str, user: User, request: gr.Request, state: State) -> str:
    assert (request.username, state.get("nothing")) == (user.email, None)
    return f"{text} of {user.email}"


def after_the_request(text: str, request: gr.Request, session: Session, user: User) -> str:
    assert (request.username, session.data.get("nothing")) == (user.email, None)
    return f"{text} of {user.email}"


def with_progress(text: str, user: User, progress: Any = gr.Progress()) -> str:  # noqa: B008
    progress(0.5)
    return f"{text} of {user.email}"


@wraps(by_type)
def wrapped_by_type(*args: Any) -> str:
    return by_type(*args)


class MethodByType:
    def fn(self, text: str, user: User) -> str:
        return f"{text} of {user.email}"

    def __call__(self, text: str, user: User) -> str:
        return f"{text} of {user.email}"

    @classmethod
    def of_the_class(cls, text: str, user: User) -> str:
        return f"{text} of {user.email}"

    @staticmethod
    def of_nothing(text: str, user: User) -> str:
        return f"{text} of {user.email}"


def two(first: str, text: str, user: User) -> str:
    return f"{first}{text} of {user.email}"


BY_TYPE: Final[list[Any]] = [
    by_type,
    by_type_async,
    by_type_in_steps,
    by_type_in_async_steps,
    by_keyword,
    or_none,
    optional_of_older_python,
    with_more_said,
    beside_an_unknown_type,
    before_the_request,
    after_the_request,
    with_progress,
    wrapped_by_type,
    MethodByType().fn,
    MethodByType(),
    MethodByType.of_the_class,
    MethodByType.of_nothing,
    partial(two, ""),
    partial(by_type),
    requires("tester")(by_type_async),
    requires("tester")(by_type_in_steps),
]


@pytest.mark.asvs("8.3.3")
async def test_a_user_is_the_caller_by_the_type_alone(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    with warnings.catch_warnings(), TYPES.used(), gr.Blocks() as demo:
        # Gradio itself knows no types of a partial, nor of a function that has one unknown type.
        warnings.filterwarnings("ignore", message=".*(beside_an_unknown_type|partial)")
        text = gr.Textbox()
        for number, fn in enumerate(BY_TYPE):
            gr.Button().click(fn, text, text, api_name=f"fn{number}")
    house = await mounted(demo)
    await house.has(ADA, "Ada", "tester")
    await house.has("bob@example.org", "Bob", "tester")
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    for number, fn in enumerate(BY_TYPE):
        with subtests.test(fn=fn):
            for browser, email in ((ada, ADA), (bob, "bob@example.org")):
                messages = await browser.runs(f"fn{number}", "x")
                assert f"x of {email}" in json.dumps(messages), messages


async def test_chats_interfaces_and_rendered_functions_have_their_caller_by_the_type_alone(
    mounted: Mounts,
) -> None:
    def answer(message: str, history: list[Any], user: User) -> str:
        return f"{message}, {user.email}"

    with TYPES.used():
        chat = gr.ChatInterface(answer, api_name="chat")
        interface = gr.Interface(by_type, "text", "text", api_name="fn")
    ada = await (await mounted(chat)).signed_in()
    assert f"hello, {ADA}" in str(await ada.runs("chat", "hello", []))

    ada = await (await mounted(interface)).signed_in()
    assert await ada.gets("fn", "x") == f"x of {ADA}"


async def test_an_app_whose_user_is_taken_by_its_type_is_loaded_without_a_warning(
    mounted: Mounts, tmp_path: Path
) -> None:
    file = tmp_path / "by_its_type.py"
    file.write_text(
        "from __future__ import annotations\n"
        "import gradio as gr\n"
        "from gradioapp import User\n"
        "def fn(text: str, user: User | None) -> str:\n"
        "    return f'{text} of {user.email}'\n"
        "demo = gr.Interface(fn, 'text', 'text', api_name='fn')\n"
        "demo.launch()\n"
    )
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        [page] = load_pages([f"{file}:demo"])
        ada = await (await mounted(page.demo)).signed_in()

    assert await ada.gets("fn", "x") == f"x of {ADA}"
    assert [str(one.message) for one in warned if "arguments" in str(one.message)] == []
    described = (await ada.http.get(f"{GRADIO}/gradio_api/info")).json()
    [text] = described["named_endpoints"]["/fn"]["parameters"]
    assert text["parameter_name"] == "text"


async def test_a_user_before_the_values_of_components_is_refused_by_file_and_line(
    mounted: Mounts,
) -> None:
    def fn(user: User, text: str) -> str:
        return f"{text} of {user.email}"

    with TYPES.used():
        demo = an_app(fn)

    with pytest.raises(
        PageRefused,
        match=r"test_injection\.py, line \d+: the parameter user of fn stands before text, .* "
        r"\(…, \*, user: User = injected\)\.",
    ):
        await mounted(demo)


async def test_a_type_that_is_imported_for_type_checkers_only_is_known_by_its_name(
    mounted: Mounts,
) -> None:
    def fn(text: str, user: User | None) -> str:
        return f"{text} of {user.email if user else ''}"

    fn.__annotations__["user"] = "User | None"
    unknowing = types.FunctionType(fn.__code__, {**globals(), "User": None}, "fn")
    del unknowing.__globals__["User"]
    unknowing.__annotations__ = fn.__annotations__
    with pytest.warns(UserWarning, match="Expected .*2 arguments"):
        demo = an_app(unknowing)
    ada = await (await mounted(demo)).signed_in()

    assert await ada.gets("fn", "x") == f"x of {ADA}"


async def test_an_own_class_of_the_same_name_is_not_injected(mounted: Mounts) -> None:
    class Own:
        """The author's own class, which is called State in the author's file."""

    def fn(state: Any, text: str) -> str:
        return f"{text} {state}"

    fn.__annotations__["state"] = "State"
    theirs = types.FunctionType(fn.__code__, {**globals(), "State": Own}, "fn")
    theirs.__annotations__ = fn.__annotations__
    with gr.Blocks() as demo:
        text = gr.Textbox()
        gr.Button().click(theirs, [gr.State("own"), text], text, api_name="fn")
    ada = await (await mounted(demo)).signed_in()

    assert await ada.gets("fn", None, "x") == "x own"


async def test_a_batch_that_takes_a_user_by_its_type_is_refused(mounted: Mounts) -> None:
    def fn(texts: list[str], user: User) -> list[list[str]]:
        return [texts]

    with TYPES.used():
        demo = an_app(fn, batch=True)

    with pytest.raises(PageRefused, match="fn is a batch=True event that takes User"):
        await mounted(demo)


# While the page is built


@pytest.mark.parametrize(
    "ask",
    [
        current_user,
        current_session,
        lambda: injected.name,
        lambda: redirect("/gradio/"),
        requires("tester")(lambda: None),
    ],
)
def test_asking_for_the_caller_while_the_page_is_built_says_what_to_do(
    ask: Callable[[], Any],
) -> None:
    with (
        being_built(),
        pytest.raises(
            RuntimeError, match=r"while the page is built.*Ask for the caller in a callback"
        ),
    ):
        ask()


async def test_injected_parameters_of_a_function_that_is_called_while_the_page_is_built_say_so(
    mounted: Mounts,
) -> None:
    def who(*, user: User = injected, state: State = injected, session: Session = injected) -> Any:
        return (lambda: user.name, lambda: state["x"], lambda: session.id)

    demo = gr.Blocks()
    with demo:
        gr.Button().click(lambda: str(who()), None, gr.Textbox())
    await mounted(demo)

    with being_built():
        for ask in who():
            with pytest.raises(RuntimeError, match="while the page is built"):
                ask()


async def test_a_file_that_asks_for_the_caller_at_its_top_is_refused_in_one_line(
    tmp_path: Path,
) -> None:
    file = tmp_path / "asks.py"
    file.write_text(
        "import gradio as gr\n"
        "from gradioapp import current_user\n"
        "with gr.Blocks() as demo:\n"
        "    gr.Markdown(f'Hello {current_user().name}')\n"
    )

    with pytest.raises(PageRefused, match=r"line 4.*while the page is built") as refused:
        load_pages([str(file)])
    assert "\n" not in str(refused.value)


# In more places


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


async def test_each_injected_parameter_has_the_type_of_its_annotation(mounted: Mounts) -> None:
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


async def test_a_rendered_function_has_its_caller(mounted: Mounts) -> None:
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


async def test_a_value_function_has_its_caller_and_a_stand_in_while_the_app_is_built(
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


async def test_injected_parameters_are_left_out_of_the_description(mounted: Mounts) -> None:
    house = await mounted(an_app(sync))
    ada = await house.signed_in()

    info = (await ada.http.get(f"{GRADIO}/gradio_api/info")).json()

    [parameter] = info["named_endpoints"]["/fn"]["parameters"]
    assert parameter["parameter_name"] == "text"


async def test_a_thread_with_its_callers_context_knows_its_caller(mounted: Mounts) -> None:
    async def fn(text: str) -> str:
        return await asyncio.to_thread(sync, text)

    ada = await (await mounted(an_app(fn))).signed_in()

    assert await ada.gets("fn", "x") == f"x of {ADA}"


def test_injected_can_be_copied_and_compared_outside_a_call() -> None:
    copied = copy.copy(sync.__kwdefaults__ or {})

    assert copied.keys() == {"user"}
    assert not injected == str  # noqa: E721, SIM201 -- As Gradio compares defaults.


async def test_a_type_that_cannot_be_injected_is_refused_by_file_and_line(mounted: Mounts) -> None:
    def fn(text: str, *, user: int = injected) -> str:
        return text

    with pytest.raises(
        PageRefused, match=r"test_injection\.py, line \d+: the parameter user of fn is injected"
    ):
        await mounted(an_app(fn))


@pytest.mark.asvs("8.3.3")
async def test_a_batch_with_an_injected_caller_is_refused(mounted: Mounts) -> None:
    def fn(texts: list[str], *, user: User = injected) -> list[list[str]]:
        return [texts]

    with pytest.raises(PageRefused, match="fn is a batch=True event that takes User"):
        await mounted(an_app(fn, batch=True))


async def test_a_function_that_gradio_does_not_call_says_how_to_get_its_caller(
    mounted: Mounts,
) -> None:
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

    assert "`injected` works in functions that Gradio calls" in await ada.gets("fn", "x")
