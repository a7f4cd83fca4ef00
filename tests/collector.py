"""An OpenTelemetry collector on this machine: it receives spans by HTTP, as a real one does."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.processes import waits_until


@dataclass(slots=True)
class Collector:
    origin: str
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    asked: Event = field(default_factory=Event)
    """Set when a request has arrived."""
    answers: Event = field(default_factory=Event)
    """Cleared while the collector hangs."""

    def receive(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                attribute.value.string_value
                for attribute in group.resource.attributes
                if attribute.key == "service.name"
            }
            for scope in group.scope_spans:
                self.spans.extend(scope.spans)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def hears(self, name: str, *, number: int = 1) -> list[Span]:
        """Return the spans of this name once there are so many."""
        waits_until(lambda: len(self.named(name)) >= number, seconds=20)
        found = self.named(name)
        assert len(found) == number
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.asked.set()
            if not collector.answers.wait(60):
                return
            is_packed = self.headers.get("content-encoding") == "gzip"
            assert self.path == "/v1/traces"
            collector.receive(gzip.decompress(body) if is_packed else body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    collector.answers.set()
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        collector.answers.set()
        server.shutdown()
        server.server_close()
        serving.join(timeout=10)
