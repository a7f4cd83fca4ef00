"""A service behind a real nginx with its usual settings, and with short timeouts."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest
from gradio_client import Client  # type: ignore[import-untyped]

from tests.nginx import certificate_in, free_port, nginx, sign_in, token_of
from tests.processes import Process

pytestmark = pytest.mark.server

APP: Final = """
import time
from pathlib import Path

import gradio as gr


def steps(name):
    yield "first"
    while not Path(name).exists():
        time.sleep(0.05)
    yield "second"


def think(seconds):
    time.sleep(seconds)
    return "thought"


with gr.Blocks(title="Slow") as demo:
    gr.Button().click(steps, gr.Textbox(), gr.Textbox(), api_name="steps")
    gr.Button().click(think, gr.Number(), gr.Textbox(), api_name="think")
"""
SLOW: Final = "/gradio/slow"


SHORT: Final = "proxy_read_timeout 3s;"
"""A timeout that is shorter than the events of these tests."""


class Proxy:
    def __init__(self, url: str, folder: Path, certificate: Path | None) -> None:
        self.url = url
        self.folder = folder
        self.verify = ssl.create_default_context(cafile=certificate) if certificate else True
        self.browser = httpx.Client(
            base_url=url, headers={"origin": url}, timeout=60, verify=self.verify
        )
        sign_in(self.browser, url)

    def begins(self, event: int, *data: object) -> str:
        """Queue an event, and return the address of its stream."""
        body = {"data": data, "fn_index": event, "session_hash": f"tab{event}"}
        self.browser.post(f"{SLOW}/gradio_api/queue/join", json=body).raise_for_status()
        return f"{SLOW}/gradio_api/queue/data?session_hash=tab{event}"


@pytest.fixture(scope="module", params=["http", "http, short timeout", "https, short timeout"])
def proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    port, own = free_port(), free_port()
    is_https = request.param.startswith("https")
    certificate = certificate_in(folder) if is_https else None
    url = f"{'https' if is_https else 'http'}://127.0.0.1:{port}"
    (folder / "slow.py").write_text(APP)
    with ExitStack() as running:
        process = Process(
            *("gradioapp", "serve", "--app", "slow.py", "--sample-users", "--port", str(own)),
            folder=folder,
            PUBLIC_URL=url,
        )
        running.callback(process.end)
        process.hears("Serving at")
        timeout = SHORT if request.param.endswith("short timeout") else ""
        server = f"{timeout} location / {{ proxy_pass http://127.0.0.1:{own}; }}"
        running.enter_context(nginx(folder, port, server, certificate=certificate))
        found = Proxy(url, folder, certificate)
        running.callback(found.browser.close)
        yield found


def test_each_step_arrives_before_the_next_one_is_made(proxy: Proxy) -> None:
    said: list[str] = []
    go_on = proxy.folder / "go-on"

    with proxy.browser.stream("GET", proxy.begins(0, "go-on")) as stream:
        for line in stream.iter_lines():
            said.append(line)
            if "first" in line:
                go_on.touch()
    go_on.unlink()

    assert "second" in "".join(said)
    assert '"success":true' in "".join(said)


def test_a_stream_survives_a_silence_that_is_longer_than_the_proxys_timeout(proxy: Proxy) -> None:
    with proxy.browser.stream("GET", proxy.begins(1, 5)) as stream:
        said = "".join(stream.iter_text())

    assert "thought" in said
    assert '"success":true' in said


def test_gradios_own_client_waits_through_a_silence(proxy: Proxy) -> None:
    headers = {"Authorization": f"Bearer {token_of(proxy.browser, proxy.url)}"}
    client = Client(f"{proxy.url}{SLOW}/", headers=headers, ssl_verify=proxy.verify, verbose=False)

    assert client.predict(5, api_name="/think") == "thought"
    client.close()
