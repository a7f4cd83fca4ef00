"""Make the content security policy of a page."""

from typing import Final

import structlog

from application.settings import Settings
from entrypoints.access import CSP_REPORTS
from entrypoints.base_path import BasePath
from entrypoints.ui.delivery.csp import Policy, SourceRefused, policy_of, stopped_by_policy
from entrypoints.ui.sdk import Page, PageRefused

log = structlog.get_logger()

ENDPOINT: Final = "violations"
"""The name of the reporting endpoint, in a page's CSP and in its Reporting-Endpoints header."""


def policy_of_page(page: Page, settings: Settings) -> Policy:
    """Raises PageRefused."""
    reporting = {"report-uri": (BasePath(settings.base_path).outside(CSP_REPORTS),)}
    # Chromium ignores Reporting-Endpoints over http, and it ignores report-uri if there is a report-to.
    if settings.is_https:
        reporting["report-to"] = (ENDPOINT,)
    try:
        return policy_of(page.demo, page.csp, reporting=reporting)
    except SourceRefused as error:
        raise PageRefused(f"The csp= of the page {page.title!r}: {error}.") from error


def warn_of_stopped(page: Page) -> None:
    """Log what a mounted page names and its policy stops."""
    for one in stopped_by_policy(page.demo):
        log.warning(
            "page names what its content security policy stops",
            page=page.title,
            directive=one.directive,
            source=one.source,
            why=one.reason,
        )
