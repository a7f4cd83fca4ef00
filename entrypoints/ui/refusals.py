"""Refuse pages that cannot be served, for the mount and for `gradioapp check`."""

from collections.abc import Sequence

from application.settings import Settings
from entrypoints.ui.apps.checks import inject_callers
from entrypoints.ui.apps.slugs import is_slug, slug_of
from entrypoints.ui.delivery.page_policy import policy_of_page
from entrypoints.ui.sdk import Page, PageRefused


def must_be_servable(page: Page, settings: Settings) -> None:
    """Inject the caller into the page's functions, which a mount does too. Raises PageRefused."""
    slug(page)
    inject_callers(page.demo)
    policy_of_page(page, settings)


def paths_of(pages: Sequence[Page], settings: Settings) -> list[str]:
    """Return the paths of pages below the HomePage. Raises PageRefused if two pages have the same."""
    paths = [f"{settings.ui_path}/{slug(page)}" for page in pages]
    if len(set(paths)) < len(paths):
        raise PageRefused(f"Two pages have the same address: {', '.join(paths)}. Give one a path=.")
    return paths


def slug(page: Page) -> str:
    """Raises PageRefused."""
    name = page.path or slug_of(page.title)
    if not is_slug(name):
        raise PageRefused(
            f"The page {page.title!r} needs another path= than {name!r}: lower-case letters, digits and '-'."
        )
    return name
