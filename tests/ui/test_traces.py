"""Spans of requests and of the events that they begin, read from the SDK's exporter into memory."""

import asyncio
from typing import Any, Final

import gradio as gr
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from entrypoints.tracing.exporting import Exporting
from tests.ui.conftest import GRADIO, Mounts, completed

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
SENT: Final = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class Spans:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Exporting(TracerProvider(), lambda: SimpleSpanProcessor(self.exporter))
        self.author = TracerProvider()
        """The provider of the app's own code. In a service without one, it is the provider of `tracing`."""
        self.author.add_span_processor(SimpleSpanProcessor(self.exporter))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def children(self, parent: ReadableSpan) -> set[str]:
        return {
            span.name
            for span in self.exporter.get_finished_spans()
            if span.parent and span.parent.span_id == id_of(parent)
        }


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return trace.format_trace_id(span.context.trace_id)


def about(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    # The provider of the process can be set only once, so no test sets it.
    spans = Spans()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: spans.author)
    return spans


def greeter() -> gr.Blocks:
    def greet(name: str) -> str:
        if name == "nobody":
            raise gr.Error("There is nobody.")
        span = trace.get_current_span()
        return f"{span.name if isinstance(span, ReadableSpan) else '-'}"

    def count() -> Any:
        for _ in range(2):
            span = trace.get_current_span()
            yield span.name if isinstance(span, ReadableSpan) else "-"

    async def greet_all(names: list[str]) -> list[list[str]]:
        await asyncio.sleep(0)
        return [[f"Hello {name}" for name in names]]

    demo: gr.Blocks
    with gr.Blocks() as demo:
        name, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(greet, name, shown, api_name="greet")
        gr.Button().click(count, None, shown, api_name="count")
        gr.Button().click(
            greet_all, name, shown, api_name="greet_all", batch=True, max_batch_size=4
        )
        gr.Button().click(greet, name, shown, api_name="at_once", queue=False)
    return demo


JOIN: Final = f"POST {GRADIO}/gradio_api/queue/join"


async def test_an_event_of_the_queue_waits_and_runs_in_the_trace_of_the_request_that_joined(
    mounted: Mounts, spans: Spans
) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)
    ada = await house.signed_in()

    seen = await ada.gets("greet", "Ada")

    joined, waited, run = spans.one(JOIN), spans.one("wait greet"), spans.one("run greet")
    assert seen == "run greet"  # The app's own code sees the span.
    assert spans.children(joined) == {"wait greet", "run greet"}
    assert trace_of(joined) == trace_of(waited) == trace_of(run)
    assert waited.end_time == run.start_time
    assert ada.session is not None
    assert about(joined) == {
        "http.request.method": "POST",
        "http.route": f"{GRADIO}/gradio_api/queue/join",
        "http.response.status_code": 200,
        "user.id": str(ada.session.user_id),
    }
    app = {"gradioapp.app": GRADIO, "gradioapp.api_name": "greet"}
    assert about(waited) == app
    assert about(run) == {**app, "gradioapp.outcome": "done"}


async def test_a_span_of_the_apps_own_code_is_a_child_of_its_event(
    mounted: Mounts, spans: Spans
) -> None:
    def measure() -> str:
        with trace.get_tracer("app").start_as_current_span("own"):
            return "done"

    with gr.Blocks() as demo:
        gr.Button().click(measure, None, gr.Textbox(), api_name="measure")
    house = await mounted(demo, tracing=spans.tracing)
    ada = await house.signed_in()

    await ada.gets("measure")

    run = spans.one("run measure")
    assert spans.children(run) == {"own"}
    assert trace_of(spans.one("own")) == trace_of(run)


async def test_the_span_of_the_wait_is_as_long_as_the_wait(mounted: Mounts, spans: Spans) -> None:
    free = asyncio.Event()

    async def wait(name: str) -> str:
        await free.wait()
        return name

    with gr.Blocks() as demo:
        name = gr.Textbox()
        gr.Button().click(wait, name, name, api_name="wait", concurrency_limit=1)
    house = await mounted(demo, tracing=spans.tracing)
    ada = await house.signed_in()
    first, second = await ada.start("wait", "1"), await ada.start("wait", "2")
    await asyncio.sleep(0.4)
    free.set()
    await ada.told(first)
    await ada.told(second)

    lengths = [(one.end_time or 0) - (one.start_time or 0) for one in spans.named("wait wait")]
    assert len(lengths) == 2
    assert max(lengths) > 0.3e9 > min(lengths)


