"""Read browsers' reports of CSP violations, and log what an author may add to the page's policy."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

AGAIN_AFTER: Final = 3600.0
"""Seconds until the same violation is logged again."""
MOST_PER_PERSON: Final = 20
"""Lines per account within AGAIN_AFTER."""
MOST: Final = 100
"""Lines within AGAIN_AFTER, because anybody with a session can forge reports."""

_PLAIN: Final = (
    *("base-uri", "child-src", "connect-src", "default-src", "font-src", "form-action"),
    *("frame-ancestors", "frame-src", "img-src", "manifest-src", "media-src", "object-src"),
    *("script-src", "style-src", "worker-src"),
)
_DIRECTIVES: Final = {
    **{name: name for name in _PLAIN},
    **dict.fromkeys(("script-src-elem", "script-src-attr"), "script-src"),
    **dict.fromkeys(("style-src-elem", "style-src-attr"), "style-src"),
}
"""Maps a browser's name of a directive to its name in a policy."""
_WORDS: Final = {
    "eval": "'unsafe-eval'",
    "wasm-eval": "'wasm-unsafe-eval'",
    "data": "data:",
    "blob": "blob:",
    "self": "'self'",
}
_PATH: Final = re.compile(r"/[!-~]{0,199}", re.ASCII)
_ORIGIN: Final = re.compile(
    r"(https?|wss?)://([a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?"
)
_LOOPBACK: Final = re.compile(r"(http|ws)://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")

log = structlog.get_logger()


class Unreadable(ValueError):
    """The body is not a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """The parts of a report that are safe to log: known names, origins and paths. No queries and no samples (ASVS
    16.2.5), and no characters that could end a log line (ASVS 16.4.1)."""

    page: str
    directive: str
    blocked: str

    @property
    def add(self) -> str:
        """Return what the page's author may add to csp=, or should do instead."""
        if self.directive == "base-uri":
            return "nothing: the base of a page cannot be changed"
        if self.blocked == "self" and self.directive in {"script-src", "worker-src"}:
            return "nothing: files of an app cannot be scripts; put the script into Blocks(head=…)"
        if self.blocked == "inline" or (self.directive, self.blocked) == ("script-src", "data"):
            return "nothing: put the script into Blocks(head=…), an event handler into js_on_load="
        source = _WORDS.get(self.blocked, self.blocked)
        if source.startswith(("http://", "ws://")) and not _LOOPBACK.fullmatch(source):
            return "nothing: load it over https"
        return f'csp={{"{self.directive}": "{source}"}}'


@dataclass(slots=True, kw_only=True)
class Violations:
    """Logs each violation once per AGAIN_AFTER, within the limits. Remembers only as many as may be logged."""

    now: Callable[[], float] = time.monotonic
    _began: float = -AGAIN_AFTER
    _told: set[Violation] = field(default_factory=set)
    _by_person: Counter[str] = field(default_factory=Counter)

    def tell(self, violation: Violation, *, user_id: str) -> None:
        if self.now() - self._began >= AGAIN_AFTER:
            self._began = self.now()
            self._told.clear()
            self._by_person.clear()
        if violation in self._told or self._by_person[user_id] >= MOST_PER_PERSON:
            return
        if len(self._told) >= MOST:
            return
        self._told.add(violation)
        self._by_person[user_id] += 1
        log.warning(
            "page stopped by its content security policy",
            page=violation.page,
            directive=violation.directive,
            blocked=violation.blocked,
            add=violation.add,
            user_id=user_id,
        )


def reported(body: bytes, *, host: str) -> Iterator[Violation]:
    """Yield the violations of our own pages at `host`, a name with its port. Reads both formats: a single
    `csp-report`, and a list of the Reporting API. Raises Unreadable."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable from error
    if isinstance(told, dict) and isinstance(told.get("csp-report"), dict):
        return _violations([told["csp-report"]], host)
    if isinstance(told, list):
        ours = [one for one in told if isinstance(one, dict) and one.get("type") == "csp-violation"]
        return _violations([one.get("body") for one in ours], host)
    raise Unreadable


def _violations(bodies: list[Any], host: str) -> Iterator[Violation]:
    for body in bodies:
        if not isinstance(body, dict):
            continue
        page = _page(_text(body, "document-uri", "documentURL"), host)
        directive = _DIRECTIVES.get(
            _text(body, "effective-directive", "effectiveDirective", "violated-directive")
        )
        blocked = _blocked(_text(body, "blocked-uri", "blockedURL"), host)
        if page and directive and blocked:
            yield Violation(page=page, directive=directive, blocked=blocked)


def _text(body: dict[str, Any], *names: str) -> str:
    found = next((body[name] for name in names if name in body), "")
    return found if isinstance(found, str) else ""


def _page(url: str, host: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_ours = parts.netloc.lower() == host.lower() and _PATH.fullmatch(parts.path)
    return parts.path if is_ours else ""


def _blocked(url: str, host: str) -> str:
    if url == "inline" or url in _WORDS:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme in {"data", "blob"}:
        return parts.scheme
    if parts.netloc.lower() == host.lower():
        return "self"
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
    return origin if _ORIGIN.fullmatch(origin) else ""
