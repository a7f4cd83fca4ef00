"""Cached examples: Gradio stores their outputs once, for all users, so that nobody calls their function."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import gradio as gr
import pytest
from gradio.context import LocalContext

import gradioapp
from application.settings import load
from entrypoints.ui import Page, PageRefused, must_be_servable
from entrypoints.ui.apps.cached_examples import RUNNING
from entrypoints.ui.sdk import (
    Session,
    State,
    User,
    current_session,
    current_user,
    injected,
    requires,
    visible_to,
)
from tests.ui.conftest import Browser, Mounts, completed

Mode = Literal["eager", "lazy"]
Build = Callable[[Callable[..., Any], Mode], gr.Blocks]

MODES: Final[tuple[Mode, ...]] = ("eager", "lazy")


@pytest.fixture(autouse=True)
def _has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_EXAMPLES_CACHE", str(tmp_path / "examples"))


def in_blocks(fn: Callable[..., Any], mode: Mode) -> gr.Blocks:
    demo: gr.Blocks
    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Examples(["x"], text, out, fn, cache_examples=True, cache_mode=mode, api_name="ex")
    return demo


def in_an_interface(fn: Callable[..., Any], mode: Mode) -> gr.Blocks:
    demo: gr.Blocks = gr.Interface(
        fn, gr.Textbox(), gr.Textbox(), examples=[["x"]], cache_examples=True, cache_mode=mode
    )
    return demo


def in_tabs(fn: Callable[..., Any], mode: Mode) -> gr.Blocks:
    other = gr.Interface(lambda x: x, gr.Textbox(), gr.Textbox())
    return gr.TabbedInterface([other, in_an_interface(fn, mode)], ["One", "Two"])


def in_a_chat(fn: Callable[..., Any], mode: Mode) -> gr.Blocks:
    demo: gr.Blocks = gr.ChatInterface(
        lambda message, history: fn(message), examples=["x"], cache_examples=True, cache_mode=mode
    )
    return demo


def in_a_batch(fn: Callable[..., Any], mode: Mode) -> gr.Blocks:
    demo: gr.Blocks
    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Examples(
            ["x"], text, out, fn, cache_examples=True, cache_mode=mode, batch=True, api_name="ex"
        )
    return demo


BUILDS: Final[tuple[Build, ...]] = (in_blocks, in_an_interface, in_tabs, in_a_chat, in_a_batch)


def refusal_of(demo: gr.Blocks) -> str:
    with pytest.raises(PageRefused) as refused:
        must_be_servable(Page(demo, title="App"), load(env_file=None, environment="test"))
    return str(refused.value)


def takes_user(text: str, *, user: User = injected) -> str:
    return f"{text} {user.email}"


def takes_session(text: str, session: Session) -> str:
    return f"{text} {session.id}"


def takes_state(text: str, *, state: State = injected) -> str:
    return f"{text} {dict(state)}"


def names_user(text: str) -> str:
    return f"{text} {current_user().email}"


def names_session(text: str) -> str:
    return f"{text} {current_session().id}"


def names_user_of_the_package(text: str) -> str:
    return f"{text} {gradioapp.current_user().email}"


def calls_what_names_user(text: str) -> str:
    return names_user(text)


@requires("admin")
def secret(text: str) -> str:
    return f"secret of {text}"


ASKING: Final = {
    takes_user: "User",
    takes_session: "Session",
    takes_state: "State",
    names_user: "current_user()",
    names_session: "current_session()",
    names_user_of_the_package: "current_user()",
    calls_what_names_user: "current_user()",
    secret: "a role",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("fn", ASKING)
def test_cached_examples_that_ask_for_their_caller_are_refused_in_one_line(
    fn: Callable[..., Any], build: Build, mode: Mode
) -> None:
    refusal = refusal_of(build(fn, mode))

    assert f"asks for {ASKING[fn]}:" in refusal
    assert "Set cache_examples=False" in refusal
    assert "\n" not in refusal


async def click(who: Browser, tab: str) -> dict[str, Any]:
    fns = who.demo.fns.items()
    index = next(i for i, fn in fns if fn.name == "load_example_output")
    await who.http.post(
        "/gradio/gradio_api/queue/join",
        json={"data": [0], "fn_index": index, "session_hash": tab},
    )
    return completed(await who.told(tab))


async def shown(who: Browser, tab: str) -> Any:
    last = await click(who, tab)
    assert last["success"], last
    return last["output"]["data"][-1]


async def test_a_cached_examples_function_runs_as_nobody(mounted: Mounts) -> None:
    seen: list[Any] = []

    def hidden(text: str, request: gr.Request | None) -> str:
        seen.append(request)
        who = getattr(gradioapp, "current" + "_user")  # The search at the start does not find it.
        try:
            return f"{text} of {who().email}"
        except RuntimeError as error:
            return str(error)

    house = await mounted(in_blocks(hidden, "lazy"))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    said = [await shown(who, f"tab-of-{n}") for n, who in enumerate((ada, bob))]

    assert said[0].startswith("Nobody is signed in here: the outputs of cached examples")
    assert said[0] == said[1]
    assert seen == [None]


async def test_a_cached_example_inside_tabs_has_neither_request_nor_profile(
    mounted: Mounts,
) -> None:
    """Gradio runs it in the inner app, which is not wrapped in our steps."""

    def told(text: str, request: gr.Request | None, profile: gr.OAuthProfile | None) -> str:
        inner = LocalContext.request.get(None)
        return f"{text} {request} {profile} {inner}"

    house = await mounted(in_tabs(told, "lazy"))
    ada = await house.signed_in()

    assert await shown(ada, "tabs") == "x None None None"


async def test_cached_examples_show_the_same_outputs_to_all_users(mounted: Mounts) -> None:
    runs: list[str] = []

    def once(text: str) -> str:
        runs.append(text)
        return f"out of {text}"

    for mode in MODES:
        runs.clear()
        house = await mounted(in_blocks(once, mode))
        ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

        said = [await shown(who, f"{mode}-{n}") for n, who in enumerate((ada, bob))]

        assert said == ["out of x", "out of x"]
        assert runs == ["x"]


async def test_an_example_that_cannot_be_cached_at_the_start_is_said_in_one_line(
    mounted: Mounts, tmp_path: Path
) -> None:
    def fails(text: str) -> str:
        if text == "y":
            raise ValueError("no\nsuch word")
        return text

    with gr.Blocks() as demo:
        text, out = gr.Textbox(), gr.Textbox()
        gr.Examples(["x", "y"], text, out, fails, cache_examples=True)

    for _ in range(
        2
    ):  # Also at the next start: the outputs that were stored before the error are removed.
        with pytest.raises(PageRefused) as refused:
            await mounted(demo)
        line = fails.__code__.co_firstlineno + 2
        assert str(refused.value) == (
            f"{__file__}, line {line}: ValueError: no such word. fails runs at the start for cached examples. Correct it, "
            "or set cache_examples=False."
        )
        assert not RUNNING.is_used  # What was replaced in the process is restored.


async def test_an_example_that_ends_the_process_ends_only_its_start(mounted: Mounts) -> None:
    def ends(text: str) -> str:
        raise SystemExit(3)

    with pytest.raises(PageRefused, match="ends has raised SystemExit"):
        await mounted(in_tabs(ends, "eager"))


async def test_examples_inside_a_rendered_part_are_not_cached(
    mounted: Mounts, lines: list[Any]
) -> None:
    made: list[str] = []

    with gr.Blocks() as demo:

        @visible_to("admin")
        def part() -> None:
            text, out = gr.Textbox(), gr.Textbox()
            try:
                gr.Examples(["x"], text, out, str, cache_examples=True, cache_mode="lazy")
            except RuntimeError as error:
                made.append(str(error))
            gr.Examples(["x"], text, out, str, run_on_click=True)

    house = await mounted(demo)
    await house.has("ada@example.org", "Ada", "admin")
    ada = await house.signed_in()
    index = next(i for i, fn in demo.fns.items() if fn.renderable is not None)
    await ada.http.post(
        "/gradio/gradio_api/queue/join", json={"data": [], "fn_index": index, "session_hash": "r"}
    )
    last = completed(await ada.told("r"))

    assert last["success"], last
    assert len(made) == 1
    assert "Set cache_examples=False" in made[0]
