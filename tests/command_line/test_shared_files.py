"""Two real replicas on one PostgreSQL and one object store: each has a folder of its own, and all files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.object_store import ObjectStore, object_store
from tests.replicas import Visitor, replicas
from tests.servers import FreshDatabase

pytestmark = pytest.mark.server

APP: Final = """
import tempfile
from pathlib import Path

import gradio as gr

from gradioapp import State, injected


def reads(path):
    return Path(path).read_text()


def makes(text):
    made = Path(tempfile.mkdtemp()) / "made.txt"
    made.write_text(text)
    return str(made)


def keeps(path, *, state: State = injected):
    state["path"] = path
    return path


def shows(*, state: State = injected):
    # A replica on a machine of its own has its folder at the same path.
    return state["path"].replace("/data0/", "/data1/")


with gr.Blocks(title="Files") as demo:
    file, text, out = gr.File(), gr.Textbox(), gr.File()
    gr.Button().click(reads, file, text, api_name="reads")
    gr.Button().click(makes, text, out, api_name="makes")
    gr.Button().click(keeps, file, text, api_name="keeps")
    gr.Button().click(shows, None, out, api_name="shows")
"""
PATH: Final = "/gradio/files"
JANE: Final = "jane@test.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    origins: Sequence[str]
    store: ObjectStore
    folder: Path

    def folder_of(self, number: int) -> Path:
        return self.folder / f"data{number}" / "gradio"


@pytest.fixture(scope="module")
def service(
    fresh_postgres: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("files")
    with (
        object_store(tmp_path_factory.mktemp("store")) as store,
        replicas(2, fresh_postgres(), folder, APP, **store.settings) as origins,
    ):
        yield Service(origins=origins, store=store, folder=folder)


def on_the_other(path: str) -> str:
    """Return the same path as a replica on a machine of its own would have it."""
    assert "/data0/" in path
    return path.replace("/data0/", "/data1/")


def uploads(visitor: Visitor, origin: str, content: str, name: str = "a.txt") -> httpx.Response:
    files = {"files": (name, content.encode())}
    return visitor.posts(origin, f"{PATH}/gradio_api/upload", files=files)


def fetches(visitor: Visitor, origin: str, path: str) -> httpx.Response:
    return visitor.get(origin, f"{PATH}/gradio_api/file={path}")


def as_input(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def test_an_upload_to_one_replica_is_an_input_and_a_download_of_the_other(
    service: Service,
) -> None:
    one, other = service.origins
    john, jane = Visitor(one, PATH), Visitor(one, PATH, JANE)

    [path] = uploads(john, one, "written at one").json()
    path = on_the_other(path)
    stranger = fetches(jane, other, path)
    assert not Path(path).exists()
    fetched = fetches(john, other, path)
    Path(path).unlink()
    read = john.runs(other, "reads", as_input(path))

    assert (stranger.status_code, fetched.status_code) == (404, 200)
    assert (fetched.text, read) == ("written at one", "written at one")


def test_an_output_of_one_replica_is_an_input_and_a_download_of_the_other(
    service: Service,
) -> None:
    one, other = service.origins
    john, jane = Visitor(one, PATH), Visitor(one, PATH, JANE)

    path = on_the_other(john.runs(one, "makes", "made at one")["path"])
    stranger = fetches(jane, other, path)
    read = john.runs(other, "reads", as_input(path))
    Path(path).unlink()
    fetched = fetches(john, other, path)

    assert (stranger.status_code, fetched.status_code) == (404, 200)
    assert (fetched.text, read) == ("made at one", "made at one")


def test_a_path_kept_in_state_by_one_replica_is_shown_by_the_other(service: Service) -> None:
    one, other = service.origins
    john = Visitor(one, PATH)
    [path] = uploads(john, one, "kept in state").json()
    john.runs(one, "keeps", as_input(path))

    shown = john.runs(other, "shows")

    assert fetches(john, other, shown["path"]).text == "kept in state"


def test_without_the_store_uploads_and_missing_files_are_503_and_nothing_is_lost(
    service: Service,
) -> None:
    one, other = service.origins
    john = Visitor(one, PATH)
    [path] = uploads(john, one, "before the fault").json()
    assert john.get(other, "/readyz").json()["files"] == "ok"

    service.store.stop()
    try:
        refused = uploads(john, one, "during the fault")
        missing = fetches(john, other, on_the_other(path))
        here = fetches(john, one, path)
        ready = john.get(other, "/readyz")
        with pytest.raises(httpx.HTTPStatusError) as input_refused:
            john.runs(other, "reads", as_input(on_the_other(path)))
    finally:
        service.store.start()

    for response in (refused, missing, input_refused.value.response):
        assert response.status_code == 503
        assert "Try again" in response.text
        assert response.headers["retry-after"] == "5"
    assert (here.status_code, here.text) == (200, "before the fault")
    assert (ready.status_code, ready.json()["files"]) == (200, "degraded")
    assert fetches(john, other, on_the_other(path)).text == "before the fault"
    assert uploads(john, one, "during the fault").status_code == 200


def test_a_frozen_store_is_503_within_seconds(service: Service) -> None:
    one, other = service.origins
    john = Visitor(one, PATH)
    [path] = uploads(john, one, "before it froze").json()

    service.store.freeze()
    try:
        missing = fetches(john, other, on_the_other(path))
    finally:
        service.store.thaw()

    assert missing.status_code == 503
    assert missing.elapsed.total_seconds() < 8
