"""A page whose connections are cut shows its results nevertheless."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import signs_in
from tests.cutter import Cutter, cutter
from tests.nginx import certificate_in, free_port, nginx
from tests.processes import Process

pytestmark = pytest.mark.browser

APP: Final = """
import time
from pathlib import Path

import gradio as gr


def work():
    with Path("runs").open("a") as runs:
        runs.write("run\\n")
    said = ""
    for step in range(5):
        time.sleep(1.6)
        said += f"step {step}, "
        yield said
    yield said + "done"


def leave():
    Path("left").touch()


with gr.Blocks(title="Long") as demo:
    gr.State(0)
    gr.Button("Work").click(work, None, gr.Textbox(label="Out"))
    demo.unload(leave)
"""
ALL: Final = "step 0, step 1, step 2, step 3, step 4, done"


@dataclass(frozen=True, slots=True)
class Served:
    page: Page
    cutter: Cutter
    folder: Path


@pytest.fixture
def served(
    request: pytest.FixtureRequest, tmp_path: Path, new_browser: Callable[[], BrowserContext]
) -> Iterator[Served]:
    """Serve the app behind a Cutter, and for the parameter "nginx" with nginx, TLS and HTTP/2 before the Cutter."""
    (tmp_path / "work.py").write_text(APP)
    port, own = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    has_nginx = getattr(request, "param", "") == "nginx"
    public = f"https://127.0.0.1:{free_port()}" if has_nginx else url
    with ExitStack() as running:
        process = Process(
            *("gradioapp", "serve", "--app", "work.py", "--sample-users", "--port", str(own)),
            folder=tmp_path,
            PUBLIC_URL=public,
        )
        running.callback(process.end)
        process.hears("Serving at")
        cutting = running.enter_context(cutter(port, own))
        if has_nginx:
            server = f"location / {{ proxy_pass {url}; }}"
            there, certificate = int(public.rpartition(":")[2]), certificate_in(tmp_path)
            running.enter_context(nginx(tmp_path, there, server, certificate=certificate))
        page = new_browser().new_page()
        page.goto(f"{public}/gradio/long/")
        signs_in(page, "john@test.com", "secret")
        expect(page.get_by_role("button", name="Work")).to_be_visible()
        yield Served(page, cutting, tmp_path)


@pytest.mark.parametrize(
    "served", ["", pytest.param("nginx", marks=pytest.mark.server)], indirect=True
)
def test_a_long_event_shows_all_its_steps_although_each_connection_is_cut(served: Served) -> None:
    page, streams = served.page, []
    page.on("request", lambda asked: streams.append(asked) if "queue/data" in asked.url else None)
    served.cutter.after = 2.5

    page.get_by_role("button", name="Work").click()

    expect(page.get_by_label("Out")).to_have_value(ALL)
    assert len(streams) >= 3
    assert (served.folder / "runs").read_text() == "run\n"
    assert not (served.folder / "left").exists()
    expect(page.locator(".toast-body")).to_have_count(0)


def test_a_result_that_is_lost_is_said_in_a_toast_and_the_next_run_works(served: Served) -> None:
    page = served.page
    with page.expect_request(lambda asked: "queue/data" in asked.url) as stream:
        page.get_by_role("button", name="Work").click()
    expect(page.get_by_label("Out")).to_have_value("step 0, ")

    # What the server does if no page comes back in time.
    page.evaluate(
        "(tab) => fetch(`./gradio_api/heartbeat/${tab}/close`, { method: 'POST' })",
        stream.value.url.partition("session_hash=")[2],
    )

    expect(page.locator(".toast-body")).to_contain_text("the result is lost. Run it again.")
    page.get_by_role("button", name="Work").click()
    expect(page.get_by_label("Out")).to_have_value(ALL)
    assert (served.folder / "runs").read_text() == "run\nrun\n"


def test_a_closed_page_ends_its_event_and_is_unloaded_at_once(served: Served) -> None:
    served.page.get_by_role("button", name="Work").click()
    expect(served.page.get_by_label("Out")).to_have_value("step 0, ")

    other = served.page.context.new_page()
    served.page.close(run_before_unload=False)

    for _ in range(100):
        if (served.folder / "left").exists():
            break
        other.wait_for_timeout(50)
    assert (served.folder / "left").exists()
