"""Errors as problem documents (RFC 9457), and the check whether the client wants an error page instead."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.exceptions import HTTPException

PROBLEM_JSON: Final = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    status: int
    kind: str
    """The end of its type URI, such as `session-ended`."""
    title: str
    detail: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the document."""
    page: str = ""
    """The page for browsers, if it is another one than the usual error page."""

    def document(self, request_id: str) -> bytes:
        detail = {"detail": self.detail} if self.detail else {}
        members = {
            "type": f"urn:gradioapp:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            **detail,
            "request_id": request_id,
            **self.members,
        }
        # ASCII, because texts of a client may contain lone surrogates, which UTF-8 cannot encode.
        return json.dumps(members, separators=(",", ":")).encode("ascii")


NOT_FOUND: Final = Problem(
    status=404,
    kind="not-found",
    title="Not found",
    detail="There is nothing at this address.",
)
EMBEDDED: Final = Problem(
    status=403,
    kind="foreign-origin",
    title="Request from another site",
    detail="Other sites may link to this page, but not embed it. Open this address in a tab of its own.",
)
FAULT: Final = Problem(
    status=500,
    kind="fault",
    title="Something went wrong",
    detail="The service has a fault, which has been logged. If it happens again, report the request's number.",
)


class Refused(Exception):
    """The gate refuses a request."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.title)


class RefusedLate(HTTPException):
    """The gate refuses a request while its body arrives. Frameworks pass an HTTPException on."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.status, problem.detail, dict(problem.headers))


def refusal(status: int, kind: str, title: str, detail: str = "", **headers: str) -> Refused:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refused(Problem(status=status, kind=kind, title=title, detail=detail, headers=named))


def wants_page(accept: str, fetch_mode: str) -> bool:
    """Return whether the response is for a person in a browser, not for a program."""
    return "text/html" in accept and fetch_mode in {"", "navigate"}
