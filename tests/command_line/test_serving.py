"""Real servers from an empty folder to their end, like an operator sees them."""

import os
import re
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx
import pytest

from tests.processes import ROOT, Process

pytestmark = pytest.mark.server

Start = Callable[..., Process]

LINK: Final = r"http://127\.0\.0\.1:(\d+)/setup\?token=\S+"
SERVING: Final = r"Serving at (http://127\.0\.0\.1:\d+)"
AT_ONCE: Final = ("--port", "0")
PASSWORD: Final = "correct horse battery"


class Form(HTMLParser):
    """The first form of a page, filled in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self.action = said.get("action") or ""
        name = said.get("name")
        if tag == "input" and name:
            typed = {"email": "ada@example.org", "password": PASSWORD, "text": "Ada"}
            kind = said.get("type") or "text"
            self.fields[name] = typed.get(kind, said.get("value") or "")


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, headers={"Accept": "text/html"}) as client:
        yield client


def sign_up(browser: httpx.Client, link: str) -> httpx.Response:
    page = browser.get(link)
    assert page.status_code == 200, page.text
    form = Form(page.text)
    origin = re.match(r"http://[^/]+", link)
    assert origin is not None
    return browser.post(urljoin(link, form.action), data=form.fields, headers={"Origin": origin[0]})


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_first_run_ends_at_the_home_page_and_a_restart_keeps_the_session(
    folder: Path, start: Start, browser: httpx.Client
) -> None:
    server = start("entrypoints", *AT_ONCE)
    server.hears(re.escape(str(folder / "gradioapp-data")))
    base = server.hears(SERVING)[1]
    link = server.hears(LINK)[0]

    assert link.startswith(base)
    assert mode(folder / "gradioapp-data") == 0o700
    assert mode(folder / "gradioapp-data/secret.key") == 0o600
    assert mode(folder / "gradioapp-data/gradioapp.sqlite3") == 0o600
    assert mode(folder / "gradioapp-data/gradio") == 0o700
    assert (folder / "gradioapp-data/.gitignore").read_text() == "*\n"
    assert browser.get(f"{base}/healthz").status_code == 200
    assert browser.get(link).status_code == browser.get(link).status_code == 200

    landed = sign_up(browser, link)
    home = browser.get(f"{base}/gradio/")

    assert landed.status_code == 303, landed.text
    assert home.status_code == 200
    assert browser.get(link).status_code != 200

    with browser.stream("GET", f"{base}/gradio/gradio_api/heartbeat/{'a' * 10}") as stream:
        assert stream.status_code == 200
        took = server.stops(within=15)

    assert took < 12
    assert link.partition("token=")[2] not in server.said.replace(link, "")

    again = start("entrypoints", "--port", base.rpartition(":")[2])
    again.hears(SERVING)

    assert browser.get(f"{base}/gradio/").status_code == 200
    assert again.stops(within=12) < 12
    assert "/setup" not in again.said


def test_only_a_data_folder_of_earlier_versions_is_used_again(folder: Path, start: Start) -> None:
    (folder / "data").mkdir()
    (folder / "data/train.csv").write_text("x,y\n1,2\n")

    server = start("entrypoints", *AT_ONCE)
    server.hears(SERVING)
    server.stops(within=12)

    assert [path.name for path in (folder / "data").iterdir()] == ["train.csv"]
    (folder / "data/train.csv").unlink()
    (folder / "data").rmdir()
    (folder / "gradioapp-data").rename(folder / "data")

    again = start("entrypoints", *AT_ONCE)
    again.hears(rf"{re.escape(str(folder / 'data'))}\n")
    again.hears("folder of earlier versions")
    again.hears(SERVING)
    again.stops(within=12)

    assert not (folder / "gradioapp-data").exists()


def test_sample_users_are_made_and_named(start: Start, browser: httpx.Client) -> None:
    server = start("entrypoints", "serve", *AT_ONCE, "--sample-users")
    base = server.hears(SERVING)[1]
    server.hears(r"john@test\.com and jane@test\.com, password secret")

    page = browser.get(f"{base}/login")
    fields = Form(page.text).fields | {"username": "john@test.com", "password": "secret"}
    answer = browser.post(f"{base}/login", data=fields, headers={"Origin": base})

    assert answer.status_code == 303


def test_a_busy_port_is_refused_in_one_line_before_anything_is_written(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "entrypoints", "--port", str(port)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"Port {port}" in done.stderr
    assert "--port" in done.stderr
    assert list(folder.iterdir()) == []


A_DEMO = """
import gradio as gr