async def test_every_step_of_a_generator_is_in_the_one_span_of_its_event(
    mounted: Mounts, spans: Spans
) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)
    ada = await house.signed_in()

    assert await ada.gets("count") == "run count"

    assert about(spans.one("run count"))["gradioapp.outcome"] == "done"


async def test_an_event_that_fails_says_so_and_nothing_of_its_exception(
    mounted: Mounts, spans: Spans
) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)
    ada = await house.signed_in()

    assert not completed(await ada.runs("greet", "nobody"))["success"]

    run = spans.one("run greet")
    assert about(run)["gradioapp.outcome"] == "failed"
    assert run.status.status_code is trace.StatusCode.ERROR
    assert not run.events
    assert "nobody" not in run.to_json()


async def test_an_event_that_is_cancelled_is_neither_done_nor_failed(
    mounted: Mounts, spans: Spans
) -> None:
    began = asyncio.Event()

    async def wait() -> str:
        began.set()
        await asyncio.sleep(60)
        return "done"

    with gr.Blocks() as demo:
        gr.Button().click(wait, None, gr.Textbox(), api_name="wait")
    house = await mounted(demo, tracing=spans.tracing)
    ada = await house.signed_in()
    body = {"data": [], "fn_index": 0, "session_hash": "tab"}
    joined = await ada.http.post(f"{GRADIO}/gradio_api/queue/join", json=body)
    await began.wait()
    body = {"event_id": joined.json()["event_id"], "fn_index": 0, "session_hash": "tab"}
    await ada.http.post(f"{GRADIO}/gradio_api/cancel", json=body)

    assert about(spans.one("run wait"))["gradioapp.outcome"] == "cancelled"


async def test_the_events_of_a_batch_are_linked_and_each_is_in_its_own_trace(
    mounted: Mounts, spans: Spans
) -> None:
    free = asyncio.Event()
    demo = greeter()

    async def hold() -> None:
        await free.wait()

    with demo:
        gr.Button().click(hold, None, None, api_name="hold")
    fn = next(fn for fn in demo.fns.values() if fn.api_name == "greet_all")
    holding = next(fn for fn in demo.fns.values() if fn.api_name == "hold")
    holding.concurrency_id = fn.concurrency_id
    house = await mounted(demo, tracing=spans.tracing)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    held = await ada.start("hold")
    await asyncio.sleep(0.2)
    tabs = [await ada.start("greet_all", "Ada"), await bob.start("greet_all", "Bob")]
    free.set()
    await ada.told(held)
    await ada.told(tabs[0])
    await bob.told(tabs[1])

    runs, joins = spans.named("run greet_all"), spans.named(JOIN)[1:]
    assert len(runs) == len(joins) == 2
    assert {trace_of(run) for run in runs} == {trace_of(join) for join in joins}
    assert {link.context.span_id for run in runs for link in run.links} == set(map(id_of, joins))
    assert all(len(run.links) == 1 for run in runs)


async def test_a_direct_event_runs_in_the_trace_of_its_request_and_has_not_waited(
    mounted: Mounts, spans: Spans
) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)
    ada = await house.signed_in()

    done = await ada.http.post(f"{GRADIO}/gradio_api/run/at_once", json={"data": ["Ada"]})
    await ada.http.post(f"{GRADIO}/gradio_api/run/at_once", json={"data": ["nobody"]})

    assert done.json()["data"] == ["run at_once"]
    requests = spans.named(f"POST {GRADIO}/gradio_api/{{run|api}}/{{api_name}}")
    assert [spans.children(request) for request in requests] == [{"run at_once"}] * 2
    outcomes = [about(run)["gradioapp.outcome"] for run in spans.named("run at_once")]
    assert outcomes == ["done", "failed"]


@pytest.mark.parametrize(
    ("way", "body"), [("call", {"data": ["Ada"]}), ("call/v2", {"name": "Ada"})]
)
async def test_an_event_that_a_program_calls_is_in_the_trace_of_its_call(
    mounted: Mounts, spans: Spans, way: str, body: dict[str, Any]
) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)
    ada = await house.signed_in()
    called = await ada.http.post(f"{GRADIO}/gradio_api/{way}/greet", json=body)
    stream = await ada.http.get(f"{GRADIO}/gradio_api/call/greet/{called.json()['event_id']}")

    assert "run greet" in stream.text
    name = f"POST {GRADIO}/gradio_api/{way}/{{api_name}}"
    assert spans.children(spans.one(name)) == {"wait greet", "run greet"}


