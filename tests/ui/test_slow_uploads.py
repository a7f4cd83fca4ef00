"""A session stays awake while one of its uploads arrives, however long that takes, and ends as usual without one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import gradio as gr
import httpx
import pytest

from entrypoints.web.limits import CHECKED_EVERY
from tests.ui.attacks import API, fetches, is_problem
from tests.ui.conftest import Browser, House, Mounts
from tests.ui.serving import served

BOUNDARY: Final = "slow"
FORM: Final = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
BEGIN: Final = (
    f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
)
END: Final = f"\r\n--{BOUNDARY}--\r\n"
PIECES: Final = 4
SECONDS: Final = 25
"""Time of the service's clock between two pieces. All pieces together take longer than the idle timeout."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    kept = tmp_path / "kept"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(kept))
    return kept


@pytest.fixture
async def house(mounted: Mounts) -> House:
    with gr.Blocks() as demo:
        gr.File()
    return await mounted(demo, session_idle_minutes=1)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def uploads_slowly(
    house: House, browser: Browser, origin: str, *, ends_after: int = PIECES + 1, **headers: str
) -> httpx.Response:
    """Upload a file in pieces. The session is revoked after `ends_after` of them."""

    async def pieces() -> AsyncIterator[bytes]:
        yield BEGIN.encode()
        for number in range(PIECES):
            await asyncio.sleep(CHECKED_EVERY * 1.1)
            if number == ends_after:
                await house.ends(browser)
            house.passes(seconds=SECONDS)
            yield b"x" * 5000
        yield END.encode()

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    cookie = f"gradioapp-session={browser.http.cookies['gradioapp-session']}"
    async with httpx.AsyncClient(base_url=origin, timeout=30) as client:
        return await client.post(
            f"{API}/upload",
            content=pieces(),
            headers={**FORM, "cookie": cookie, "origin": origin, **named},
        )


@pytest.mark.server
@pytest.mark.asvs("7.3.1")
async def test_a_session_stays_awake_while_an_upload_arrives(house: House) -> None:
    ada, idle = await house.signed_in(), await house.signed_in()

    async with served(house) as origin:
        uploaded = await uploads_slowly(house, ada, origin)

    assert uploaded.status_code == 200
    assert (await fetches(ada, uploaded.json()[0])).content == b"x" * 5000 * PIECES
    assert (await ada.http.get("/gradio/")).status_code == 200
    assert (await idle.http.get(f"{API}/info")).status_code == 401


@pytest.mark.server
async def test_a_passive_upload_does_not_keep_its_session_awake(house: House) -> None:
    ada = await house.signed_in()

    async with served(house) as origin:
        await uploads_slowly(house, ada, origin, x_gradioapp_passive="1")

    assert (await ada.http.get(f"{API}/info")).status_code == 401


@pytest.mark.server
@pytest.mark.asvs("7.4.1")
async def test_the_rest_of_an_upload_is_refused_when_its_session_ends(
    house: House, folder: Path
) -> None:
    ada = await house.signed_in()

    async with served(house) as origin:
        refused = await uploads_slowly(house, ada, origin, ends_after=1)

    assert is_problem(refused, 401)
    assert files_in(folder) == []
