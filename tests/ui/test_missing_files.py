"""A file that only other replicas have is brought wherever its owner may name it, and for nobody else."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from gradioapp import State, injected
from tests.object_store import ObjectStore, object_store
from tests.ui.attacks import API, as_file, fetches, joins, uploads
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed

WRITTEN: Final = "written elsewhere"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    kept = tmp_path / "kept"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(kept))
    return kept


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ObjectStore]:
    with object_store(tmp_path / "store") as store:
        yield store


def an_app() -> gr.Blocks:
    def read(path: str) -> str:
        return Path(path).read_text()

    def keep(path: str, *, state: State = injected) -> str:
        state["path"] = path
        return path

    def show(*, state: State = injected) -> str:
        return str(state["path"])

    def make(text: str) -> str:
        made = Path(tempfile.mkdtemp()) / "made.txt"
        made.write_text(text)
        return str(made)

    with gr.Blocks() as demo:
        file, text, shown = gr.File(), gr.Textbox(label="Said"), gr.File()
        gr.Button().click(read, file, text, api_name="read")
        gr.Button().click(keep, file, text, api_name="keep")
        gr.Button().click(show, None, shown, api_name="show")
        gr.Button().click(make, text, shown, api_name="make")
        gr.DeepLinkButton()
    return demo  # type: ignore[no-any-return]


@pytest.fixture
async def house(mounted: Mounts, store: ObjectStore) -> House:
    settings: dict[str, Any] = {name.lower(): value for name, value in store.settings.items()}
    return await mounted(an_app(), **settings)


def is_lost_here(folder: Path) -> None:
    """Empty the folder of this replica, like that of a new one."""
    shutil.rmtree(folder)
    folder.mkdir()


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


async def uploads_elsewhere(browser: Browser, folder: Path) -> str:
    path = await uploads(browser, WRITTEN.encode())
    is_lost_here(folder)
    return path


async def by_the_queue(browser: Browser, house: House, path: str) -> str:
    return str(await browser.gets("read", as_file(path)))


async def by_a_run(browser: Browser, house: House, path: str) -> str:
    answer = await browser.http.post(f"{API}/run/read", json={"data": [as_file(path)]})
    return str(answer.json()["data"][0])


async def by_a_call(browser: Browser, house: House, path: str) -> str:
    made = await browser.http.post(f"{API}/call/read", json={"data": [as_file(path)]})
    return (await browser.http.get(f"{API}/call/read/{made.json()['event_id']}")).text


async def by_a_call_with_names(browser: Browser, house: House, path: str) -> str:
    made = await browser.http.post(f"{API}/call/v2/read", json={"path": as_file(path)})
    assert made.status_code == 200, made.text
    return (await browser.http.get(f"{API}/call/read/{made.json()['event_id']}")).text


async def by_a_download(browser: Browser, house: House, path: str) -> str:
    return (await fetches(browser, path)).text


@pytest.mark.parametrize(
    "way", [by_the_queue, by_a_run, by_a_call, by_a_call_with_names, by_a_download]
)
async def test_a_missing_file_is_brought_for_its_owner_only(
    house: House, folder: Path, way: Callable[[Browser, House, str], Awaitable[str]]
) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    path = await uploads_elsewhere(ada, folder)

    refused = await fetches(bob, path)
    assert is_empty(folder)
    read = await way(ada, house, path)

    assert refused.status_code == 404
    assert WRITTEN in read


async def test_a_missing_file_is_brought_before_an_output_shows_it(
    house: House, folder: Path
) -> None:
    ada = await house.signed_in()
    path = await uploads_elsewhere(ada, folder)
    await ada.gets("keep", as_file(path))
    is_lost_here(folder)

    shown = await ada.gets("show")

    assert (await fetches(ada, shown["path"])).text == WRITTEN


async def test_a_link_that_another_replica_has_saved_opens(house: House, folder: Path) -> None:
    ada = await house.signed_in()
    path = await uploads_elsewhere(ada, folder)
    await joins(ada, house, "read", as_file(path), tab="mine")
    await ada.told("mine")
    name = (await ada.http.get(f"{API}/deep_link", params={"session_hash": "mine"})).json()
    is_lost_here(folder)

    page = await ada.http.get(f"{GRADIO}/config", params={"deep_link": name})
    bob = await house.signed_in("bob@example.org")
    refused = await bob.http.get(f"{GRADIO}/config", params={"deep_link": name})

    assert (page.status_code, refused.status_code) == (200, 403)
    assert page.json()["deep_link_state"] == "valid"
    assert WRITTEN in page.text


async def test_an_output_that_could_not_be_shared_is_shared_with_the_next_one(
    house: House, folder: Path, store: ObjectStore
) -> None:
    ada = await house.signed_in()
    store.stop()
    failed = completed(await ada.runs("make", WRITTEN))
    store.start()

    made = await ada.gets("make", WRITTEN)
    is_lost_here(folder)

    assert not failed["success"]
    assert "store of files" in failed["output"]["error"]
    assert (await fetches(ada, made["path"])).text == WRITTEN