async def test_an_event_that_is_called_as_a_tool_is_in_the_trace_of_the_tool_call(
    mounted: Mounts, spans: Spans
) -> None:
    house = await mounted(greeter(), mcp=True, tracing=spans.tracing)
    await house.has()
    program = house.program(await house.makes_token())
    told = await program.http.post(
        f"{GRADIO}/gradio_api/mcp",
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "greet", "arguments": {"name": "Ada"}},
        },
        headers={"accept": "application/json, text/event-stream"},
    )

    assert "run greet" in told.text
    (request,) = (s for s in spans.exporter.get_finished_spans() if s.name.endswith("/mcp"))
    assert spans.children(request) == {"wait greet", "run greet"}


async def test_no_span_has_a_query_a_cookie_an_e_mail_or_an_input(
    mounted: Mounts, spans: Spans
) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)
    ada = await house.signed_in()

    await ada.gets("greet", "a secret input")
    await ada.http.get(f"{GRADIO}/config?token=a-secret-query")
    await ada.http.get("/a-secret-path")

    exported = "".join(span.to_json() for span in spans.exporter.get_finished_spans())
    assert "run greet" in exported
    assert "secret" not in exported
    assert "ada@" not in exported
    assert ada.http.cookies["gradioapp-session"] not in exported


async def test_an_unknown_address_and_method_add_no_names(mounted: Mounts, spans: Spans) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)

    await house.anonymous().http.request("BREW", "/coffee")

    (span,) = spans.exporter.get_finished_spans()
    assert span.name == "HTTP"
    assert about(span)["http.request.method"] == "_OTHER"
    assert "http.route" not in about(span)


async def test_probes_are_not_traced(mounted: Mounts, spans: Spans) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)

    await house.anonymous().http.get("/healthz")

    assert not spans.exporter.get_finished_spans()


async def test_the_log_has_the_id_of_the_trace(
    mounted: Mounts, spans: Spans, lines: list[Any]
) -> None:
    house = await mounted(greeter(), tracing=spans.tracing)
    ada = await house.signed_in()

    await ada.gets("greet", "Ada")

    logged = {line["path"]: line for line in lines if line["event"] == "request"}
    line = logged[f"{GRADIO}/gradio_api/queue/join"]
    assert line["trace_id"] == trace_of(spans.one(JOIN))


async def test_a_log_line_of_an_event_has_the_id_of_its_trace(
    mounted: Mounts, spans: Spans, lines: list[Any]
) -> None:
    def tell() -> str:
        return str(structlog.contextvars.get_contextvars()["trace_id"])

    with gr.Blocks() as demo:
        gr.Button().click(tell, None, gr.Textbox(), api_name="tell")
    house = await mounted(demo, tracing=spans.tracing)
    ada = await house.signed_in()

    assert await ada.gets("tell") == trace_of(spans.one(JOIN))


async def test_the_trace_of_a_trusted_proxy_goes_on(mounted: Mounts, spans: Spans) -> None:
    house = await mounted(greeter(), tracing=spans.tracing, trusted_proxies="127.0.0.1")

    await house.anonymous().http.get("/login", headers=SENT)

    span = spans.one("GET /login")
    assert trace_of(span) == TRACE
    assert span.parent is not None
    assert trace.format_span_id(span.parent.span_id) == "b7ad6b7169203331"


@pytest.mark.parametrize("proxies", ["", "10.0.0.1"])
async def test_nobody_else_can_name_a_trace(mounted: Mounts, spans: Spans, proxies: str) -> None:
    house = await mounted(greeter(), tracing=spans.tracing, trusted_proxies=proxies)

    await house.anonymous().http.get("/login", headers=SENT)

    span = spans.one("GET /login")
    assert trace_of(span) != TRACE
    assert span.parent is None


async def test_a_trace_that_is_not_sampled_has_no_spans_and_changes_nothing(
    mounted: Mounts, spans: Spans
) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF)
    off = Exporting(provider, lambda: SimpleSpanProcessor(spans.exporter))
    house = await mounted(greeter(), tracing=off)
    ada = await house.signed_in()

    assert await ada.gets("greet", "Ada") == "-"
    assert not spans.exporter.get_finished_spans()


async def test_fastapi_and_gradio_make_no_spans_though_an_app_has_set_a_provider(
    mounted: Mounts, spans: Spans
) -> None:
    """Their own spans would have the query, such as the token of the setup link."""
    house = await mounted(greeter())
    ada = await house.signed_in()

    await ada.gets("greet", "Ada")
    await ada.http.get("/login?token=a-secret", headers=SENT)
    await ada.http.get(f"{GRADIO}/config?token=a-secret")

    assert not spans.exporter.get_finished_spans()
