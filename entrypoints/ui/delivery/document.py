"""Add our bar to Gradio's HTML pages, and a nonce to every script in them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial
from html import escape
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from application.use_cases import BrowserStorage
from domain.model.caller import SignedIn
from domain.model.session import Session
from domain.model.user import User
from entrypoints.base_path import BasePath
from entrypoints.ui.delivery.api_description import ApiDescription
from entrypoints.ui.delivery.bar import bar
from entrypoints.ui.delivery.browser_storage import BrowserStates
from entrypoints.ui.delivery.csp import PagePolicy
from entrypoints.ui.delivery.front_end import assets_folder
from entrypoints.ui.wire.exchange import Exchange, held_response, origin_of

_DATA: Final = b">window.gradio_"
"""The beginning of the scripts that contain the author's texts."""

_SCRIPTS: Final = ("ending.js", "activity.js", "streams.js", "session.js")
"""Each may use those before it."""

_LARGE: Final = 1024 * 1024
"""Bytes of a page above which a thread adds to it."""

_GRADIOS: Final = b'="./assets/'
"""The beginning of the addresses of Gradio's script and style sheet. Gradio writes each quotation mark in the app's own texts as
\\" or &#34;."""
_ITS_OWN: Final = b' type="module" crossorigin src="./assets/'
"""The attributes of the script that loads Gradio's front end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Serves the HTML pages of one app."""

    gradio: ASGIApp
    description: ApiDescription
    browser_states: BrowserStates
    browser_storage: BrowserStorage
    project_name: str
    links_for: Callable[[User], list[tuple[str, str]]]
    """Returns titles and addresses of the pages in the bar."""
    framed_too: Callable[[], Collection[str]]
    """Returns the addresses of the pages that may be shown in every frame that may show this page."""
    here: str
    """The address of the app's own page."""
    base: BasePath
    is_ours: bool
    """True for pages that are part of the service: they are narrower than apps."""
    refresher: str
    """A script that reloads the page when the service has started again, or an empty text."""
    sign_out_token: Callable[[Session], str]
    """Returns the token for the sign-out form in the bar."""
    opened: Callable[[SignedIn, str], Awaitable[None]] | None
    """Called with the caller and the app's address after a page was sent."""
    policy: PagePolicy
    headers: Sequence[tuple[bytes, bytes]]
    """Sent with each page."""
    new_nonce: Callable[[], str]

    async def respond(self, exchange: Exchange) -> None:
        """Send Gradio's page with our bar, the caller's API description and storage keys, and a CSP with a new
        nonce."""
        # Gradio does not compress its pages.
        held = await held_response(self.gradio, exchange.scope)
        if held.header(b"content-type").startswith(b"text/html"):
            nonce = self.new_nonce().encode("ascii")
            dress = partial(self._dressed, bytes(held.body), exchange.signed_in, nonce)
            # A link may bring a page of 8 MB, which is copied ten times.
            is_large = len(held.body) > _LARGE
            held.rewrite(await asyncio.to_thread(dress) if is_large else dress())
            policy = nonce.join(self.policy.at(origin_of(exchange.scope)))
            held.headers += [(b"content-security-policy", policy), *self.headers]
        await held.send_to(exchange.send)
        is_opened = held.status == 200 and exchange.scope["method"] == "GET"
        if is_opened and self.opened is not None:
            await self.opened(exchange.signed_in, self.here)

    def _dressed(self, page: bytes, signed_in: SignedIn, nonce: bytes) -> bytes:
        user = signed_in.user
        # Gradio writes every < in the app's own texts as \u003c or &lt;, so each <script here is a script of the page.
        with_nonce = b'<script nonce="%b"' % nonce
        page = self.description.in_page(page, roles=user.roles)
        page = _without_resizer(self.browser_states.in_text(page, user_id=user.id))
        page = _with(self._bar(signed_in), page, within=b"<body")
        page = _with(self.refresher.encode(), page, within=b"<head")
        page = _with(self._storage(user), page, within=b"<head").replace(b"<script", with_nonce)
        # The CSP allows this service's files without a nonce, and browsers reuse a compiled script only with an equal
        # nonce.
        page = page.replace(with_nonce + _ITS_OWN, b"<script" + _ITS_OWN)
        return page.replace(_GRADIOS, b'="./%b/' % assets_folder().encode())

    def _bar(self, signed_in: SignedIn) -> bytes:
        return bar(
            project_name=self.project_name,
            user=signed_in.user,
            links=self.links_for(signed_in.user),
            framed=self.framed_too(),
            here=self.base.outside(self.here),
            base=self.base,
            is_ours=self.is_ours,
            sign_out_token=self.sign_out_token(signed_in.session),
            script="".join(map(_read, _SCRIPTS)),
        ).encode()

    def _storage(self, user: User) -> bytes:
        owner = self.browser_storage.owner(user.id)
        return storage(owner=owner, base=self.base.path, script=_read("storage.js")).encode()


@cache
def _read(name: str) -> str:
    """Return the text of a file in this folder. These files are inlined in the page, because further requests would
    delay its first rendering."""
    return Path(__file__).with_name(name).read_text()


def _with(text: bytes, page: bytes, *, within: bytes) -> bytes:
    """Insert the text right after the opening tag that starts with `within`."""
    opening = page.find(within)
    after = page.find(b">", opening) + 1 if opening >= 0 else 0
    return page[:after] + text + page[after:]


def _without_resizer(page: bytes) -> bytes:
    """Remove Gradio's iframe-resizer script, which accepts messages from any origin (ASVS 3.5.5). It is only needed for
    pages in frames of other sites."""
    kept, *scripts = page.split(b"<script")
    for script in scripts:
        inside, end, after = script.partition(b"</script>")
        listens = b"iframeResizer.contentWindow" in inside and not inside.startswith(_DATA)
        kept += after if listens else b"<script" + inside + end + after
    return kept


def storage(*, owner: str, base: str, script: str) -> str:
    """Return the script that keeps the browser's storage to one account, `owner`. `base` is the path below which the
    service shares its host with others."""
    return f'<script data-owner="{escape(owner)}" data-base="{escape(base)}">{script}</script>'
