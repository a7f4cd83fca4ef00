"""Check where traces go, for `gradioapp check`."""

from collections.abc import Iterator

from entrypoints.cli.findings import Finding, fault, ok


def of_traces() -> Iterator[Finding]:
    """Say nothing for a service without the variables of OpenTelemetry."""
    from application.settings import traces_endpoint
    from entrypoints.tracing import why_not_exported

    if name := traces_endpoint():
        why = why_not_exported()
        yield fault(why) if why else ok(f"traces are sent to the collector that {name} names")
