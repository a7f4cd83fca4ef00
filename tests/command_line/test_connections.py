"""Real servers whose clients keep connections open: other clients are still served, and the log stays small."""

import json
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
import pytest
from gradio_client import Client  # type: ignore[import-untyped]

from tests.processes import Process

pytestmark = pytest.mark.server

FILES: Final = 256
"""The limit of open files of the server. It is low, so that the tests need few connections."""
STALL: Final = 1.0
PER_ADDRESS: Final = 40
PATIENCE: Final = 8.0
"""Seconds until a stalled connection must be closed. The server checks every quarter of a second,
but later on a busy machine."""
MB: Final = 1024 * 1024
JOHN: Final = {"username": "john@test.com", "password": "secret"}

DEMO: Final = """
import time
from pathlib import Path

import gradio as gr

large = Path("large.bin")
large.write_bytes(bytes(40 * 1024 * 1024))

def wait(seconds):
    time.sleep(seconds)
    return f"waited {seconds}"

with gr.Blocks(title="Demo") as demo:
    seconds, out, file = gr.Number(), gr.Textbox(), gr.File(str(large))
    gr.Button("a").click(wait, seconds, out, api_name="wait")
    gr.Button("b").click(lambda text: len(text), out, seconds, api_name="size")
"""
PAGE: Final = "/gradio/demo"


class Served:
    """A service, with the actions of its clients."""

    def __init__(self, folder: Path, process: Process, base: str) -> None:
        self.folder = folder
        self.process = process
        self.base = base
        self.port = int(base.rpartition(":")[2])

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.base, headers={"Origin": self.base}, timeout=20)

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        with self.client() as browser:
            sign_in(browser)
            yield browser

    def connection(self, said: bytes = b"", *, source: str = "127.0.0.1") -> socket.socket:
        address = ("127.0.0.1", self.port)
        opened = socket.create_connection(address, timeout=PATIENCE, source_address=(source, 0))
        opened.sendall(said)
        return opened


def sign_in(browser: httpx.Client) -> None:
    page = browser.get("/login").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    answer = browser.post("/login", data={**JOHN, "csrf_token": token[1], "next": ""})
    assert answer.status_code == 303, answer.text


