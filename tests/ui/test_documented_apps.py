"""Each app in README and docs does what its document says, exactly as it is printed there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from application.use_cases import UseCases
from domain.model.caller import Caller
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def blocks() -> list[str]:
    return [
        str(block)
        for document in DOCUMENTS
        for block in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)
    ]


def code_with(words: str) -> str:
    [code] = [block for block in blocks() if words in block]
    return code


def names_of(title: str) -> dict[str, Any]:
    code = code_with(f'gr.Blocks(title="{title}")')
    names: dict[str, Any] = {"__name__": title}
    exec(compile(code, f"{title}.py", "exec"), names)
    return names


def app(title: str) -> gr.Blocks:
    demo: gr.Blocks = names_of(title)["demo"]
    return demo


async def with_role(house: House, email: str, role: str) -> None:
    use_cases: UseCases = house.use_cases
    user = await house.has(email, "Bob")
    await use_cases.grant_role(Caller.operator(), user.id, role)


async def runs(browser: Browser, number: int, *data: Any) -> dict[str, Any]:
    body = {"data": data, "fn_index": number, "session_hash": "tab"}
    joined = await browser.http.post(f"{GRADIO}/gradio_api/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    return completed(await browser.told("tab"))


async def test_forecast_is_a_page_for_analysts_and_admins(mounted: Mounts) -> None:
    house = await mounted(gr.Blocks(), others=[names_of("Forecast")["page"]])
    await with_role(house, "bob@example.org", "analyst")
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    asked = [await who.http.get(f"{GRADIO}/forecast/") for who in (ada, bob)]

    assert [answer.status_code for answer in asked] == [403, 200]


async def test_summarize_names_the_user_and_counts_on_every_device(mounted: Mounts) -> None:
    house = await mounted(app("Summarize"))
    laptop, phone = await house.signed_in(), await house.signed_in()

    assert await laptop.gets("summarize", "hello") == "Ada, run 1: hello"
    assert await phone.gets("summarize", "again") == "Ada, run 2: again"


async def test_vote_counts_for_each_account(mounted: Mounts) -> None:
    house = await mounted(app("Vote"))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    assert [await ada.gets("vote"), await ada.gets("vote"), await bob.gets("vote")] == [1, 2, 1]


async def test_greet_counts_since_the_sign_in(mounted: Mounts) -> None:
    house = await mounted(app("Greet"))
    laptop, phone = await house.signed_in(), await house.signed_in()
    await laptop.gets("greet")

    assert await laptop.gets("greet") == "Hello Ada, 2 times since you signed in"
    assert await phone.gets("greet") == "Hello Ada, 1 times since you signed in"


async def test_training_is_for_trainers(mounted: Mounts) -> None:
    demo = app("Training")
    house = await mounted(demo)
    await with_role(house, "bob@example.org", "trainer")
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    refused = completed(await ada.runs("retrain"))
    building = next(n for n, fn in demo.fns.items() if fn.renderable)
    tools, nothing = await runs(bob, building), await runs(ada, building)

    assert refused["success"] is False
    assert "needs the role trainer" in refused["output"]["error"]
    assert await bob.gets("retrain") == "Bob has retrained"
    assert ("Tools" in str(tools), "Tools" in str(nothing)) == (True, False)


async def test_notes_are_restored_on_every_device_and_the_font_on_one(mounted: Mounts) -> None:
    demo = app("Notes")
    house = await mounted(demo)
    laptop, phone = await house.signed_in(), await house.signed_in()
    saving = [n for n, fn in demo.fns.items() if fn.name == "save"]
    loading = [n for n, fn in demo.fns.items() if fn.name == "restore"]

    await runs(laptop, saving[0], "a note")
    await runs(laptop, saving[1], 7)

    here = [(await runs(laptop, n))["output"]["data"] for n in loading]
    there = [(await runs(phone, n))["output"]["data"] for n in loading]
    assert here == [["a note"], [7]]
    assert there == [["a note"], [{"__type__": "update"}]]


async def test_leaving_redirects_home(mounted: Mounts) -> None:
    ada = await (await mounted(app("Leaving"))).signed_in()

    assert completed(await ada.runs("leave"))["output"]["gradioapp_goes_to"] == "/gradio/"


def test_tested_passes_its_tests_when_an_author_runs_them(tmp_path: Path) -> None:
    (tmp_path / "my_demo.py").write_text(code_with('gr.Blocks(title="Tested")'))
    (tmp_path / "test_my_demo.py").write_text(code_with("from my_demo import demo"))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert "4 passed" in done.stdout, done.stdout + done.stderr


async def test_assistant_counts_questions_and_lets_only_admins_retrain(mounted: Mounts) -> None:
    demo = app("Assistant")
    house = await mounted(demo)
    await with_role(house, "bob@example.org", "admin")
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    saving = next(n for n, fn in demo.fns.items() if fn.name == "save")
    loading = next(n for n, fn in demo.fns.items() if fn.name == "restore")
    await runs(ada, saving, "a note")

    replies = [await ada.gets("ask", question, []) for question in ("this", "that")]
    refused = completed(await ada.runs("retrain"))

    assert replies[1] == "Hello Ada, question 2: you asked about “that”."
    assert "needs the role admin" in refused["output"]["error"]
    assert completed(await bob.runs("retrain"))["success"] is True
    phone = await house.signed_in()
    assert (await runs(phone, loading))["output"]["data"] == ["a note"]


def test_the_example_of_the_readme_has_at_most_twelve_lines_of_code() -> None:
    [example] = re.findall(r"```python\n(.*?)```", DOCUMENTS[0].read_text(), re.DOTALL)

    assert len([line for line in example.splitlines() if line.strip()]) <= 12


TITLES: Final = (
    *("Summarize", "Vote", "Greet", "Training", "Notes", "Leaving", "Tested", "Assistant"),
    "Forecast",
)


def test_every_python_block_is_a_tested_app_or_its_test() -> None:
    found = [re.findall(r'gr\.Blocks\(title="(\w+)"\)', block) for block in blocks()]

    assert sorted(found) == sorted([*([title] for title in TITLES), []])


@pytest.mark.parametrize("title", TITLES)
async def test_every_app_can_be_mounted_and_opened(mounted: Mounts, title: str) -> None:
    ada = await (await mounted(app(title))).signed_in()

    assert title in (await ada.http.get(f"{GRADIO}/")).text
