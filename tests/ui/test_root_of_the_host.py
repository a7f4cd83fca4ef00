"""An app that asks for its files at the root of the host gets 404, and the log says once which page it is."""

from typing import Any, Final

import gradio as gr
import httpx
import pytest

from entrypoints import ui
from tests.ui.conftest import Browser, House, Mounts

FILE: Final = "/gradio_api/file=outputs/map.png"


def a_page(title: str, **more: Any) -> ui.Page:
    with gr.Blocks() as demo:
        gr.HTML(f'<img src="{FILE}">')
    return ui.Page(demo=demo, title=title, **more)


@pytest.fixture
async def house(mounted: Mounts) -> House:
    with gr.Blocks() as home:
        gr.Markdown("Home")
    others = [a_page("Maps"), a_page("Plans", roles={"planner"})]
    return await mounted(home, others=others)


async def asks(browser: Browser, *, page: str, path: str = FILE, **more: str) -> httpx.Response:
    return await browser.http.get(path, headers={"referer": page, **more})


def pages_told(lines: list[Any]) -> list[str]:
    return [line["page"] for line in lines if "at the root of the host" in line["event"]]


async def test_the_log_names_each_page_once_and_what_to_write(
    house: House, lines: list[Any]
) -> None:
    ada = await house.signed_in()
    await house.has("eve@example.org", "Eve", "planner")
    eve = await house.signed_in("eve@example.org")

    for browser in (ada, eve):
        for path in (FILE, "/gradio_api/file=/tmp/a.png", "/gradio_api/info"):
            for page in ("maps/", "plans/", "maps/?x=1", "maps/theme.css"):
                asked = await asks(browser, page=f"{house.origin}/gradio/{page}", path=path)
                assert asked.status_code == 404

    assert pages_told(lines) == ["/gradio/maps/", "/gradio/plans/"]
    [line] = [line for line in lines if line.get("page") == "/gradio/maps/"]
    assert "gradio_api/file=" in line["write"]
    assert "without the leading slash" in line["write"]


async def test_the_log_names_no_page_at_a_strangers_word(house: House, lines: list[Any]) -> None:
    ada = await house.signed_in()

    for page in (
        "",
        "http://evil.example/gradio/maps/",
        "http://[bad/gradio/maps/",
        f"{house.origin}/gradio/",
        f"{house.origin}/gradio/maps",
        f"{house.origin}/gradio/invented/",
        f"{house.origin}/maps/",
        f"{house.origin}/gradio/maps\n2026 [error] forged/",
        f"{house.origin}/gradio/plans/",  # Ada lacks its role.
        "maps/",
    ):
        assert (await asks(ada, page=page.replace("\n", "%0a"))).status_code == 404, page
    stranger = await asks(house.anonymous(), page=f"{house.origin}/gradio/maps/")

    assert stranger.status_code == 401
    assert pages_told(lines) == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_every_other_method_is_also_not_found(house: House, method: str) -> None:
    ada = await house.signed_in()

    answer = await ada.http.request(method, "/gradio_api/upload")

    assert answer.status_code == 404
