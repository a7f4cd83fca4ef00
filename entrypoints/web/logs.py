"""Log one structured line per request, and all other messages in the same format."""

import logging
import sys
from collections.abc import MutableMapping
from io import StringIO
from textwrap import indent
from threading import main_thread
from time import perf_counter
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger

from application.settings import Settings
from domain.model.caller import SignedIn
from entrypoints.access import Access
from entrypoints.tracing import RequestSpan
from entrypoints.web.summary import Summary

LONGEST_PATH: Final = 500
LONGEST: Final = 20_000
"""Characters of one text in a line: an exception's message may contain megabytes of a caller's input."""
GONE: Final = 499
"""Status in the log if the client disconnected before a response, as in nginx."""

_QUIET: Final = (
    "httpx",
    "httpcore",
    "asyncio",
    "multipart",
    "python_multipart",
    "PIL",
    "alembic",
    "uvicorn.error",
    "matplotlib",
)
"""Libraries whose debug and info messages are not logged."""

log: FilteringBoundLogger = structlog.get_logger()


def configure_logging(settings: Settings) -> None:
    """Log to standard output as JSON or for a console, including libraries' messages. Tracebacks have no local
    variables."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[structlog.typing.Processor] = (
        [
            structlog.processors.format_exc_info,
            _not_too_long,
            structlog.processors.JSONRenderer(default=str),
        ]
        if settings.logs_json
        else [
            _not_too_long,
            _on_one_line,
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(),
                sort_keys=False,
                exception_formatter=_indented_traceback,
            ),
        ]
    )
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _take_over_the_standard_library(level, shared, rendering)


def _not_too_long(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {name: _cut(value) if isinstance(value, str) else value for name, value in event.items()}


def _cut(text: str) -> str:
    """Keep the beginning and the end of a long text: the raising line of a traceback is at its end."""
    half = LONGEST // 2
    left_out = len(text) - LONGEST
    return text if left_out <= 0 else f"{text[:half]}… {left_out} left out …{text[-half:]}"


def _on_one_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Escape texts, so that a request can neither begin a new log line nor send control codes to the terminal
    (ASVS 16.4.1)."""
    return {
        key: _written_out(value) if isinstance(value, str) else value
        for key, value in event.items()
    }


def _indented_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """Indent a traceback and escape its lines, so that no line of an exception's message looks like a line of the
    log."""
    text = StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    lines = "\n".join(map(_written_out, _cut(text.getvalue()).split("\n")))
    stream.write(indent(lines, "    ", lambda _: True))


def _written_out(text: str) -> str:
    """Escape characters that are not printable."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def _take_over_the_standard_library(
    level: int,
    shared: list[structlog.typing.Processor],
    rendering: list[structlog.typing.Processor],
) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.addFilter(Summary())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)  # uvicorn's own configuration has set another level.
        if name == "uvicorn.access":
            logger.addFilter(_is_of_another_server)
        logger.propagate = name != "uvicorn.access"  # The gate logs a line for each request.
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _is_of_another_server(record: logging.LogRecord) -> bool:
    """Return whether an author's server beside ours has logged it. A configuration of uvicorn in an author's code gives
    the logger a handler, and our requests may have secrets in their addresses. A filter outlasts it. Ours is the only
    server in the main thread."""
    return record.thread != main_thread().ident


class RequestLog:
    """Collects the fields of a request's log line, which is written once, after the response."""

    __slots__ = (
        "address",
        "is_forwarded",
        "is_quiet",
        "method",
        "notes",
        "path",
        "request_id",
        "rule",
        "signed_in",
        "span",
        "started",
    )

    def __init__(self, *, method: str, path: str, request_id: str) -> None:
        self.method = method
        self.path = path
        self.request_id = request_id
        self.address = ""
        self.signed_in: SignedIn | None = None
        self.rule: Access | None = None
        """None until the gate has found it."""
        self.is_quiet = False
        self.is_forwarded = False
        """True if another replica had to respond."""
        self.notes: MutableMapping[str, Any] = {}
        self.span: RequestSpan | None = None
        self.started = perf_counter()

    def write(self, status: int | None) -> None:
        """Log the request, without query, headers and body, which may contain secrets (ASVS 16.2.5)."""
        signed_in = self.signed_in
        caller = signed_in.caller if signed_in else None
        fields: dict[str, Any] = {
            "method": self.method,
            "path": self.path[:LONGEST_PATH],
            "status": status or GONE,
            "duration_ms": round((perf_counter() - self.started) * 1000, 2),
            "user_id": str(caller.user_id) if caller else None,
            "session_id": str(caller.session_id) if caller and caller.session_id else None,
            **({"token_id": str(caller.token_id)} if caller and caller.token_id else {}),
            "request_id": self.request_id,
            **({"trace_id": self.span.trace_id} if self.span else {}),
            "address": self.address,
            **self.notes,
        }
        if status is not None and status >= 500:
            log.error("request", **fields)
        elif self.is_unremarkable(status):
            log.debug("request", **fields)
        else:
            log.info("request", **fields)

    def is_unremarkable(self, status: int | None) -> bool:
        """Return whether the request is one of many that only matter if they fail, such as a probe."""
        return self.is_quiet and (status is None or status < 400)
