"""The standard variables of OpenTelemetry that decide whether traces are exported. Its SDK reads all others."""

from typing import Final
from urllib.parse import urlsplit

from application.settings.environment import value

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ONLY: Final = "http/protobuf"


def traces_endpoint() -> str:
    """Return the variable that says where traces are sent; empty if they are not exported."""
    if value("OTEL_SDK_DISABLED").strip().lower() == "true":
        return ""
    if value("OTEL_TRACES_EXPORTER").strip().lower() == "none":
        return ""
    return _first_set(*_ENDPOINTS)


def fault_of_traces() -> str:
    """Return what is wrong with the variables, and what to type; empty if nothing is."""
    name = traces_endpoint()
    if not name:
        return ""
    parts = urlsplit(value(name).strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return f"{name} is not the URL of a collector. Set it to one such as http://127.0.0.1:4318"
    if (protocol := _first_set(*_PROTOCOLS)) and value(protocol).strip() != _ONLY:
        return (
            f"{protocol} is not {_ONLY}, the only protocol by which traces are sent. Set it to {_ONLY}, and {name} to the "
            "collector's address for it, usually at port 4318"
        )
    return ""


def _first_set(*names: str) -> str:
    return next((name for name in names if value(name).strip()), "")
