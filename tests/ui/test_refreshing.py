"""Pages ask for new starts of the service only where it runs with `--reload`."""

import re

import gradio as gr
import pytest

from tests.ui.conftest import GRADIO, Mounts


@pytest.mark.parametrize("public_url", [None, "http://localhost/app"])
async def test_a_page_of_a_reloading_service_knows_its_start_and_where_to_ask(
    public_url: str | None, mounted: Mounts
) -> None:
    house = await mounted(gr.Blocks(), reload=True, public_url=public_url)
    browser = await house.signed_in()

    page = (await browser.http.get(f"{GRADIO}/")).text
    now = (await browser.http.get(f"{GRADIO}/gradio_api/app_id")).json()["app_id"]

    found = re.search(r'<script nonce="\S+" data-id="(\d+)" data-address="([^"]+)">', page)
    base = "/app" if public_url else ""
    assert found is not None
    assert (int(found[1]), found[2]) == (now, f"{base}{GRADIO}/gradio_api/app_id")


async def test_a_page_of_another_service_never_asks(mounted: Mounts) -> None:
    house = await mounted(gr.Blocks())

    page = (await (await house.signed_in()).http.get(f"{GRADIO}/")).text

    assert "data-account" in page
    assert "data-id=" not in page
