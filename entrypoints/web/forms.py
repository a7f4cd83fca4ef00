"""Forms of our pages: read strictly, and only when rendered by us for this browser (ASVS 3.5.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from domain.errors import TokenRefused
from entrypoints.web.front import front
from entrypoints.web.problems import refusal

TOKEN_FIELD: Final = "csrf_token"  # noqa: S105 -- The name of a field.
MOST_FIELDS: Final = 20

_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_BROWSER: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")


class FormUnreadable(Exception):
    """Bytes that are no form of ours, or a field sent twice."""

    sentence = "The form could not be read. Please fill it in again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FormToken:
    """What a rendering carries: the token, and the browser it is good for."""

    value: str
    cookie: str

    def bind(self, answer: Response) -> Response:
        answer.headers.append("set-cookie", self.cookie)
        return answer


def new_token(request: Request) -> FormToken:
    """For a browser that has an id, another token for the same id: its other tabs keep working."""
    here = front(request)
    browser = _browser(request) or here.app.form_tokens.new_browser()
    return FormToken(
        value=here.app.form_tokens.offer(browser), cookie=here.cookies.form.set(browser)
    )


def must_be_ours(request: Request, form: Mapping[str, str]) -> None:
    """Raises TokenRefused."""
    browser = _browser(request)
    if browser is None:
        raise TokenRefused
    front(request).app.form_tokens.must_be_ours(form.get(TOKEN_FIELD, ""), browser)


async def read_form(request: Request) -> dict[str, str]:
    """Raises FormUnreadable, and Refused for another content type."""
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


def _browser(request: Request) -> str | None:
    cookie = front(request).cookies.form
    value = cookie.value_in("; ".join(request.headers.getlist("cookie")))
    return value if value and _BROWSER.fullmatch(value) else None
