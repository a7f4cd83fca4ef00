"""Two users use one app at once over the network with Gradio's own client, and stay apart."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client, handle_file  # type: ignore[import-untyped]

from tests.ui.attacks import fetches
from tests.ui.conftest import GRADIO, Browser, House, Mounts
from tests.ui.serving import served


def app_of(folder: Path, may_end: dict[str, Event]) -> gr.Blocks:
    def copy(said: str, path: str) -> str:
        made = folder / f"{said}.txt"
        shutil.copy(path, made)
        return str(made)

    def gallery(said: str, path: str) -> list[tuple[str, str]]:
        return [(copy(said, path), said)]

    def chat(said: str, path: str) -> list[dict[str, Any]]:
        return [{"role": "assistant", "content": {"path": copy(said, path)}}]

    def steps(said: str) -> Iterator[str]:
        for number in range(2):
            yield f"{said} {number}"
        may_end[said].wait(timeout=60)
        yield f"{said} 2"

    def count(so_far: int) -> tuple[int, int]:
        return so_far + 1, so_far + 1

    with gr.Blocks() as demo:
        said, file, so_far = gr.Textbox(), gr.File(), gr.State(0)
        button = gr.Button()
        button.click(copy, [said, file], gr.File(), api_name="copy")
        button.click(gallery, [said, file], gr.Gallery(), api_name="gallery")
        button.click(chat, [said, file], gr.Chatbot(), api_name="chat")
        button.click(steps, said, gr.Textbox(), api_name="steps")
        button.click(count, so_far, [gr.Number(), so_far], api_name="count")
    return demo  # type: ignore[no-any-return]


def client_of(browser: Browser, origin: str, folder: Path) -> Client:
    cookie = f"gradioapp-session={browser.http.cookies['gradioapp-session']}"
    return Client(
        f"{origin}{GRADIO}/",
        headers={"cookie": cookie, "origin": origin},
        download_files=str(folder),
        verbose=False,
    )


@pytest.mark.server
async def test_two_clients_use_one_app_at_once_and_stay_apart(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))
    (tmp_path / "made").mkdir()
    # All events of a client share one stream. Gradio closes it when no event waits or runs, and its client cancels an
    # event that begins at that moment. A generator that runs until the end keeps the stream open.
    may_end = {"ada": Event(), "bob": Event()}
    house: House = await mounted(app_of(tmp_path / "made", may_end))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    def uses(browser: Browser, name: str, origin: str) -> dict[str, Any]:
        mine = tmp_path / name
        mine.mkdir()
        (mine / "in.txt").write_text(f"of {name}")
        client = client_of(browser, origin, mine / "got")
        file = handle_file(str(mine / "in.txt"))
        job = client.submit(name, api_name="/steps")
        seen: dict[str, Any] = {
            "copy": Path(client.predict(name, file, api_name="/copy")).read_text(),
            "gallery": client.predict(name, file, api_name="/gallery"),
            "chat": client.predict(name, file, api_name="/chat"),
            "count": [client.predict(api_name="/count") for _ in range(3)],
        }
        may_end[name].set()
        seen |= {
            "last": job.result(timeout=20),
            "steps": job.outputs(),
        }
        client.close()
        return seen

    async with served(house) as origin:
        of_ada, of_bob = await asyncio.gather(
            asyncio.to_thread(uses, ada, "ada", origin), asyncio.to_thread(uses, bob, "bob", origin)
        )

    for seen, name, other in ((of_ada, "ada", "bob"), (of_bob, "bob", "ada")):
        assert seen["copy"] == f"of {name}"
        assert seen["count"] == [1, 2, 3]
        assert seen["steps"][-1] == f"{name} 2"
        assert other not in str(seen["gallery"][0]["caption"]) + str(seen["steps"])
    kept = [*(tmp_path / "kept").rglob("*.txt")]
    assert {(path.name, path.read_text()) for path in kept} == {
        *(("in.txt", "of ada"), ("ada.txt", "of ada")),
        *(("in.txt", "of bob"), ("bob.txt", "of bob")),
    }
    for path in kept:
        mine, others = (ada, bob) if path.read_text() == "of ada" else (bob, ada)
        assert (await fetches(mine, str(path))).status_code == 200
        assert (await fetches(others, str(path))).status_code == 404
