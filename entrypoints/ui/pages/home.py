"""The HomePage: a greeting, what is new, the user's apps, a note, and the tabs for account, sessions and users."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Final

import gradio as gr

from entrypoints.ui.calls.call import Call, OfferedApp, current_call
from entrypoints.ui.pages import account, last_used, sessions, users, visits
from entrypoints.ui.pages.text import device, hello, moment, plain
from entrypoints.ui.pages.theme import our_looks
from entrypoints.ui.pages.visits import Visit
from entrypoints.ui.sdk import Page, State, current_session, current_user, injected

NOTE = "note"
TABS: Final = frozenset({"home", "account", "sessions", "users"})
"""The tabs that links can open, as in `?tab=account`."""

_NO_APPS: Final = '<p class="none">There is no app for you yet. An admin can give you the role that one needs.</p>'
_ADD_ONE: Final = (
    '<p class="none">This example disappears once there is an app of your own: '
    "<code>gradioapp serve --app FILE.py:NAME</code></p>"
)

Greeting = tuple[str, str, gr.Markdown, str, gr.Textbox, gr.Tabs]


async def greet(request: gr.Request, *, state: State = injected) -> Greeting:
    """Note the visit. Return the greeting, what is new, the cards, the note of this session, now editable, and the tab
    that the page's address names."""
    call = current_call()
    apps = call.offered(call.signed_in.user)
    visit = _visit(call, state, apps)
    news = await _news(call, visit, apps)
    return (
        hello(current_user().name),
        _since(visit, has_news=bool(news)),
        gr.Markdown(value=news, visible=bool(news)),
        _cards(
            apps,
            last_used.used_at(state.get(last_used.KEY)),
            visit,
            link=call.base.outside,
            may_add=call.signed_in.user.is_admin,
        ),
        gr.Textbox(value=current_session().data.get(NOTE, ""), interactive=True),
        _tab(request),
    )


def _visit(call: Call, state: State, apps: Sequence[OfferedApp]) -> Visit:
    if call.signed_in.token is not None:  # A program is no visitor.
        return visits.visit_of(state.get(visits.KEY))
    now = call.signed_in.session.seen_at
    addresses, roles = [app.address for app in apps], sorted(call.signed_in.user.roles)
    kept = state.update(
        visits.KEY, lambda kept: visits.visited(kept, now=now, apps=addresses, roles=roles)
    )
    return visits.visit_of(kept)


def _tab(request: gr.Request) -> gr.Tabs:
    wanted = str(request.query_params.get("tab", ""))
    return gr.Tabs(selected=wanted) if wanted in TABS else gr.Tabs()


def _since(visit: Visit, *, has_news: bool) -> str:
    if visit.since is None:
        return "Welcome. This is your first visit."
    nothing = "" if has_news else " Nothing is new since then."
    return f"Your last visit was on {moment(visit.since)}.{nothing}"


async def _news(call: Call, visit: Visit, apps: Sequence[OfferedApp]) -> str:
    """Return what is new since the last visit, in Markdown. Return an empty text for the first visit."""
    if visit.since is None or call.signed_in.token is not None:
        return ""
    lines = [f"There is a new app: {plain(app.title)}." for app in apps if _is_new(app, visit)]
    roles = call.signed_in.user.roles
    if visit.known_roles is not None:
        lines += [f"You have the role {plain(r)}." for r in sorted(roles - visit.known_roles)]
        lines += [
            f"You no longer have the role {plain(r)}." for r in sorted(visit.known_roles - roles)
        ]
    lines += await _sign_ins(call, visit.since)
    if not lines:
        return ""
    return "\n".join(["## New since your last visit", "", *(f"- {line}" for line in lines)])


async def _sign_ins(call: Call, since: datetime) -> Sequence[str]:
    me = call.signed_in
    live = await call.use_cases.list_sessions(call.caller, me.user.id)
    return [
        f"Signed in on another device: {plain(device(one.device.agent))} at {plain(one.device.address)}, "
        f"{moment(one.created_at)}. Not you? End it in the tab Sessions, and change your password."
        for one in live
        if one.id != me.session.id and one.created_at > since
    ]


def _is_new(app: OfferedApp, visit: Visit) -> bool:
    return visit.known_apps is not None and app.address not in visit.known_apps


def _cards(
    apps: Sequence[OfferedApp],
    used: Mapping[str, datetime],
    visit: Visit,
    *,
    link: Callable[[str], str],
    may_add: bool,
) -> str:
    """Return the cards as HTML in one line: Markdown would end the HTML at an empty line. `link` returns an address as
    the browser knows it."""
    if not apps:
        return f"## Your apps\n\n{_NO_APPS}"
    cards = "".join(
        _card(app, link(app.address), used.get(app.address), is_new=_is_new(app, visit))
        for app in apps
    )
    below = f"\n\n{_ADD_ONE}" if may_add and all(app.is_example for app in apps) else ""
    return f'## Your apps\n\n<ul class="apps">{cards}</ul>{below}'


def _card(app: OfferedApp, link: str, used: datetime | None, *, is_new: bool) -> str:
    label = "Example" if app.is_example else "New" if is_new else ""
    badge = f'<span class="badge">{label}</span>' if label else ""
    about = f'<span class="about">{_html(app.description)}</span>' if app.description else ""
    last = "Not used yet" if used is None else f"Last used {moment(used)}"
    return (
        f'<li><a href="{escape(link)}"><span class="title">{_html(app.title)}{badge}</span>'
        f'{about}<span class="used">{last}</span></a></li>'
    )


def _html(text: str) -> str:
    return escape(" ".join(text.split()))


async def keep_note(note: str) -> str:
    current_session().data[NOTE] = note
    return "Kept until you sign out." if note else "Nothing is kept."


def build() -> Page:
    with (
        gr.Blocks(title="Home", analytics_enabled=False) as demo,
        gr.Tabs(selected="home") as tabs,
    ):
        with gr.Tab("Home", id="home"):
            with gr.Column(elem_classes="greeting"):
                greeting = gr.Markdown("# Hello")
                since = gr.Markdown(elem_classes="since")
            news = gr.Markdown(visible=False, elem_classes="news")
            # Gradio's sanitizer would open each link in a tab of its own; _html escapes the texts.
            apps = gr.Markdown(latex_delimiters=[], sanitize_html=False)
            note = gr.Textbox(
                label="Note",
                lines=4,
                max_length=10_000,
                interactive=False,
                info="Yours alone, and kept for this sign-in.",
            )
            with gr.Row(elem_classes="acts"):
                keep = gr.Button("Keep", variant="primary", scale=0)
                kept = gr.Markdown()
            gr.on(
                [keep.click, note.blur],
                keep_note,
                note,
                kept,
                api_name="keep_note",
                show_progress="hidden",
            )
            demo.load(
                greet,
                None,
                [greeting, since, news, apps, note, tabs],
                api_name="greet",
                show_progress="hidden",
            )
        with gr.Tab("Account", id="account"):
            account.tab(demo, greeting)
        with gr.Tab("Sessions", id="sessions") as devices:
            sessions.tab(devices)
        with gr.Tab("Users", id="users", visible=False) as people:
            users.tab(demo, people)
    return Page(demo=demo, title="Home", looks=our_looks())
