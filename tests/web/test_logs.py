"""One log line for each request, without secrets."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import httpx
import pytest
import structlog
import uvicorn

from application.settings import load
from entrypoints.web.logs import LONGEST, configure_logging
from entrypoints.web.summary import CONNECTIONS, Summary
from entrypoints.web.violations import Violation, Violations
from tests.web.conftest import PASSWORD, Door, Lines, MakeDoor
from tests.web.pages import sign_in


@pytest.mark.asvs("V16.2.1")
async def test_a_request_is_one_line_with_account_address_and_duration(
    door: Door, lines: Lines
) -> None:
    async with await door.signed_in(peer="192.0.2.7") as ada:
        answer = await ada.get("/gradio/?token=hunter2")

    (line,) = [line for line in lines if line["event"] == "request"]
    me = await door.use_cases.recognise(ada.cookies[door.cookie], activity=False)
    assert (line["event"], line["log_level"]) == ("request", "info")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/gradio/", 200)
    assert (line["user_id"], line["session_id"]) == (str(me.user.id), str(me.session.id))
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["address"] == "192.0.2.7"
    assert line["duration_ms"] >= 0


@pytest.mark.asvs("V16.2.5", "V14.2.1")
async def test_no_secret_is_logged(door: Door, browser: httpx.AsyncClient, lines: Lines) -> None:
    await door.has()
    await sign_in(browser, "ada@example.org", "hunter2hunter2")
    await sign_in(browser, "ada@example.org", PASSWORD)
    await browser.get("/gradio/boom?token=hunter2")
    await browser.get("/api/v1/me?token=hunter2")

    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [
        *(("GET", "/login", 200), ("POST", "/login", 401)),
        *(("GET", "/login", 200), ("POST", "/login", 303)),
        *(("GET", "/gradio/boom", 500), ("GET", "/api/v1/me", 200)),
    ]
    assert "request failed" in [line["event"] for line in lines]
    said = str(lines)
    for secret in (
        "hunter2",
        PASSWORD,
        browser.cookies[door.cookie],
        browser.cookies["gradioapp-form"],
        "csrf_token",
    ):
        assert secret not in said


async def test_a_long_path_is_cut_in_its_line(door: Door, lines: Lines) -> None:
    async with door.client() as client:
        await client.get("/static/" + "x" * 2000)

    assert [line["path"] for line in lines] == ["/static/" + "x" * 492]


async def test_probes_and_assets_are_logged_as_debug_unless_they_fail(
    door: Door, lines: Lines
) -> None:
    async with door.client() as client:
        for path in ("/healthz", "/static/style.css", "/static/nothing"):
            await client.get(path)

    assert [line["log_level"] for line in lines] == ["debug", "debug", "info"]


@pytest.mark.asvs("V16.3.2", "V16.3.3")
async def test_refused_requests_are_logged(door: Door, lines: Lines) -> None:
    async with door.client() as client:
        await client.get("/gradio/")
        await client.post("/login", headers={"origin": "https://evil.example"})
        await client.get("/login", headers={"host": "evil.example"})

    assert [line["status"] for line in lines] == [401, 403, 400]


@pytest.fixture
def configured() -> Iterator[None]:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.asvs("V16.2.2", "V16.2.4", "V16.4.1")
@pytest.mark.usefixtures("configured")
def test_lines_of_our_own_and_of_libraries_are_json_in_utc(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(load(env_file=None, environment="test", log_format="json"))

    structlog.get_logger().info("ours", text="a\nb")
    logging.getLogger("some.library").info("theirs %s", 1)
    logging.getLogger("uvicorn.access").info("GET /setup?token=x")
    logging.getLogger("httpx").info("GET /")

    ours, theirs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (ours["event"], ours["text"], ours["level"]) == ("ours", "a\nb", "info")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["logger"]) == ("theirs 1", "some.library")


@pytest.mark.asvs("V16.2.5")
@pytest.mark.usefixtures("configured")
def test_requests_are_not_logged_by_uvicorn_after_an_app_has_configured_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging(load(env_file=None, environment="test"))
    line = '%s - "%s %s HTTP/%s" %d'

    uvicorn.Config("beside:api")  # As in an author's code, later.
    access = logging.getLogger("uvicorn.access")
    access.info(line, "192.0.2.1", "GET", "/setup?token=x", "1.1", 200)
    beside = Thread(target=access.info, args=(line, "192.0.2.1", "GET", "/beside", "1.1", 200))
    beside.start()
    beside.join()

    said = capfd.readouterr().out
    assert "/beside" in said
    assert "token" not in said


@pytest.mark.asvs("V16.4.1")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.usefixtures("configured")
def test_control_characters_cannot_start_a_new_line_or_control_a_terminal(
    capsys: pytest.CaptureFixture[str], form: str, subtests: pytest.Subtests
) -> None:
    configure_logging(load(env_file=None, environment="test", log_format=form))
    library = logging.getLogger("some.library")

    for odd in [
        "\x1b[31mred",
        "\x1b]0;title\x07",
        "\b\b\b",
        "\0",
        "\x7f",
        "\x9b31m",
        "\u202e",
        "a\nb",
    ]:
        with subtests.test(odd=odd):
            structlog.get_logger().info("request", path=f"/{odd}")
            library.warning("read /%s", odd)
            library.error("failed", exc_info=ValueError(odd))

            said = capsys.readouterr().out
            lines = [line for line in said.splitlines() if not line.startswith("    ")]
            assert len(lines) == 3
            assert all(line.isprintable() for line in said.split("\n"))


@pytest.mark.asvs("V16.2.5")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.usefixtures("configured")
def test_a_traceback_shows_no_local_variables(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure_logging(load(env_file=None, environment="test", log_format=form))
    hidden = "hunter" + "2"

    for log in (structlog.get_logger().exception, logging.getLogger("x").exception):
        try:
            int(hidden[:0])
        except ValueError:
            log("failed")

    said = capsys.readouterr().out
    assert said.count("ValueError: invalid literal") == 2
    assert "hunter2" not in said


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.usefixtures("configured")
def test_a_long_text_is_logged_with_its_beginning_and_end(
    capsys: pytest.CaptureFixture[str], form: str, subtests: pytest.Subtests
) -> None:
    configure_logging(load(env_file=None, environment="test", log_format=form))
    library = logging.getLogger("some.library")
    text = "It begins. " + "x" * 1_000_000 + " It ends."

    writes: dict[str, Callable[[], Any]] = {
        "ours": lambda: structlog.get_logger().info("request", text=text),
        "our exception": lambda: structlog.get_logger().error("failed", exc_info=ValueError(text)),
        "a library's": lambda: library.warning("read %s", text),
        "a library's exception": lambda: library.error("failed", exc_info=ValueError(text)),
    }
    for name, write in writes.items():
        with subtests.test(name=name):
            write()

            said = capsys.readouterr().out
            assert LONGEST < len(said) < LONGEST + 500
            assert "It begins." in said
            assert " left out " in said
            assert "It ends." in said


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.usefixtures("configured")
def test_a_text_up_to_the_limit_is_logged_in_full(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure_logging(load(env_file=None, environment="test", log_format=form))
    text = "x" * LONGEST

    structlog.get_logger().info("request", text=text)

    said = capsys.readouterr().out
    assert text in said
    assert "left out" not in said


@pytest.mark.usefixtures("configured")
def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("uvicorn").setLevel(logging.INFO)  # As uvicorn's own configuration does.
    configure_logging(load(env_file=None, environment="test", log_level="error"))

    structlog.get_logger().info("ours")
    logging.getLogger("uvicorn").info("theirs")

    assert capsys.readouterr().out == ""


@pytest.mark.asvs("V16.4.1")
@pytest.mark.usefixtures("configured")
def test_a_violation_names_the_source_to_add_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(load(env_file=None, environment="test", log_format="console"))
    violation = Violation(
        page="/gradio/", directive="img-src", blocked="https://images.example.com"
    )

    Violations().tell(violation, user_id="1")

    (line,) = capsys.readouterr().out.splitlines()
    assert 'csp={"img-src": "https://images.example.com"}' in line


def _told(record: tuple[str, str]) -> logging.LogRecord:
    name, message = record
    return logging.LogRecord(name, logging.WARNING, "", 0, message, None, None)


async def test_messages_that_anybody_can_cause_are_summed_up_in_one_line_a_minute(
    lines: Lines,
) -> None:
    summary = Summary(every=0.05)
    caused = [
        ("uvicorn.error", "Invalid HTTP request received."),
        ("uvicorn.error", "Unsupported upgrade request."),
        ("uvicorn.error", "No supported WebSocket library detected. Please …"),
        ("asyncio", "socket.accept() out of system resource\nsocket: <…>"),
        (CONNECTIONS, "made_room"),
    ]

    passed = [summary.filter(_told(record)) for _ in range(100) for record in caused]
    said_at_once = list(lines)
    await asyncio.sleep(0.2)

    assert not any(passed)
    assert [line["not_http"] for line in said_at_once] == [1]
    assert len(lines) == 2
    later = {k: v for k, v in lines[1].items() if k not in {"event", "log_level"}}
    assert later == {
        "not_http": 99,
        "upgrades": 100,
        "no_file_left": 100,
        "made_room": 100,
    }


def test_other_messages_of_libraries_stay_lines() -> None:
    said = [("uvicorn.error", "Exception in ASGI application"), ("asyncio", "Task was destroyed")]

    assert all(Summary().filter(_told(record)) for record in said)


GIVEN = "9f2c-balancer.7_A"


@pytest.mark.parametrize(
    ("peer", "sent", "counts"),
    [
        ("10.0.0.7", [GIVEN], "theirs"),
        ("192.0.2.7", [GIVEN], "ours"),
        ("10.0.0.7", [GIVEN, GIVEN], "ours"),
        ("10.0.0.7", ["short"], "ours"),
        ("10.0.0.7", ["x" * 65], "ours"),
        ("10.0.0.7", ["with a space"], "ours"),
        ("10.0.0.7", ['"}{"level":"x'], "ours"),
    ],
)
async def test_only_a_trusted_proxy_gives_a_request_its_id(
    make_door: MakeDoor, lines: Lines, peer: str, sent: list[str], counts: str
) -> None:
    door = make_door(trusted_proxies="10.0.0.0/8")
    async with await door.signed_in(peer=peer) as ada:
        answer = await ada.get("/gradio/", headers=[("x-request-id", each) for each in sent])

    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["request_id"] == answer.headers["x-request-id"] == answer.json()["request_id"]
    assert (line["request_id"] == GIVEN) is (counts == "theirs")
    assert counts == "theirs" or len(line["request_id"]) == 32


async def test_without_trusted_proxies_every_id_is_our_own(door: Door) -> None:
    async with await door.signed_in() as ada:
        answer = await ada.get("/gradio/", headers={"x-request-id": GIVEN})

    assert answer.headers["x-request-id"] != GIVEN
