"""Traces of real processes, as a collector receives them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from entrypoints.tracing import MISSING
from entrypoints.tracing.exporting import PATIENCE
from tests.collector import Collector, collecting
from tests.command_line.conftest import Gradioapp
from tests.nginx import free_port
from tests.processes import ROOT, Process, waits_until
from tests.replicas import Visitor, started
from tests.servers import FreshDatabase

APP: Final = """
import gradio as gr
from opentelemetry import trace

def echo(text):
    with trace.get_tracer("app").start_as_current_span("own"):
        return text

with gr.Blocks(title="Kept") as demo:
    text = gr.Textbox()
    gr.Button().click(echo, text, text, api_name="echo")
"""
PATH: Final = "/gradio/kept"
JOIN: Final = f"POST {PATH}/gradio_api/queue/join"
RUN: Final = f"POST {PATH}/gradio_api/{{run|api}}/{{api_name}}"
TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
COMPOSED: Final = """
import sys
sys.modules.update(dict.fromkeys({missing}))
from application.container import build
from application.settings import load
from entrypoints.app import create_app
create_app(build(load(environment="test")))
names = ("entrypoints.tracing.", "opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf")
print([name for name in sys.modules if name.startswith(names)])
"""

Starts = Callable[..., Process]


@pytest.fixture
def collector(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.origin)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        (folder / "app.py").write_text(APP)
        yield collector


def serves(start: Starts, **settings: str) -> tuple[Process, str]:
    port = str(free_port())
    process = start(
        *("entrypoints", "serve", "--app", "app.py", "--port", port, "--sample-users"), **settings
    )
    process.hears("Serving at")
    return process, f"http://127.0.0.1:{port}"


def is_up(origin: str) -> bool:
    try:
        return httpx.get(f"{origin}/healthz").is_success
    except httpx.TransportError:
        return False


def is_child(span: Span, parent: Span) -> bool:
    return span.trace_id == parent.trace_id and span.parent_span_id == parent.span_id


@pytest.mark.server
def test_one_trace_leads_from_the_request_through_the_queue_to_the_apps_own_span(
    collector: Collector, start: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "lab")
    process, origin = serves(start, LOG_FORMAT="json")

    assert Visitor(origin, PATH).runs(origin, "echo", "hello") == "hello"

    (joined,) = collector.hears(JOIN)
    (waited,) = collector.hears("wait echo")
    (run,) = collector.hears("run echo")
    (own,) = collector.hears("own")
    assert is_child(waited, joined)
    assert is_child(run, joined)
    assert is_child(own, run)
    assert joined.start_time_unix_nano <= waited.start_time_unix_nano
    assert waited.end_time_unix_nano == run.start_time_unix_nano
    assert collector.services == {"lab"}
    process.hears(f'"trace_id": "{joined.trace_id.hex()}"', within=10)


@pytest.mark.server
def test_a_direct_event_of_a_proxys_trace_is_a_child_of_its_request(
    collector: Collector, start: Starts
) -> None:
    _, origin = serves(start, TRUSTED_PROXIES="127.0.0.1")
    john = Visitor(origin, PATH)

    sent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    response = httpx.post(
        f"{origin}{PATH}/gradio_api/run/echo",
        headers={**john.cookie, "origin": origin, **sent},
        json={"data": ["hello"]},
        timeout=20,
    )

    assert response.json()["data"] == ["hello"]
    (request,), (run,) = collector.hears(RUN), collector.hears("run echo")
    assert request.trace_id.hex() == TRACE
    assert is_child(run, request)
    assert not collector.named("wait echo")
    assert collector.services == {"gradioapp"}


@pytest.mark.server
def test_a_forwarded_request_is_one_trace_of_two_replicas(
    collector: Collector, folder: Path, fresh_postgres: FreshDatabase
) -> None:
    settings = {"REPLICA_URL": "http://127.0.0.1:0"}
    options = ("--app", "app.py")
    with started(2, fresh_postgres(), folder, *options, **settings) as (first, second):
        john = Visitor(first.origin, PATH)
        assert john.runs(first.origin, "echo", "at home") == "at home"
        (at_home,) = collector.hears(JOIN)

        assert john.runs(second.origin, "echo", "from afar") == "from afar"

        joins = [span for span in collector.hears(JOIN, number=3) if span != at_home]
        (run,) = [
            span for span in collector.hears("run echo", number=2) if not is_child(span, at_home)
        ]
        (received,) = [span for span in joins if not span.parent_span_id]
        (forwarded,) = [span for span in joins if span.parent_span_id]
        assert is_child(forwarded, received)
        assert is_child(run, forwarded)


@pytest.mark.server
@pytest.mark.parametrize("fault", ["hangs", "is down"])
def test_a_collector_that_hangs_or_is_down_slows_neither_an_event_nor_the_end(
    collector: Collector, start: Starts, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    collector.answers.clear()
    if fault == "is down":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    process, origin = serves(start)
    john = Visitor(origin, PATH)
    john.runs(origin, "echo", "hello")
    time.sleep(3)  # Long enough for two retries.
    assert fault == "is down" or collector.asked.wait(10)

    begun = time.monotonic()
    assert john.runs(origin, "echo", "hello") == "hello"
    took = time.monotonic() - begun

    assert took < 2
    assert process.stops(within=20) < PATIENCE + 3
    assert process.popen.returncode in {-15, 143}
    said = process.says()
    assert "Traceback" not in said
    assert said.count("while exporting") == (1 if fault == "is down" else 0)


@pytest.mark.server
def test_fastapi_exports_nothing_by_itself_and_waits_for_no_collector(
    collector: Collector, start: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector.answers.clear()
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    port = str(free_port())
    origin = f"http://127.0.0.1:{port}"
    factory = ("uvicorn", "entrypoints.app:app_from_environment", "--factory", "--port", port)
    process = start(*factory, PORT=port, APPS="app.py", SAMPLE_USERS="true")
    waits_until(lambda: is_up(origin), seconds=60)
    assert Visitor(origin, PATH).runs(origin, "echo", "hello") == "hello"
    assert collector.asked.wait(10)

    assert process.stops(within=60) < PATIENCE + 3


def composes(missing: str = "[]", **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", COMPOSED.format(missing=missing)],
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "lab"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_the_variables_nothing_is_imported(
    folder: Path, environment: dict[str, str]
) -> None:
    assert composes(**environment).splitlines() == ["[]"]


def test_without_the_packages_one_line_says_what_to_install(folder: Path) -> None:
    said = composes("['opentelemetry.sdk']", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")

    assert said.count(MISSING) == 1
    assert "uv sync --extra traces" in MISSING


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "is not the URL of a collector"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "Set it to http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "Set it to http/protobuf"),
    ],
)
def test_check_names_variables_that_cannot_work(
    gradioapp: Gradioapp, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(name, value)

    result = gradioapp("check", ENVIRONMENT="test")

    assert result.exit_code == 1
    assert says in result.output


def test_check_says_where_traces_go_and_what_is_missing(
    gradioapp: Gradioapp, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "collector" not in gradioapp("check", ENVIRONMENT="test").output
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")

    found = gradioapp("check", ENVIRONMENT="test")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "entrypoints.tracing.exporting", raising=False)
    missing = gradioapp("check", ENVIRONMENT="test")

    assert "the collector that OTEL_EXPORTER_OTLP_TRACES_ENDPOINT names" in found.output
    assert found.exit_code == 0
    assert f"FAULT  {MISSING}" in missing.output
    assert missing.exit_code == 1
