"""Render the bar above every Gradio page: a link to the HomePage, the menu of apps, and the account menu."""

from collections.abc import Collection, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from domain.model.user import User
from entrypoints import looks
from entrypoints.base_path import BasePath

_CSS: Final = Path(__file__).with_name("bar.css")
_USED: Final = (
    "paper",
    "card",
    "ink",
    "soft",
    "line",
    "accent",
    "accent-strong",
    "on-accent",
    "field-line",
    "link",
    "hint-paper",
    "shadow",
)
_MORE: Final = (
    '<svg width="12" height="12" viewBox="0 0 12 12" fill="none" stroke="currentColor" stroke-width="1.6" '
    'aria-hidden="true"><path d="M2.5 4.5 6 8l3.5-3.5"/></svg>'
)
_ENDING: Final = (
    '<dialog role="dialog" aria-modal="true" aria-labelledby="ending" aria-describedby="ending-why" closedby="none" tabindex="-1">'
    '<div id="ending"><h2 data-in="ended">Your session has ended</h2>'
    '<h2 data-in="lost" hidden>You are signed in again</h2></div>'
    '<div id="ending-why"><p data-in="ended">Sign in again to go on. Everything that you have typed is still on this page.</p>'
    '<p data-in="lost" hidden>Your session ended too long ago, or was ended on purpose. So the app no longer remembers this page: '
    "earlier results that it builds on, and parts of the page that it made for you. "
    "Everything that you have typed is still here.</p></div>"
    '<div class="actions"><button type="button" class="main" data-in="ended" data-sign-in>Sign in</button>'
    '<p role="status" data-hint></p>'
    '<a target="_blank" rel="noopener" data-link hidden>Sign in in a new tab</a>'
    '<button type="button" class="main" data-in="lost" data-go-on hidden>Go on here</button>'
    '<button type="button" data-in="lost" data-reload hidden>Load the page anew</button></div></dialog>'
)
"""The dialog for `ending.js`: each part is for one state, `data-in`."""
_OFFER: Final = '<div popover="manual" data-offer><p role="status"></p><button type="button">Stay signed in</button></div>'
"""The notice for `activity.js`."""
_LOGO: Final = looks.LOGO.replace("<svg ", '<svg width="26" height="26" aria-hidden="true" ', 1)


def bar(
    *,
    project_name: str,
    user: User,
    links: Sequence[tuple[str, str]],
    framed: Collection[str],
    here: str,
    base: BasePath,
    is_ours: bool,
    sign_out_token: str,
    script: str,
) -> str:
    """Return the bar and the page's script. `links` are titles and addresses of the pages, the HomePage first. `framed` are
    the addresses of those that may be shown in every frame that may show this page; in a frame, `session.js` lets the other
    links open a new tab. `here` is the address of this page. `is_ours` gives the bar the width of our own pages. The bar is in a shadow root, so that styles of
    the app do not affect it."""
    home = links[0][1] if links else base.outside("/")
    has_pages = len(links) > 1
    kind = f"gradioapp-bar{' has-pages' if has_pages else ''}{' ours' if is_ours else ''}"
    return (
        f"<style>{_around()}</style><script>{script}</script>"
        f'<gradioapp-bar data-account="{user.id}" data-base="{escape(base.path)}" data-here="{escape(here)}"><template shadowrootmode="open"><style>{_style()}</style>'
        f'<header class="{kind}">'
        f'<a class="name" href="{escape(home)}">{_LOGO}<span>{escape(project_name)}</span></a>'
        f'<nav aria-label="Pages">{_pages(links, framed, here) if has_pages else ""}</nav>'
        f"{_account(user, home, base.outside('/logout'), sign_out_token)}"
        f"</header>{_ENDING}{_OFFER}</template></gradioapp-bar>"
    )


def _pages(links: Sequence[tuple[str, str]], framed: Collection[str], here: str) -> str:
    home, *apps = links
    title = next((title for title, address in apps if address == here), "Apps")
    items = "".join(
        f'<a href="{escape(address)}"{" data-framed" if address in framed else ""}'
        f"{' aria-current=page' if address == here else ''}>{escape(title)}</a>"
        for title, address in (home, *apps)
    )
    return (
        '<button class="pages" popovertarget="pages"><span class="unseen">Pages:</span>'
        f'<span class="here">{escape(title)}</span>{_MORE}</button>'
        f'<div id="pages" popover>{items}</div>'
    )


def _account(user: User, home: str, sign_out: str, sign_out_token: str) -> str:
    name = escape(user.name)
    return (
        '<button class="account" popovertarget="account"><span class="unseen">Account menu of</span>'
        f'<span class="initial" aria-hidden="true" data-initial>{escape(user.name[:1].upper())}</span>'
        f'<span class="gradioapp-who" title="{escape(user.email)}" data-name>{name}</span>{_MORE}</button>'
        '<div id="account" popover>'
        f'<p class="who"><strong data-name>{name}</strong><span>{escape(user.email)}</span></p>'
        f'<a href="{escape(home)}?tab=account">Account</a><a href="{escape(home)}?tab=sessions">Sessions</a>'
        f'<form method="post" action="{escape(sign_out)}">'
        f'<input type="hidden" name="csrf_token" value="{escape(sign_out_token)}">'
        "<button>Sign out</button></form></div>"
    )


@cache
def _around() -> str:
    """Return the rules outside the shadow root: the colours, and the place of a gr.Sidebar below the bar. The colours
    follow the `dark` class that Gradio sets on the body, and before that the browser's preference."""
    light, dark = (
        looks.properties({name: of[name] for name in _USED}, after="!important")
        for of in (looks.LIGHT, looks.DARK)
    )
    light, dark = f"--scheme:light!important;{light}", f"--scheme:dark!important;{dark}"
    return (
        f"gradioapp-bar{{{light}}}body.dark gradioapp-bar{{{dark}}}"
        f"@media(prefers-color-scheme:dark){{body:not(:has(.gradio-container)) gradioapp-bar{{{dark}}}}}"
        "body:has(.sidebar){--gradioapp-bar-position:sticky}"
        ".gradio-container .sidebar.sidebar{top:var(--gradioapp-bar-height,0px);"
        "height:calc(100% - var(--gradioapp-bar-height,0px))}"
    )


@cache
def _style() -> str:
    return _CSS.read_text()
