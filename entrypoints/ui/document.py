"""Gradio's HTML page on its way out: our header in front of the app, and a nonce on every script within it."""

from collections.abc import Callable
from html import escape
from typing import Final
from urllib.parse import quote

from starlette.types import Message, Send

from domain.model.user import User

_DATA: Final = b">window.gradio_"
"""How the scripts begin that hold the author's texts."""

_ITS_OWN: Final = b' type="module" crossorigin src="./assets/'
"""How the script goes on that is Gradio's front end."""


class Document:
    """Collects a page, so that it leaves changed and with its right length."""

    def __init__(
        self,
        send: Send,
        *,
        first: str,
        header: str,
        nonce: str,
        policy: tuple[bytes, bytes],
        more: list[tuple[bytes, bytes]],
        seen: Callable[[bytes], bytes],
    ) -> None:
        """`first`: comes before any other script of the page. `policy`: what stands before and after the nonce in it.
        `more`: headers. `seen` makes of Gradio's page what the caller may see."""
        self._send = send
        self._first = first.encode()
        self._header = header.encode()
        self._nonce = nonce.encode("ascii")
        self._policy = self._nonce.join(policy)
        self._more = more
        self._seen = seen
        self._start: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body") or self._start is None:
            return
        if self._is_html():
            self._rewrite()
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": bytes(self._body)})

    def _is_html(self) -> bool:
        headers = dict(self._start["headers"]) if self._start else {}
        return bytes(headers.get(b"content-type", b"")).startswith(b"text/html")

    def _rewrite(self) -> None:
        assert self._start is not None  # noqa: S101 -- Only called once it is there.
        # Gradio writes every < of the app's own texts as \u003c or &lt;: what is opened here is a script of the page.
        nonce = b'<script nonce="%b"' % self._nonce
        page = _without_resizer(self._seen(bytes(self._body)))
        page = _with(self._header, page, within=b"<body")
        page = _with(self._first, page, within=b"<head").replace(b"<script", nonce)
        # A file of this service needs none, and what a browser has compiled of it is good only for the same nonce.
        page = page.replace(nonce + _ITS_OWN, b"<script" + _ITS_OWN)
        self._body = bytearray(page)
        headers = [(k, v) for k, v in self._start["headers"] if k.lower() != b"content-length"]
        headers += [
            (b"content-length", str(len(page)).encode()),
            (b"content-security-policy", self._policy),
            *self._more,
        ]
        self._start["headers"] = headers


def _with(text: bytes, page: bytes, *, within: bytes) -> bytes:
    """With the text as the first thing within a tag."""
    opening = page.find(within)
    after = page.find(b">", opening) + 1 if opening >= 0 else 0
    return page[:after] + text + page[after:]


def _without_resizer(page: bytes) -> bytes:
    """Gradio's script for pages in frames of other sites, which ours are not, listens to messages of anybody
    (ASVS 3.5.5)."""
    kept, *scripts = page.split(b"<script")
    for script in scripts:
        inside, end, after = script.partition(b"</script>")
        listens = b"iframeResizer.contentWindow" in inside and not inside.startswith(_DATA)
        kept += after if listens else b"<script" + inside + end + after
    return kept


def storage(*, owner: str, script: str) -> str:
    """The script that keeps the browser's storage to one account, `owner`."""
    return f'<script data-owner="{escape(owner)}">{script}</script>'


def header(
    *,
    project_name: str,
    user: User,
    links: list[tuple[str, str]],
    here: str,
    css: str,
    script: str,
) -> str:
    """The bar above every page: project, pages as (title, address), who is signed in, sign out."""
    items = "".join(
        f'<a href="{escape(address)}"{" aria-current=page" if address == here else ""}>{escape(title)}</a>'
        for title, address in links
    )
    home = links[0][1] if links else "/"
    return (
        f"<style>{css}</style><script>{script}</script>"
        f'<header class="gradioapp-bar"><a class="gradioapp-name" href="{escape(home)}">{escape(project_name)}</a>'
        f'<nav aria-label="Pages">{items}</nav>'
        f'<span class="gradioapp-who" data-account="{user.id}" title="{escape(user.email)}">{escape(user.name)}</span>'
        f'<a class="gradioapp-out" href="/logout?next={quote(here)}">Sign out</a></header>'
    )
