"""Respond to requests that need a session and have none: with the sign-in page, with a page for a frame, or with 401."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Scope

from domain.errors import (
    DomainError,
    SessionEnded,
    SessionExpired,
    SessionReplaced,
)
from entrypoints.access import Access
from entrypoints.base_path import BasePath
from entrypoints.web.cookies import Cookie
from entrypoints.web.errors import problem_of
from entrypoints.web.frames import SignedOutFrames
from entrypoints.web.next_page import safe_next, sign_in_address, sign_in_before, wanted_address
from entrypoints.web.origins import SAFE
from entrypoints.web.problems import Problem
from entrypoints.web.received_headers import is_for_a_person

SIGN_IN: Final = "/login"


class SignedOut:
    def __init__(self, *, cookie: Cookie, base: BasePath, frames: SignedOutFrames) -> None:
        self._cookie = cookie
        self._base = base
        self._frames = frames

    def sign_in_first(
        self, error: DomainError, rule: Access, scope: Scope, headers: Mapping[bytes, str]
    ) -> Problem:
        """Return a redirect to sign-in if a browser requests a page, and clear its invalid cookie. Keep the cookie of an
        expired session: with it, the next sign-in goes on with the browser's open tabs. Keep it too if only the proxy's
        header was refused. Otherwise, return 401 with the address of the sign-in page, and clear no cookie: a script's
        response may arrive late, when the browser already has a newer cookie."""
        has_cookie = self._cookie.is_in(headers.get(b"cookie", ""))
        if scope["method"] in {"GET", "HEAD"} and is_for_a_person(headers):
            has_ended = isinstance(error, SessionEnded) and not isinstance(error, SessionExpired)
            is_dead = b"cookie" in headers and has_ended
            forget = {"set-cookie": self._cookie.drop()} if is_dead else {}
            if self._frames.has(headers):
                return self._in_frame(scope, headers, forget)
            there = sign_in_address(scope["path"], scope.get("query_string", b""))
            return Problem(
                status=303, kind="see-other", title="", headers={"location": there, **forget}
            )
        problem = problem_of(error)
        return Problem(
            status=problem.status,
            kind=problem.kind,
            title=problem.title,
            detail=problem.detail,
            headers={"www-authenticate": "Bearer"} if rule.is_for_programs else {},
            members={
                "login": self._base.outside(SIGN_IN),
                "reason": _reason(error, has_cookie=has_cookie),
                **rule.refusal,
            },
        )

    def instead_of_sign_in(self, scope: Scope, headers: Mapping[bytes, str]) -> Problem | None:
        """Return the page for a frame that requests the sign-in page; None if no frame does."""
        is_sign_in = scope["path"] == SIGN_IN and scope["method"] in SAFE
        return self._in_frame(scope, headers) if is_sign_in and self._frames.has(headers) else None

    def _in_frame(
        self,
        scope: Scope,
        headers: Mapping[bytes, str],
        forget: Mapping[str, str] = MappingProxyType({}),
    ) -> Problem:
        """Return the page for a frame without a session."""
        path, query = scope["path"], scope.get("query_string", b"")
        if path == SIGN_IN:
            wanted = parse_qs(query.decode("latin-1")).get("next", [""])[-1]
            page = safe_next(wanted)
        else:
            page = wanted_address(path, query)
        return self._frames.problem(
            headers,
            sign_in=sign_in_before(page),
            page=self._base.without(page or "/"),
            forget=forget,
        )


def _reason(error: DomainError, *, has_cookie: bool) -> str:
    """Return why nobody is signed in, for the script of open pages."""
    if isinstance(error, SessionExpired):
        return "expired"
    if isinstance(error, SessionReplaced):
        return "replaced"
    if not isinstance(error, SessionEnded):
        return "refused"
    return "ended" if has_cookie else "signed out"
