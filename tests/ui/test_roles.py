"""Functions for a role are refused to callers without the role on every way, and are hidden from them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import gradio as gr
import pytest

from domain.errors import RoleInvalid
from domain.model.caller import Caller
from gradioapp import User, current_user, injected, requires, visible_to
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed, steps

API: Final = f"{GRADIO}/gradio_api"
ADA, BOB = "ada@example.org", "bob@example.org"


def an_app(fn: Callable[..., Any], **event: Any) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.Button().click(fn, None, gr.Textbox(), api_name="fn", **event)
        gr.Button().click(lambda: "open", None, gr.Textbox(), api_name="open")
    return demo


async def people(house: House, role: str = "trainer") -> tuple[Browser, Browser]:
    """Return Ada, who has the role, and Bob, who does not."""
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    assert ada.session is not None
    await house.use_cases.grant_role(Caller.operator(), ada.session.user_id, role)
    return ada, bob


async def loses(house: House, browser: Browser, role: str = "trainer") -> None:
    assert browser.session is not None
    await house.use_cases.revoke_role(Caller.operator(), browser.session.user_id, role)


def sync(*, user: User = injected) -> str:
    return f"done by {user.email}"


async def coroutine(*, user: User = injected) -> str:
    return f"done by {user.email}"


def generator(*, user: User = injected) -> Iterator[str]:
    yield f"done by {user.email}"


async def async_generator(*, user: User = injected) -> AsyncIterator[str]:
    yield f"done by {user.email}"


@pytest.mark.asvs("8.2.1", "8.3.1")
@pytest.mark.parametrize("fn", [sync, coroutine, generator, async_generator])
async def test_a_caller_without_the_role_is_refused_on_every_way_to_call(
    mounted: Mounts, lines: list[dict[str, Any]], fn: Callable[..., Any]
) -> None:
    reached: list[str] = []

    def noted(*, user: User = injected) -> Any:
        reached.append(user.email)
        return fn(user=user)

    wanted = requires("trainer")(fn if fn is not sync else noted)
    house = await mounted(an_app(wanted))
    ada, bob = await people(house)

    assert f"done by {ADA}" in str(await ada.runs("fn"))

    by_queue = completed(await bob.runs("fn"))["output"]
    by_name = await bob.http.post(f"{API}/run/fn", json={"data": []})
    by_number = await bob.http.post(f"{API}/run/open", json={"data": [], "fn_index": 0})
    event = (await bob.http.post(f"{API}/call/fn", json={"data": []})).json()["event_id"]
    as_a_program = await bob.http.get(f"{API}/call/fn/{event}")

    says = f"This needs the role trainer, which {BOB} does not have."
    assert (by_queue["error"], by_queue["title"]) == (says, "Not allowed")
    assert [by_name.status_code, by_number.status_code] == [400, 400]
    assert says in by_name.text
    assert says in by_number.text
    assert says in as_a_program.text
    assert BOB not in reached
    refused = [line for line in lines if line["event"] == "callback refused"]
    assert {(line["needs"][0], line["user_id"]) for line in refused} == {
        ("trainer", str(bob.session.user_id))  # type: ignore[union-attr]
    }


async def test_one_role_of_a_decorator_is_enough_and_every_decorator_applies(
    mounted: Mounts,
) -> None:
    house = await mounted(an_app(requires("boss")(requires("trainer", "boss")(sync))))
    ada, bob = await people(house)
    assert bob.session is not None
    await house.use_cases.grant_role(Caller.operator(), bob.session.user_id, "boss")

    assert not completed(await ada.runs("fn"))["success"]
    assert await bob.gets("fn") == f"done by {BOB}"


@pytest.mark.asvs("8.3.2")
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_generator_stops_when_its_caller_loses_the_role(
    mounted: Mounts, *, is_async: bool
) -> None:
    reached: list[int] = []
    loop = asyncio.get_running_loop()

    async def async_fn() -> AsyncIterator[int]:
        for number in range(5):
            reached.append(number)
            if number == 1:
                await loses(house, ada)
            yield number

    def fn() -> Iterator[int]:
        for number in range(5):
            reached.append(number)
            if number == 1:
                asyncio.run_coroutine_threadsafe(loses(house, ada), loop).result(timeout=5)
            yield number

    house = await mounted(an_app(requires("trainer")(async_fn if is_async else fn)))
    ada, _ = await people(house)

    told = await ada.runs("fn")

    assert steps(told) == ["0", "1"]
    assert reached == [0, 1]
    assert "This needs the role trainer" in completed(told)["output"]["error"]


async def test_a_function_that_the_caller_may_not_call_is_not_described(mounted: Mounts) -> None:
    house = await mounted(an_app(requires("trainer")(sync)))
    ada, bob = await people(house)

    async def described(browser: Browser, query: str = "") -> set[str]:
        answer = await browser.http.get(f"{API}/info{query}")
        return set(answer.json()["named_endpoints"])

    assert await described(ada) == await described(ada, "?all_endpoints=true") == {"/fn", "/open"}
    assert await described(bob) == await described(bob, "?all_endpoints=true") == {"/open"}
    assert await described(ada) == {"/fn", "/open"}
    in_page = [(await who.http.get(f"{GRADIO}/")).text for who in (ada, bob)]
    assert ['"/fn"' in page for page in in_page] == [True, False]
    assert all('"/open"' in page for page in in_page)
    assert in_page[0].count("</script>") == in_page[1].count("</script>")


def test_requires_and_visible_to_refuse_missing_and_invalid_roles() -> None:
    with pytest.raises(TypeError, match=r'requires\("admin"\)'):
        requires()
    with pytest.raises(TypeError, match=r'visible_to\("admin"\)'):
        visible_to()
    with pytest.raises(RoleInvalid):
        requires("No Role")


async def test_a_batch_with_a_required_role_is_refused(mounted: Mounts) -> None:
    with pytest.raises(Exception, match="is a batch=True event that takes a role"):
        await mounted(an_app(requires("trainer")(list), batch=True))


# Components for a role


def a_page_with_tools(reached: list[str]) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:

        @visible_to("trainer")
        def tools(*, user: User = injected) -> None:
            def retrain() -> str:
                reached.append(current_user().email)
                return "retrained"

            gr.Markdown(f"Tools of {user.email}")
            gr.Button("Retrain").click(
                retrain, None, gr.Textbox(label="Result"), api_name="retrain"
            )

    return demo


async def shown(browser: Browser, tab: str) -> dict[str, Any]:
    """Return the result of building the page for this browser."""
    number = next(n for n, fn in browser.demo.fns.items() if fn.renderable)
    return await posts(browser, number, tab)


async def posts(browser: Browser, number: int, tab: str) -> dict[str, Any]:
    body = {"data": [], "fn_index": number, "session_hash": tab}
    joined = await browser.http.post(f"{API}/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    return completed(await browser.told(tab))


@pytest.mark.asvs("8.2.1", "8.2.3")
async def test_components_for_a_role_are_built_only_for_callers_with_the_role(
    mounted: Mounts,
) -> None:
    reached: list[str] = []
    house = await mounted(a_page_with_tools(reached))
    ada, bob = await people(house)

    hers, his = await shown(ada, "hers"), await shown(bob, "his")
    retrain = hers["output"]["render_config"]["dependencies"][0]["id"]

    assert f"Tools of {ADA}" in str(hers)
    assert "Retrain" not in str(his)
    for path in ("", "config", "gradio_api/info"):
        for browser in (ada, bob):
            assert "etrain" not in (await browser.http.get(f"{GRADIO}/{path}")).text
    assert (await posts(ada, retrain, "hers"))["output"]["data"] == ["retrained"]
    assert reached == [ADA]


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_an_event_that_was_built_for_another_account_cannot_be_called(
    mounted: Mounts,
) -> None:
    reached: list[str] = []
    house = await mounted(a_page_with_tools(reached))
    ada, bob = await people(house)
    retrain = (await shown(ada, "tab"))["output"]["render_config"]["dependencies"][0]["id"]
    await shown(bob, "tab")

    for tab in ("tab", f"tab.{ada.session.id.hex}", "other"):  # type: ignore[union-attr]
        for address, body in {
            "queue/join": {"fn_index": retrain},
            "run/retrain": {},
            "run/tools": {"fn_index": retrain},
            "call/retrain": {},
        }.items():
            answer = await bob.http.post(
                f"{API}/{address}", json={"data": [], "session_hash": tab, **body}
            )
            assert answer.status_code == 404, (address, answer.text)
    assert reached == []


@pytest.mark.asvs("8.3.2")
async def test_an_event_that_a_tab_still_shows_is_refused_once_the_role_is_gone(
    mounted: Mounts,
) -> None:
    reached: list[str] = []
    house = await mounted(a_page_with_tools(reached))
    ada, _ = await people(house)
    retrain = (await shown(ada, "tab"))["output"]["render_config"]["dependencies"][0]["id"]

    await loses(house, ada)
    told = await posts(ada, retrain, "tab")

    assert "This needs the role trainer" in told["output"]["error"]
    assert reached == []


async def test_events_nested_in_components_for_a_role_are_refused_once_the_role_is_gone(
    mounted: Mounts,
) -> None:
    reached: list[str] = []
    with gr.Blocks() as demo:

        @visible_to("trainer")
        def tools() -> None:
            @gr.render()  # type: ignore[untyped-decorator]
            def inner() -> None:
                gr.Button("Deep").click(lambda: reached.append("deep"), api_name="deep")

    house = await mounted(demo)
    ada, _ = await people(house)
    built = (await shown(ada, "tab"))["output"]["render_config"]["dependencies"]
    deep = await posts(ada, built[0]["id"], "tab")
    number = deep["output"]["render_config"]["dependencies"][0]["id"]
    assert (await posts(ada, number, "tab"))["success"]

    await loses(house, ada)

    assert not (await posts(ada, number, "tab"))["success"]
    assert reached == ["deep"]


@pytest.mark.parametrize("word", [requires, visible_to])
async def test_a_word_without_parentheses_is_refused_with_the_right_form(word: Any) -> None:
    def retrain() -> None: ...

    with pytest.raises(TypeError, match=rf'{word.__name__}\("admin"\)'):
        word(retrain)
