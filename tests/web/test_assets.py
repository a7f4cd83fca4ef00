"""Styles, icons, the manifest and the probes."""

from dataclasses import replace

import httpx
import pytest

from adapters.memory.news import NoNews
from application.use_cases import UseCases
from domain.errors import StoreUnavailable
from domain.ports.unit_of_work import Store
from tests.web.conftest import Door, MakeDoor

FILES = ["style.css", "icon.svg", "icon-192.png", "favicon.ico"]


class Behind(Store):
    """A database with a pending migration, or one that is unavailable."""

    def __init__(self, *, is_there: bool) -> None:
        self._is_there = is_there

    async def ping(self) -> None:
        if not self._is_there:
            raise StoreUnavailable("postgresql://app:hunter2@db/app")

    async def pending_migrations(self) -> tuple[str, ...]:
        return ("0002",)

    async def is_too_new(self) -> bool:
        return False


async def test_a_static_file_is_cached_and_revalidated_by_its_etag(
    browser: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for name in FILES:
        with subtests.test(name=name):
            first = await browser.get(f"/static/{name}")
            again = await browser.get(
                f"/static/{name}", headers={"if-none-match": first.headers["etag"]}
            )

            assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
            assert first.headers["cache-control"] == "public, max-age=300"


async def test_a_static_file_with_its_version_is_immutable(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/login")).text
    start = page.index("/static/style.css?v=")
    versioned = await browser.get(page[start : page.index('"', start)])
    other = await browser.get("/static/style.css?v=other")

    assert versioned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert other.headers["cache-control"] == "public, max-age=300"


async def test_a_missing_static_file_is_not_cached(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/static/nothing.css")

    assert (answer.status_code, answer.headers["cache-control"]) == (404, "private, no-store")


async def test_the_manifest_names_the_project_and_icons_that_exist(make_door: MakeDoor) -> None:
    async with make_door(project_name="Churn explorer").client() as client:
        manifest = (await client.get("/manifest.json")).json()
        icons = [await client.get(icon["src"]) for icon in manifest["icons"]]

    assert (manifest["name"], manifest["start_url"]) == ("Churn explorer", "/gradio/")
    assert {icon.status_code for icon in icons} == {200}


async def test_a_head_request_has_the_status_of_a_get(
    door: Door, subtests: pytest.Subtests
) -> None:
    for path in ["/", "/login", "/healthz", "/static/style.css"]:
        with subtests.test(path=path):
            async with door.client() as client:
                answers = [await client.request(method, path) for method in ("HEAD", "GET")]

            assert answers[0].status_code == answers[1].status_code


async def test_a_ready_service_reports_ok(door: Door) -> None:
    async with door.client() as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")

    assert alive.json() == {"status": "ok"}
    assert (ready.status_code, ready.json()["database"]) == (200, "ok")


@pytest.mark.parametrize(
    ("is_there", "found"),
    [(True, {"database": "ok", "migrations": "1 pending"}), (False, {"database": "unavailable", "migrations": "unknown"})],
)  # fmt: skip
async def test_a_service_that_is_not_ready_reports_only_the_reason(
    make_door: MakeDoor,
    is_there: bool,  # noqa: FBT001 -- A column of the table.
    found: dict[str, str],
) -> None:
    def behind(use_cases: UseCases) -> UseCases:
        return replace(
            use_cases,
            check_readiness=replace(
                use_cases.check_readiness, store=Behind(is_there=is_there), news=NoNews()
            ),
        )

    async with make_door(behind).client() as client:
        ready, alive = await client.get("/readyz"), await client.get("/healthz")

    assert (ready.status_code, alive.status_code) == (503, 200)
    assert ready.json() == {"status": "unavailable", **found, "jobs": {}}


@pytest.mark.parametrize(("job", "status"), [("ok", "ok"), ("degraded", "degraded")])
async def test_a_degraded_job_is_reported_but_keeps_the_service_ready(
    make_door: MakeDoor, job: str, status: str
) -> None:
    jobs = {"purge-sessions": job, "keep-awake": "ok"}

    async with make_door(jobs=jobs).client() as client:
        ready = await client.get("/readyz")

    assert ready.status_code == 200
    assert ready.json() == {"status": status, "database": "ok", "migrations": "ok", "jobs": jobs}


async def test_a_service_without_its_database_is_not_ready_whatever_its_jobs_report(
    make_door: MakeDoor,
) -> None:
    def behind(use_cases: UseCases) -> UseCases:
        return replace(
            use_cases,
            check_readiness=replace(use_cases.check_readiness, store=Behind(is_there=False)),
        )

    async with make_door(behind, jobs={"purge-sessions": "degraded"}).client() as client:
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