def waits(browser: httpx.Client, seconds: float, *, tab: str = "tab") -> str:
    """Return the result of an event of the app that takes this many seconds."""
    body = {"data": [seconds], "fn_index": 0, "session_hash": tab}
    joined = browser.post(f"{PAGE}/gradio_api/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    stream = browser.get(f"{PAGE}/gradio_api/queue/data?session_hash={tab}").text
    said = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    [done] = [message for message in said if message["msg"] == "process_completed"]
    return str(done["output"]["data"][0])


def ends(connection: socket.socket) -> tuple[bytes, float]:
    """Return the rest that is sent on the connection, and the seconds until it is closed."""
    begun, said = time.monotonic(), b""
    with connection:
        try:
            while chunk := connection.recv(65536):
                said += chunk
        except ConnectionResetError:
            pass
    return said, time.monotonic() - begun


def drips(connection: socket.socket) -> float:
    """Send a byte now and then, and return for how many seconds this was possible."""
    begun = time.monotonic()
    with connection, suppress(OSError):
        while time.monotonic() - begun < PATIENCE:
            connection.sendall(b"a")
            time.sleep(0.1)
    return time.monotonic() - begun


def head(browser: httpx.Client, path: str, *headers: str) -> bytes:
    """Return the head of a POST by the browser's account, without a body."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {browser.base_url.netloc.decode()}",
        f"Origin: {str(browser.base_url).rstrip('/')}",
        f"Cookie: {cookies}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.fixture(scope="module", autouse=True)
def _may_open_many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "my_demo.py").write_text(DEMO)
    process = Process(
        "entrypoints", "--port", "0", "--app", "my_demo.py:demo", "--sample-users",
        folder=folder,
        files=FILES,
        STALL_SECONDS=str(STALL),
        CONNECTIONS_PER_ADDRESS=str(PER_ADDRESS),
    )  # fmt: skip
    try:
        yield Served(folder, process, process.hears(r"Serving at (http://127\.0\.0\.1:\d+)")[1])
    finally:
        process.end()


def test_a_request_is_answered_while_a_thousand_others_are_unfinished(served: Served) -> None:
    before = len(served.process.says())
    with ExitStack() as open_:
        for _ in range(1040):
            open_.enter_context(served.connection(b"GET / HTTP/1.1\r\nHost: a"))
        times = []
        for _ in range(20):
            begun = time.monotonic()
            with served.client() as browser:
                assert browser.get("/healthz").status_code == 200
            times.append(time.monotonic() - begun)
            open_.enter_context(served.connection(b"GET / HTTP/1.1\r\nHost: a"))
        with served.signed_in() as browser:
            assert waits(browser, 0) == "waited 0"

    said = served.process.says()[before:]
    assert max(times) < 2
    assert len(said) < 20_000, said[:5000]
    assert "made_room" in said


def test_a_connection_without_a_complete_header_is_closed(served: Served) -> None:
    sent = (b"", b"GET / HTTP/1.1\r\nHost: a", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")

    begun = time.monotonic()
    connections = [served.connection(said) for said in sent]
    ended = [ends(connection) for connection in connections]

    assert STALL * 0.5 < time.monotonic() - begun < PATIENCE
    assert [said.count(b"HTTP/1.1 ") for said, _ in ended] == [0, 0, 1]
    assert ended[2][0].startswith(b"HTTP/1.1 200")


def test_a_connection_that_sends_its_header_byte_by_byte_is_closed(served: Served) -> None:
    assert drips(served.connection(b"GET / HTTP/1.1\r\nHost: ")) < PATIENCE


def test_a_connection_is_kept_for_the_next_request(served: Served) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with served.connection() as connection:
        for _ in range(4):
            connection.sendall(asked)
            said = b""
            while not said.endswith(b'{"status":"ok"}'):
                received = connection.recv(65536)
                assert received, "The server has closed the connection."
                said += received
            assert said.startswith(b"HTTP/1.1 200")
            time.sleep(STALL * 0.4)


def test_a_body_that_stalls_is_refused_with_408_and_its_connection_closed(served: Served) -> None:
    with served.signed_in() as ada:
        event = head(ada, f"{PAGE}/gradio_api/queue/join", f"Content-Length: {MB}")
        chunked = head(ada, f"{PAGE}/gradio_api/queue/join", "Transfer-Encoding: chunked")
        upload = head(
            ada,
            f"{PAGE}/gradio_api/upload",
            f"Content-Length: {MB}",
            "Content-Type: multipart/form-data; boundary=x",
        )
        part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\naaaa'
        form = head(
            ada,
            "/login",
            "Content-Length: 1000",
            "Content-Type: application/x-www-form-urlencoded",
        )
        sent = [event + b'{"data": ["', chunked + b"5\r\n{", upload + part, form + b"username="]

        connections = [served.connection(said) for said in sent]
        ended = [ends(connection) for connection in connections]

    assert [said.partition(b"\r\n")[0] for said, _ in ended] == [
        b"HTTP/1.1 408 Request Timeout"
    ] * len(sent)
    assert all(b"did not arrive in time" in said for said, _ in ended)
    assert all(took < PATIENCE for _, took in ended)
    cache = served.folder / "gradioapp-data/gradio"
    assert [path.name for path in cache.iterdir() if path.is_file()] == []


def test_a_body_that_is_not_read_does_not_keep_the_connection_open(served: Served) -> None:
    asked = b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n"

    assert drips(served.connection(asked)) < PATIENCE


def test_a_slow_upload_arrives(served: Served) -> None:
    parts = [b"a" * 4096] * 8
    begin = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    whole = [begin, *parts, b"\r\n--x--\r\n"]
    with served.signed_in() as ada:
        said = head(
            ada,
            f"{PAGE}/gradio_api/upload",
            f"Content-Length: {sum(map(len, whole))}",
            "Content-Type: multipart/form-data; boundary=x",
            "Connection: close",
        )
        connection = served.connection(said)
        for part in whole:
            connection.sendall(part)
            time.sleep(STALL * 0.6)
        answer, _ = ends(connection)

        assert answer.startswith(b"HTTP/1.1 200"), answer
        [path] = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert ada.get(f"{PAGE}/gradio_api/file={path}").content == b"a" * 4096 * 8


def test_an_upload_may_be_larger_than_the_memory_limit_of_an_account(served: Served) -> None:
    with served.signed_in() as ada:
        sent = {"files": ("large.bin", bytes(45 * MB))}

        assert ada.post(f"{PAGE}/gradio_api/upload", files=sent).status_code == 200


def test_a_stream_that_is_silent_for_long_is_not_cut(served: Served) -> None:
    with served.signed_in() as ada:
        assert waits(ada, STALL * 3) == f"waited {STALL * 3}"


def test_gradios_own_client_works_with_a_token(served: Served) -> None:
    with served.signed_in() as ada:
        made = ada.post("/api/v1/me/tokens", json={"name": "Nightly"})
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        client = Client(f"{served.base}{PAGE}/", headers=headers, verbose=False)

        assert client.predict(STALL * 2, api_name="/wait") == f"waited {STALL * 2}"
        assert client.predict("x" * MB, api_name="/size") == MB


def test_unfinished_bodies_of_one_account_have_a_memory_limit(served: Served) -> None:
    size = 10 * MB - 1024
    before = served.process.memory()
    with served.signed_in() as laptop, served.signed_in() as phone, ExitStack() as open_:
        connections = []
        for number in range(12):
            asked = head(
                (laptop, phone)[number % 2],
                f"{PAGE}/gradio_api/queue/join",
                f"Content-Length: {size}",
            )
            connections.append(open_.enter_context(served.connection(asked)))
            with suppress(OSError):  # Refused, and no longer read.
                connections[-1].sendall(b'{"data": ["' + b"a" * (size - 100))
        most = served.process.memory()
        statuses = [ends(connection)[0].partition(b"\r\n")[0][9:12] for connection in connections]
        ordinary = laptop.post(
            f"{PAGE}/gradio_api/run/size", json={"data": ["x" * 2 * MB], "session_hash": "tab"}
        )

    assert set(statuses) == {b"408", b"429"}  # The counts depend on their speed.
    assert most - before < 120 * MB
    assert ordinary.json()["data"] == [2 * MB]


def test_a_client_that_reads_no_response_is_closed_and_uses_no_memory(served: Served) -> None:
    with served.signed_in() as ada:
        config = ada.get(f"{PAGE}/config").text
        [path] = set(re.findall(r'"path":\s*"([^"]+large\.bin)"', config))
        asked = head(ada, f"{PAGE}/gradio_api/file={path}").replace(b"POST", b"GET", 1)
        before = served.process.memory()
        slow = [served.connection(asked) for _ in range(8)]
        time.sleep(STALL)
        most = served.process.memory()
        time.sleep(STALL * 2)  # The clients do not read.
        read = [len(ends(connection)[0]) for connection in slow]

    assert max(read) < 39 * MB
    assert most - before < 20 * MB


def test_one_address_gets_only_its_share_of_the_connections(served: Served) -> None:
    with served.signed_in() as ada, ExitStack() as open_:
        streams = [
            open_.enter_context(
                served.connection(
                    head(ada, f"{PAGE}/gradio_api/heartbeat/tab{number}").replace(b"POST", b"GET")
                )
            )
            for number in range(PER_ADDRESS)  # The last replaces the browser's.
        ]
        for stream in streams:
            assert stream.recv(65536).startswith(b"HTTP/1.1 200")
        refused, _ = ends(served.connection(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
        other, _ = ends(
            served.connection(
                b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", source="127.0.0.2"
            )
        )
        for stream in streams:
            stream.setblocking(False)  # noqa: FBT003 -- The library's signature.
            with suppress(BlockingIOError):  # No more bytes were sent.
                assert stream.recv(65536) != b""

    assert refused.startswith(b"HTTP/1.1 503"), refused
    assert json.loads(refused.partition(b"\r\n\r\n")[2])["title"] == "Busy"
    assert other.startswith(b"HTTP/1.1 200"), other


def test_invalid_http_is_summed_up_in_the_log(served: Served) -> None:
    before = len(served.process.says())

    for _ in range(200):
        answer, _ = ends(served.connection(b"\x16\x03\x01 hello\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.1 400")
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    assert ends(served.connection(upgrade))[0].startswith(b"HTTP/1.1 4")

    said = served.process.says()[before:]
    lines = [line for line in said.splitlines() if "/heartbeat/" not in line]
    assert len(lines) <= 3, lines


def test_the_server_recovers_with_a_small_log_when_no_file_is_left(
    folder: Path, start: Callable[..., Process]
) -> None:
    """Run uvicorn alone, without our cap of connections: asyncio would log each connection that it cannot accept."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = start(
        "uvicorn", "entrypoints.app:app_from_environment", "--factory", "--port", str(port),
        files=100,
    )  # fmt: skip
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=60) as patient:
        patient.get(f"http://127.0.0.1:{port}/healthz")
    before = len(server.says())

    with ExitStack() as open_:
        for _ in range(300):
            open_.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        time.sleep(2.5)

    with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=60) as patient:
        assert patient.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    said = server.says()[before:]
    assert "no_file_left" in said
    assert len(said) < 5_000, said[:3000]
