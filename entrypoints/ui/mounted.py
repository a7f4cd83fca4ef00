"""Mounted pages, and the memory and limits that all of them share."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from application.settings import Settings
from domain.model.user import User
from entrypoints.access import Access
from entrypoints.base_path import BasePath
from entrypoints.ui.addresses import Addresses
from entrypoints.ui.calls.call import OfferedApp
from entrypoints.ui.calls.running import RunningEvents
from entrypoints.ui.delivery.assets import Assets
from entrypoints.ui.files.app_files import AppFiles
from entrypoints.ui.files.claims import Claims
from entrypoints.ui.files.private_places import PrivatePlaces
from entrypoints.ui.isolation.accounts import Accounts
from entrypoints.ui.isolation.kept_inputs import Held, Holdings
from entrypoints.ui.isolation.tab_names import session_in
from entrypoints.ui.queueing.event_time import EventTimes
from entrypoints.ui.queueing.threads import Threads
from entrypoints.ui.sdk import Page


def framers_of(page: Page) -> Sequence[str]:
    """Return the sources of the sites that may show the page in a frame."""
    named = page.csp.get("frame-ancestors", ())
    return [named] if isinstance(named, str) else list(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A page at its address."""

    page: Page
    path: str
    """The mount's path, without a trailing slash."""
    addresses: Addresses
    files: AppFiles
    restore_buttons: Callable[[], None]
    """Let the app's gr.LoginButtons do again what Gradio lets them do."""

    def is_for(self, user: User) -> bool:
        roles = self.addresses.rules.roles
        return not roles or not roles.isdisjoint(user.roles)


@dataclass(frozen=True, kw_only=True)
class UI:
    """All mounted pages of one service."""

    settings: Settings
    claims: Claims
    private: PrivatePlaces
    times: EventTimes
    """What the events of authors' apps take."""
    threads: Threads
    pages: list[Mounted] = field(default_factory=list)
    """In the order of the navigation; the first is the HomePage."""
    assets: Assets = field(default_factory=Assets)
    accounts: Accounts = field(default_factory=Accounts)
    holdings: Holdings = field(default_factory=Holdings)
    running: RunningEvents = field(default_factory=RunningEvents)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the service is about to stop; no event begins any more."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server shuts down; open streams end then."""

    def access(self, method: str, path: str) -> Access:
        """Return the access rules of an address. Below a name that no page has, the rules are those below an existing
        page, so that strangers see no difference."""
        below = path[len(self.settings.ui_path) :]
        name, slash, rest = below[1:].partition("/")
        mounted = self._by_slug.get(name)
        if mounted is not None and slash:
            return mounted.addresses.access(method, f"/{rest}")
        home = self.pages[0].addresses
        asked = home.access(method, below)
        if mounted is not None:  # The redirect to its slash, which a frame follows.
            to_page = mounted.addresses.rules
            asked = replace(asked, may_be_framed=bool(to_page.framers), framers=to_page.framers)
        return home.access_to_no_page(method, f"/{rest}") if asked.who == "nobody" else asked

    def held_by(self, tab: str) -> Held | None:
        """Return what is kept in memory for the account that owns a tab. None for a tab of nobody."""
        session_id = session_in(tab)
        user_id = None if session_id is None else self.accounts.user_of(session_id)
        return None if user_id is None else self.holdings.of(user_id)

    def links_for(self, user: User) -> list[tuple[str, str]]:
        """Return titles and links of the pages that this user may open."""
        link = self.base.outside
        return [(m.page.title, link(f"{m.path}/")) for m in self.pages if m.is_for(user)]

    def apps_for(self, user: User) -> Sequence[OfferedApp]:
        """Return the pages except the HomePage that this user may open."""
        return [
            OfferedApp(
                title=mounted.page.title,
                address=f"{mounted.path}/",
                description=mounted.page.description,
                is_example=mounted.page.is_example,
            )
            for mounted in self.pages[1:]
            if mounted.is_for(user)
        ]

    def start_for(self, user: User) -> str:
        """Return the address of the page to which `/` and a sign-in lead: the only app of a user who has nothing else
        to see, otherwise the HomePage."""
        apps = [app for app in self.apps_for(user) if not app.is_example]
        has_one = len(apps) == 1 and not user.is_admin
        return apps[0].address if has_one else f"{self.settings.ui_path}/"

    def page_at(self, path: str, user: User) -> str | None:
        """Return the address of the app that a path belongs to, or None if there is none that this user may open."""
        name, slash, _ = path.removeprefix(f"{self.settings.ui_path}/").partition("/")
        mounted = self._by_slug.get(name) if slash else None
        return f"{mounted.path}/" if mounted is not None and mounted.is_for(user) else None

    def scopes_of(self, provider: str) -> Collection[str]:
        """Return what the pages need of a provider. Sign-in there asks for it, whichever page it leads to: a person would
        otherwise sign in again for the next page."""
        return {scope for mounted in self.pages for scope in mounted.page.scopes.get(provider, ())}

    def is_spared(self, place: str) -> bool:
        """Return whether the file at this place in Gradio's folder belongs to an app; the clean-up never removes it."""
        return any(mounted.files.is_spared(place) for mounted in self.pages)

    @property
    def framers(self) -> Sequence[str]:
        """Return the sources of all sites whose frames may show one of the pages."""
        each = [source for mounted in self.pages for source in framers_of(mounted.page)]
        return list(dict.fromkeys(each))

    def framed_like(self, framers: Collection[str]) -> Collection[str]:
        """Return the links of the pages that all these sites may show in a frame. Without a site, there is no frame."""
        wanted = frozenset(framers)
        return {
            self.base.outside(f"{mounted.path}/")
            for mounted in self.pages
            if wanted and wanted <= frozenset(framers_of(mounted.page))
        }

    @cached_property
    def base(self) -> BasePath:
        return BasePath(self.settings.base_path)

    @cached_property
    def _by_slug(self) -> Mapping[str, Mounted]:
        return {mounted.path.rpartition("/")[2]: mounted for mounted in self.pages[1:]}
