"""Count each request under the template of its address, so that no sender can add values of labels."""

import re
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from starlette.routing import BaseRoute, Route

from entrypoints.access import AccessRule
from entrypoints.metrics import NOWHERE, RequestMetrics
from entrypoints.metrics import Route as Counted
from entrypoints.web.addresses import METHODS
from entrypoints.web.logs import GONE, RequestLog

_OTHER: Final = "other"
"""The method of every request whose method no address has."""


class Counting:
    def __init__(
        self,
        metrics: RequestMetrics,
        routes: Sequence[BaseRoute],
        *,
        ui_path: str,
        access: AccessRule,
    ) -> None:
        """`routes` are those of our own addresses. `access` finds the row of an address of Gradio."""
        self._metrics = metrics
        self._ui_prefix = f"{ui_path}/"
        self._access = access
        self._fixed: dict[str, Counted] = {ui_path: Counted(template=ui_path)}
        self._patterns: list[tuple[re.Pattern[str], Counted]] = []
        for path, pattern in {r.path: r.path_regex for r in routes if isinstance(r, Route)}.items():
            if "{" in path:
                self._patterns.append((pattern, Counted(template=path.replace(":path}", "}"))))
            else:
                self._fixed[path] = Counted(template=path)

    def count(self, line: RequestLog, status: int | None) -> None:
        """Count a request that has ended, and end its span. One that the log leaves out is not exported. `status` is None if the client has left before the response."""
        if line.is_forwarded:
            self._metrics.count_forwarded(status or GONE)
        route = self._route(line)
        self._metrics.count(
            route,
            method=line.method if line.method in METHODS else _OTHER,
            status=status or GONE,
            seconds=perf_counter() - line.started,
        )
        if line.span is not None and not line.is_unremarkable(status):
            line.span.end(
                method=line.method,
                route="" if route == NOWHERE else f"{route.app}{route.template}",
                status=status,
                user_id=str(line.signed_in.user.id) if line.signed_in else "",
            )

    def _route(self, line: RequestLog) -> Counted:
        if not line.path.startswith(self._ui_prefix):
            return self._own(line.path)
        # A request may be refused before its row is found.
        rule = line.rule or self._access(line.method, line.path)
        return NOWHERE if rule.found is None else rule.found.route

    def _own(self, path: str) -> Counted:
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed
        return next((route for pattern, route in self._patterns if pattern.match(path)), NOWHERE)
