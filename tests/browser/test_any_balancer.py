"""Apps whose every request goes to the next of three replicas, with Gradio's own client and in a real browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.browser.test_apps import (
    BY_CLIENT,
    IN_BROWSER,
    NewBrowser,
    Served,
    named_apps,
    works_by_client,
    works_in_browser,
    writes_inputs,
)
from tests.replicas import JOHN, round_robin
from tests.servers import FreshDatabase, session_of

TRIED: Final = (
    sorted(IN_BROWSER)
    if os.environ.get("TEST_ALL_APPS")
    else ["chat", "events", "files", "rendered", "states", "streams"]
)
"""One app for each kind of request that needs Gradio's memory. TEST_ALL_APPS=1 tries all of them."""


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgres: FreshDatabase
) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("replicas")
    with round_robin(3, fresh_postgres(), folder, *named_apps()) as site:
        yield Served(site.origin, session_of(site.origin, JOHN), writes_inputs(folder))


@pytest.mark.server
@pytest.mark.parametrize("app", sorted(BY_CLIENT))
def test_an_app_works_with_gradios_own_client(app: str, served: Served, tmp_path: Path) -> None:
    works_by_client(app, served, tmp_path)


@pytest.mark.browser
@pytest.mark.parametrize("app", TRIED)
def test_an_app_works_in_the_browser(app: str, served: Served, new_browser: NewBrowser) -> None:
    works_in_browser(app, served, new_browser)
