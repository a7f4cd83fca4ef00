"""A callback redirects the browser, but only to safe addresses."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
import pytest

from gradioapp import redirect
from tests.ui.conftest import GRADIO, Mounts, completed


def an_app(fn: Any, **event: Any) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.Button().click(fn, gr.Textbox(), gr.Textbox(), api_name="fn", **event)
    return demo


def go(url: str) -> str:
    redirect(url)
    return "done"


async def test_the_redirect_is_sent_next_to_the_outputs(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    house = await mounted(an_app(go))
    ada = await house.signed_in()

    for url in ["/gradio/", "/gradio/reports?page=2#x", "https://example.org/a"]:
        with subtests.test(url=url):
            queued = completed(await ada.runs("fn", url))["output"]
            direct = await ada.http.post(f"{GRADIO}/gradio_api/run/fn", json={"data": [url]})

            assert (queued["gradioapp_goes_to"], queued["data"]) == (url, ["done"])
            assert direct.json()["gradioapp_goes_to"] == url


async def test_only_the_step_that_redirects_sends_the_redirect(mounted: Mounts) -> None:
    async def fn(url: str) -> AsyncIterator[str]:
        yield "before"
        redirect(url)
        yield "now"
        yield "after"

    ada = await (await mounted(an_app(fn))).signed_in()

    told = [m for m in await ada.runs("fn", "/gradio/") if "output" in m]

    assert [m["output"].get("gradioapp_goes_to") for m in told] == [None, "/gradio/", None, None]


async def test_a_callback_that_raises_sends_no_redirect(mounted: Mounts) -> None:
    has_redirected: list[str] = []

    def fn(url: str) -> None:
        redirect(url)
        has_redirected.append(url)
        raise ValueError

    ada = await (await mounted(an_app(fn))).signed_in()

    told = await ada.runs("fn", "/gradio/")

    assert has_redirected == ["/gradio/"]
    assert not completed(told)["success"]
    assert "goes_to" not in str(told)


@pytest.mark.asvs("3.7.2")
async def test_an_unsafe_address_is_refused_at_the_line_that_redirects(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    reached: list[str] = []

    def fn(url: str) -> str:
        try:
            redirect(url)
        except ValueError as error:
            return str(error)
        reached.append(url)
        return ""

    ada = await (await mounted(an_app(fn))).signed_in()

    for url in [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://example.org/",
        "//example.org/",
        "/\\example.org",
        "\\\\example.org",
        "/a\nb",
        "/a\\b",
        "https:",
        "https:///x",
        "relative",
        "",
    ]:
        with subtests.test(url=url):
            reached.clear()

            told = completed(await ada.runs("fn", url))["output"]

            assert told["data"][0].startswith("redirect() takes a path")
            assert not reached
            assert "gradioapp_goes_to" not in told
