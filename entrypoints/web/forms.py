"""Read the forms of our pages strictly, and only if we have rendered them for this browser and session (ASVS 3.5.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from domain.errors import SignedTokenRefused
from domain.model.session import Session
from entrypoints.web.dependencies import front, signed_in, visitor
from entrypoints.web.problems import refusal

TOKEN_FIELD: Final = "csrf_token"  # noqa: S105 -- The name of a field.
MOST_FIELDS: Final = 20

_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_BROWSER: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")


class FormUnreadable(Exception):
    """The body is not a form of ours, or a field is sent twice."""

    sentence = "The form could not be read. Please fill it in again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FormToken:
    """The token in a rendered form, and the cookie of the browser for which it is valid."""

    value: str
    cookie: str
    """A Set-Cookie header."""

    def bind(self, response: Response) -> Response:
        response.headers.append("set-cookie", self.cookie)
        return response


def new_form_token(request: Request, *, is_anonymous: bool = False) -> FormToken:
    """Make a token for a form. If the browser has an id, keep it, so that forms in its other tabs stay valid. The token is
    bound to the visitor's session. With `is_anonymous` it is bound to no session: the forms of sign-in and set-up also
    work if somebody has signed in with the browser's other tab meanwhile."""
    here = front(request)
    browser = _browser(request) or here.form_tokens.new_browser()
    value = here.form_tokens.offer(browser, None if is_anonymous else _session(request))
    return FormToken(value=value, cookie=here.cookies.form.set(browser))


def must_be_ours(request: Request, form: Mapping[str, str], *, is_anonymous: bool = False) -> None:
    """Raises SignedTokenRefused unless the form was rendered for this browser, and for the visitor's session or, with
    `is_anonymous`, for no session."""
    browser = _browser(request)
    if browser is None:
        raise SignedTokenRefused
    session = None if is_anonymous else _session(request)
    front(request).form_tokens.must_be_ours(form.get(TOKEN_FIELD, ""), browser, session)


def is_from_bar(request: Request, form: Mapping[str, str]) -> bool:
    """Return whether the form was rendered in the bar, for the session that sends it."""
    try:
        front(request).form_tokens.must_be_from_bar(
            form.get(TOKEN_FIELD, ""), signed_in(request).session
        )
    except SignedTokenRefused:
        return False
    return True


async def read_form(request: Request) -> dict[str, str]:
    """Return the form's fields. Raises FormUnreadable, and Refused for another content type."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != _FORM_TYPE:
        raise refusal(
            415, "unsupported-media-type", "Unsupported media type", f"Send {_FORM_TYPE}."
        )
    body = await request.body()
    if _BROKEN_ESCAPE.search(body):
        raise FormUnreadable
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise FormUnreadable from error
    form = dict(pairs)
    if len(form) < len(pairs):
        raise FormUnreadable
    return form


def _session(request: Request) -> Session | None:
    me = visitor(request)
    return None if me is None else me.session


def _browser(request: Request) -> str | None:
    cookie = front(request).cookies.form
    value = cookie.value_in("; ".join(request.headers.getlist("cookie")))
    return value if value and _BROWSER.fullmatch(value) else None