with gr.Blocks() as demo:
    gr.Textbox(label="Text")
"""


def test_a_faulty_app_is_refused_in_one_line_and_nothing_is_served(
    folder: Path, start: Start
) -> None:
    (folder / "my_demo.py").write_text("import gradio\n\n1 / 0\n")

    server = start("entrypoints", *AT_ONCE, "--app", "my_demo.py:demo")
    server.hears(r"my_demo\.py, line 3: ZeroDivisionError: division by zero$")

    assert server.popen.wait(timeout=30) == 2
    assert "Traceback" not in server.said


def test_a_reload_applies_a_change_and_survives_a_syntax_error(
    folder: Path, start: Start, browser: httpx.Client
) -> None:
    code = folder / "clone"
    for package in ("domain", "application", "adapters", "entrypoints", "migrations"):
        shutil.copytree(
            ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    errors = code / "domain/errors.py"
    before = errors.read_text()
    demo = folder / "my_demo.py"
    demo.write_text(A_DEMO)

    server = start("entrypoints", "--reload", "--app", "my_demo.py:demo", *AT_ONCE, code=code)
    base = server.hears(SERVING)[1]
    demo.write_text("def half_a_line(\n")
    server.hears(r"my_demo\.py, line 1: SyntaxError")
    assert server.popen.poll() is None
    demo.write_text(A_DEMO)
    for change in range(20):
        # Changes directly after a restart are part of the reloader's first look. A person is
        # slower.
        errors.write_text(f"{before}\n\nCHANGED = {change}\n")
        if server.may_hear("detected changes", within=2):
            break
    again = server.hears(SERVING)[1]

    assert again == base
    assert browser.get(f"{base}/healthz").status_code == 200
    assert server.stops(within=15) < 12


def test_uvicorn_can_serve_the_app_itself(
    folder: Path, start: Start, browser: httpx.Client
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"

    server = start(
        "uvicorn", "entrypoints.app:app_from_environment", "--factory", "--port", str(port),
        PORT=str(port),
    )  # fmt: skip
    transport = httpx.HTTPTransport(retries=8)
    with httpx.Client(transport=transport, timeout=60) as patient:
        answer = patient.get(f"{base}/healthz")

    assert answer.json() == {"status": "ok"}
    assert (folder / "gradioapp-data/gradioapp.sqlite3").exists()
    assert server.popen.poll() is None


def test_a_password_is_asked_for_twice_at_a_terminal_and_never_shown(folder: Path) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "entrypoints", "users", "create", "ada@example.org"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = ""
    asked = 0
    try:
        while "Next:" not in said:
            readable, _, _ = select.select([ours], [], [], 60)
            assert readable, said
            said += os.read(ours, 1024).decode()
            # The space arrives once echo is off and earlier input has been discarded.
            if said.endswith(": "):
                asked += 1
                os.write(ours, f"{PASSWORD}\n".encode())
        process.wait(timeout=30)
    finally:
        process.kill()
        process.wait(timeout=10)
        os.close(ours)

    assert process.returncode == 0
    assert asked == 2
    assert PASSWORD not in said
    assert "Created ada@example.org" in said


def test_what_stands_after_two_dashes_is_for_the_app(start: Start, folder: Path) -> None:
    (folder / "named.py").write_text(
        "import argparse\nimport gradio as gr\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--title')\n"
        "given = parser.parse_args()\nprint('Title:', given.title, flush=True)\n"
        "demo = gr.Blocks(title=given.title)\n"
    )

    process = start(
        *("gradioapp", "serve", "--app", "named.py", *AT_ONCE, "--", "--title", "Reports")
    )

    process.hears("Title: Reports")
    process.hears(SERVING)


def test_the_start_names_globals_that_all_users_share_in_one_line(
    start: Start, folder: Path
) -> None:
    (folder / "rag_app.py").write_text(
        "import gradio as gr\nHISTORY = []\ndef keep(x):\n    HISTORY.append(x)\n"
        "demo = gr.Interface(keep, 'text', 'text')\n"
    )

    process = start("gradioapp", "serve", "--app", "rag_app.py", *AT_ONCE)
    process.hears(SERVING)

    lines = [line for line in process.said.splitlines() if "All users share" in line]
    assert len(lines) == 1
    assert f"HISTORY ({folder}/rag_app.py, line 2, changed by keep)" in lines[0]
