"""Background jobs of the composed service, and their states in its probe."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import gradio as gr
import httpx
from dependency_injector import providers

from application.container import build
from application.settings import load
from entrypoints import ui
from entrypoints.app import compose
from tests.ui.conftest import HERE, Mounts

JOBS: Final = {"keep-awake", "forget-ended", "purge-sessions", "purge-tokens", "renew-files"}


@asynccontextmanager
async def served(**broken: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a service in which the given use cases are replaced."""
    container = build(load(env_file=None, environment="test"))
    container.use_cases.override(providers.Object(replace(container.use_cases(), **broken)))
    service = compose(container, [ui.Page(demo=gr.Blocks(), title="Home")])
    async with (
        service.running(),
        httpx.AsyncClient(transport=httpx.ASGITransport(service.gate), base_url=HERE) as client,
    ):
        yield client


async def test_the_probe_names_every_job(mounted: Mounts) -> None:
    house = await mounted(gr.Blocks())

    ready = await house.anonymous().http.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    assert ready.json()["jobs"] == dict.fromkeys(JOBS, "ok")


async def test_limits_of_attempts_and_unused_devices_are_purged_with_the_sessions() -> None:
    done: asyncio.Queue[str] = asyncio.Queue()

    async def attempts() -> None:
        done.put_nowait("attempts")

    async def devices() -> None:
        done.put_nowait("devices")

    async with served(purge_attempts=attempts, purge_devices=devices):
        purged = {await asyncio.wait_for(done.get(), 10) for _ in range(2)}

    assert purged == {"attempts", "devices"}


async def test_an_error_in_one_job_is_logged_and_does_not_stop_other_jobs(
    lines: list[dict[str, Any]],
) -> None:
    reached = asyncio.Event()

    async def breaks() -> None:
        raise RuntimeError

    async def purges() -> None:
        reached.set()

    async with served(purge_sessions=breaks, purge_tokens=purges) as client:
        await reached.wait()
        ready = await client.get("/readyz")

    failed = [line["job"] for line in lines if line["event"] == "background job failed"]
    assert failed == ["purge-sessions"]
    assert ready.status_code == 200
