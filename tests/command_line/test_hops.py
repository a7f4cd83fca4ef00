"""The address for replicas answers signed requests only, and gives nobody more than the public address does."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from adapters.security.signed_tokens import JwtCodec
from adapters.system.clock import SystemClock
from adapters.system.ids import RandomIds
from domain.model.replica import Replica, ReplicaId
from entrypoints.replicas.hops import HEADER, Hops
from tests.replicas import JOHN, KEY, started
from tests.servers import FreshDatabase, run_apart, session_of

pytestmark = pytest.mark.server

APP: Final = """
import time

import gradio as gr

with gr.Blocks(title="Kept") as demo:
    text, kept = gr.Textbox(), gr.State(0)
    gr.Button().click(lambda kept: (kept + 1, kept + 1), kept, [text, kept], api_name="counts")
    gr.Button().click(lambda text: text, text, text, api_name="echo")
    gr.Button().click(time.sleep, gr.Number(), None, api_name="waits", queue=False)
"""
EVENT: Final = "/gradio/kept/gradio_api/run/echo"
BODY: Final = {"data": ["hello"]}
SHORTEST: Final = 5.0
"""Seconds after which an address for replicas closes a silent connection, at the earliest."""
PATIENCE: Final = 12.0
"""Seconds until a silent connection must be closed, on a busy machine too."""


class Between:
    """What a program could try that reaches the address for replicas."""

    def __init__(self, public: str, elsewhere: str, replicas: Sequence[Replica]) -> None:
        self.public, self.elsewhere = public, elsewhere
        self.home, self.other = replicas
        self.session = session_of(public, JOHN)

    def signature(
        self,
        path: str = EVENT,
        *,
        method: str = "POST",
        to: ReplicaId | None = None,
        peer: str = "127.0.0.1",
        key: str = KEY,
    ) -> str:
        clock = SystemClock()
        hops = Hops(
            codec=JwtCodec([key], clock),
            now=clock.now,
            new_secret=RandomIds().new_secret,
            this=self.other.id,
        )
        parts = urlsplit(path)
        scope = {
            "method": method,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "client": (peer, 1),
            "scheme": "http",
        }
        return hops.sign(scope, "an-id", to=to or self.home.id)

    def sends(
        self,
        signature: str | None,
        path: str = EVENT,
        *,
        method: str = "POST",
        at: str | None = None,
        session: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        url = f"{at or self.home.url}{path}"
        sent = self.headers(signature, session=session, **headers)
        return httpx.request(
            method, url, headers=sent, json=BODY if method == "POST" else None, timeout=20
        )

    def headers(
        self, signature: str | None, *, session: str | None = None, **headers: str
    ) -> dict[str, str]:
        cookie = f"gradioapp-session={self.session if session is None else session}"
        sent = {
            "host": urlsplit(self.public).netloc,
            "origin": self.public,
            "cookie": cookie,
            **headers,
        }
        if signature is not None:
            sent[HEADER.decode()] = signature
        return sent

    def without_body(self, path: str) -> int:
        """Send the head of a signed request whose body does not arrive, and return the status of the response."""
        with closing(HTTPConnection(urlsplit(self.home.url).netloc, timeout=PATIENCE)) as opened:
            opened.putrequest("POST", path, skip_host=True)
            for name, value in self.headers(self.signature(path)).items():
                opened.putheader(name, value)
            opened.putheader("content-type", "application/json")
            opened.putheader("content-length", "100")
            opened.endheaders(b"{")
            return opened.getresponse().status


def replicas_in(database: str) -> list[Replica]:
    found: list[Any] = []

    async def read() -> None:
        connection = await asyncpg.connect(database.replace("+asyncpg", ""))
        try:
            found.extend(await connection.fetch("SELECT id, url FROM replicas"))
        finally:
            await connection.close()

    run_apart(read())
    return [Replica(id=ReplicaId(row["id"]), url=row["url"]) for row in found]


@pytest.fixture(scope="module")
def between(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgres: FreshDatabase
) -> Iterator[Between]:
    folder: Path = tmp_path_factory.mktemp("replicas")
    (folder / "app.py").write_text(APP)
    database = fresh_postgres()
    options = ("--app", "app.py")
    settings = {"REPLICA_URL": "http://127.0.0.1:0", "STALL_SECONDS": "1"}
    with started(1, database, folder, *options, **settings) as [home]:
        [first] = replicas_in(database)
        with started(1, database, folder, *options, **settings, DATA_DIR="data9") as [away]:
            second = next(each for each in replicas_in(database) if each.id != first.id)
            tried = Between(home.origin, away.origin, [first, second])
            # The account's first event makes the first replica its home.
            assert tried.sends(None, at=home.origin).status_code == 200
            yield tried


def test_a_signed_request_of_a_session_is_answered_at_the_home(between: Between) -> None:
    answer = between.sends(between.signature())

    assert (answer.status_code, answer.json()["data"]) == (200, ["hello"])
    assert answer.headers["x-request-id"] == "an-id"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/login", "/metrics", EVENT])
def test_nothing_is_answered_without_a_signature(between: Between, path: str) -> None:
    answer = between.sends(None, path, method="GET")

    assert (answer.status_code, answer.text) == (404, "Not found")


def test_a_signature_counts_once(between: Between) -> None:
    signature = between.signature()

    assert between.sends(signature).status_code == 200
    assert between.sends(signature).status_code == 404


def test_a_signature_counts_for_its_request_its_replica_and_our_key(between: Between) -> None:
    refused = [
        between.sends(between.signature(), f"{EVENT}?a=1"),
        between.sends(between.signature(method="GET")),
        between.sends(between.signature(to=between.other.id)),
        between.sends(between.signature(key="another key of exactly 32 bytes!")),
        between.sends(between.signature(), at=between.other.url),
    ]

    assert [answer.status_code for answer in refused] == [404] * 5


@pytest.mark.parametrize("session", ["", "no.such.token"])
def test_a_signature_is_no_session(between: Between, session: str) -> None:
    assert between.sends(between.signature(), session=session).status_code == 401


def test_a_signature_does_not_make_a_request_of_another_site_ours(between: Between) -> None:
    answer = between.sends(between.signature(), origin="https://evil.example.org")

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/api/v1/me", "/gradio/", "/gradio/kept/"]
)
def test_only_what_needs_gradios_memory_is_answered(between: Between, path: str) -> None:
    answer = between.sends(between.signature(path, method="GET"), path, method="GET")

    assert answer.status_code == 404


def test_a_request_makes_one_hop_only(between: Between) -> None:
    to_other = between.signature(to=between.other.id)

    answer = between.sends(to_other, at=between.other.url)

    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:gradioapp:problem:replica-gone"


def test_the_public_address_ignores_signatures(between: Between) -> None:
    forged = between.signature("/api/v1/me", method="GET", peer="10.9.8.7")
    answer = between.sends(forged, "/api/v1/me", method="GET", at=between.public)

    assert answer.status_code == 200
    assert answer.headers["x-request-id"] != "an-id"


def test_a_request_arrives_as_the_client_has_written_it(between: Between) -> None:
    with closing(HTTPConnection(urlsplit(between.elsewhere).netloc, timeout=20)) as connection:
        connection.putrequest(
            "GET", '/gradio/kept/gradio_api/file=/{no}|"such%20\\file"?a={b}|c', skip_host=True
        )
        connection.putheader("host", urlsplit(between.elsewhere).netloc)
        connection.putheader("cookie", f"gradioapp-session={between.session}")
        connection.endheaders()

        answer = connection.getresponse()

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_session_that_begins_elsewhere_goes_on_with_the_tabs_at_the_home(
    between: Between,
) -> None:
    event = {"data": [None], "session_hash": "tab"}
    counted = "/gradio/kept/gradio_api/run/counts"

    def counts(session: str) -> Any:
        headers = {"cookie": f"gradioapp-session={session}", "origin": between.elsewhere}
        url = f"{between.elsewhere}{counted}"
        return httpx.post(url, json=event, headers=headers, timeout=20).json()["data"][0]

    first = session_of(between.elsewhere, JOHN)
    assert [counts(first), counts(first)] == ["1", "2"]

    second = session_of(between.elsewhere, JOHN, former=first)

    assert counts(second) == "3"


def test_what_replicas_say_is_heard_with_a_signature_only(between: Between) -> None:
    said = "/told?former=a&session=b&user=c"

    assert between.sends(None, said).status_code == 404
    assert between.sends(between.signature("/told?former=a"), said).status_code == 404
    # Nothing that this release knows; it is no error either.
    assert between.sends(between.signature(said), said).status_code == 204
    assert between.sends(None, said, at=between.public).status_code == 404
    headers = between.headers(between.signature(said))
    answer = httpx.post(f"{between.home.url}{said}", headers=headers, content=b"\xff", timeout=20)
    assert answer.status_code == 204


def test_a_length_beside_chunks_does_not_count(between: Between) -> None:
    """As at the home itself (RFC 9112, section 6.3)."""
    body = b'{"data": ["hello"]}'
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with closing(HTTPConnection(urlsplit(between.elsewhere).netloc, timeout=20)) as connection:
        connection.putrequest("POST", EVENT)
        connection.putheader("cookie", f"gradioapp-session={between.session}")
        connection.putheader("origin", between.elsewhere)
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", "3")
        connection.putheader("transfer-encoding", "chunked")
        connection.endheaders(chunked)

        answer = connection.getresponse()
        said = answer.read()

    assert (answer.status, b"hello" in said) == (200, True)


@pytest.mark.parametrize("said", [b"", b"POST / HTTP/1.1\r\nhost: a\r\n"])
def test_a_connection_that_sends_no_request_is_closed(said: bytes, between: Between) -> None:
    parts = urlsplit(between.home.url)
    began = time.monotonic()
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as opened:
        opened.sendall(said)

        rest = opened.recv(1000)

    assert rest == b""
    assert time.monotonic() - began >= SHORTEST


@pytest.mark.parametrize("path", [EVENT, "/told?former=a&session=b&user=c"])
def test_a_signed_request_whose_body_does_not_arrive_is_ended(path: str, between: Between) -> None:
    assert between.without_body(path) == 408


def test_an_event_elsewhere_may_take_longer_than_a_silent_connection(between: Between) -> None:
    path = "/gradio/kept/gradio_api/run/waits"
    headers = between.headers(None) | {"origin": between.elsewhere}
    headers["host"] = urlsplit(between.elsewhere).netloc
    seconds = {"data": [SHORTEST + 2]}

    answer = httpx.post(
        f"{between.elsewhere}{path}", headers=headers, json=seconds, timeout=PATIENCE
    )

    assert (answer.status_code, answer.json()["data"]) == (200, [])
