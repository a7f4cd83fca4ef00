"""What is answered instead of what was asked for: a problem document of RFC 9457, or for a person a page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

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
    """More members of the document."""

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
        # ASCII, since what a client sent may hold what UTF-8 cannot carry.
        return json.dumps(members, separators=(",", ":")).encode("ascii")


class Refused(Exception):
    """The gate turns a request away."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.title)


def refusal(status: int, kind: str, title: str, detail: str = "", **headers: str) -> Refused:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refused(Problem(status=status, kind=kind, title=title, detail=detail, headers=named))


def wants_page(accept: str, fetch_mode: str) -> bool:
    """Whether a person is going to look at the answer, rather than a program."""
    return "text/html" in accept and fetch_mode in {"", "navigate"}
