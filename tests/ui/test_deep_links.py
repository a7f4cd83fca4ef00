"""A link of a `gr.DeepLinkButton` opens for the account that has made it, on all its devices, and for nobody else."""

import json
import re
from pathlib import Path
from typing import Any, Final

import gradio as gr
import httpx
import pytest

from entrypoints import ui
from entrypoints.ui import limits
from tests.ui.attacks import API, as_file, fetches, is_problem, joins, uploads
from tests.ui.conftest import GRADIO, Browser, House, Mounts
from tests.web.pages import sign_in

AS_A_PERSON: Final = {"accept": "text/html", "sec-fetch-mode": "navigate"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    kept = tmp_path / "kept"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(kept))
    return kept


def show(path: str | None) -> str | None:
    return path


def an_app(*, has_button: bool = True) -> gr.Blocks:
    with gr.Blocks() as demo:
        said = gr.Textbox(label="Said")
        answer = gr.Textbox(label="Answer")
        password = gr.Textbox(label="Password", type="password")
        file, shown = gr.File(), gr.File()
        values = gr.JSON()
        if has_button:
            gr.DeepLinkButton()
        go = gr.Button()
        go.click(lambda text, _: f"answer to {text}", [said, password], answer, api_name="ask")
        go.click(show, file, shown, api_name="show")
        go.click(lambda value: value, values, values, api_name="keep")
        go.click(lambda: gr.Textbox(label="Renamed"), None, said, api_name="rename")
    return demo  # type: ignore[no-any-return]


@pytest.fixture
async def house(mounted: Mounts) -> House:
    return await mounted(an_app(), others=[ui.Page(demo=an_app(), title="Other")])


def links_in(folder: Path) -> list[Path]:
    return list(folder.rglob("state.json"))


async def asks_for_a_link(browser: Browser, tab: str) -> httpx.Response:
    return await browser.http.get(f"{API}/deep_link", params={"session_hash": tab})


async def makes_a_link(browser: Browser, house: House, *data: Any, tab: str = "mine") -> str:
    await joins(browser, house, "ask", *(data or ("why", "hunter2")), tab=tab)
    await browser.told(tab)
    made = await asks_for_a_link(browser, tab)
    assert made.status_code == 200, made.text
    name: str = made.json()
    assert re.fullmatch("[A-Za-z0-9_-]{43}", name)
    return name


async def opens(browser: Browser, name: str, path: str = "/", **headers: str) -> httpx.Response:
    return await browser.http.get(f"{GRADIO}{path}", params={"deep_link": name}, headers=headers)


def values_on(page: httpx.Response) -> dict[str, Any]:
    """Return the values by label, from a page or from `/config`."""
    text = page.text
    if page.headers["content-type"].startswith("text/html"):
        found = re.search(r"window\.gradio_config = (\{.*?\});", text)
        assert found
        text = found[1]
    config = json.loads(text)
    assert config["deep_link_state"] == "valid"
    return {
        component["props"]["label"]: component["props"].get("value")
        for component in config["components"]
        if "label" in component["props"]
    }


@pytest.mark.parametrize("path", ["/", "/config"])
async def test_a_link_shows_its_values_on_every_device_of_its_maker(
    house: House, path: str
) -> None:
    laptop, phone = await house.signed_in(), await house.signed_in()
    name = await makes_a_link(laptop, house)
    await makes_a_link(laptop, house, "how", "")

    page = await opens(phone, name, path)

    assert page.status_code == 200
    assert values_on(page) | {"Said": "why", "Answer": "answer to why"} == values_on(page)
    assert "hunter2" not in page.text
    program = house.program(await house.makes_token())
    assert values_on(await opens(program, name, "/config"))["Said"] == "why"


async def test_a_link_also_has_what_an_event_has_changed_besides_values(house: House) -> None:
    ada = await house.signed_in()
    await joins(ada, house, "rename", tab="mine")
    await ada.told("mine")

    name = await makes_a_link(ada, house)

    assert values_on(await opens(ada, name))["Renamed"] == "why"


@pytest.mark.asvs("8.2.2", "8.4.1")
@pytest.mark.parametrize("path", ["/", "/config", "/config/"])
async def test_another_account_is_refused_in_the_same_sentence_as_for_no_link(
    house: House, path: str
) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    name = await makes_a_link(ada, house)

    another, none = await opens(bob, name, path), await opens(bob, "x" * 43, path)

    assert (another.status_code, none.status_code) == (403, 403)
    assert another.json()["detail"] == none.json()["detail"]
    assert another.json()["detail"].startswith("This link is not yours, or it has ended.")
    page = await opens(bob, name, path, **AS_A_PERSON)
    assert page.status_code == 403
    assert "This link is not yours, or it has ended." in page.text
    assert "why" not in page.text
    # The same values of another account make another link.
    assert await makes_a_link(bob, house) != name
    assert (await opens(bob, name, path)).status_code == 403


@pytest.mark.asvs("8.2.2", "5.3.2")
async def test_no_other_name_than_ones_own_opens_anything(house: House, folder: Path) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    name = await makes_a_link(ada, house)
    forged = await uploads(bob, json.dumps([]).encode(), "state.json")
    sha = Path(forged).parent.name
    own = await makes_a_link(bob, house)

    for tried in (
        *(f"../{sha}", f"..%2f{sha}", f"deep_links/../../{sha}", sha, str(Path(forged).parent)),
        *(f"{own}/../{name}", f"../deep_links/{name}", f"{name}/", f"{name}\n", f" {name}"),
        *(f"{own}/state.json", ".", "..", "*", "\0", "x", "x" * 5000, "ä" * 43),
        *(name.lower(), f"{name}="),
    ):
        assert is_problem(await opens(bob, tried), 403), tried
    for query in (
        f"deep_link={own}&deep_link={name}",
        f"deep_link={name}&deep_link={own}",
        f"deep_link=&deep_link={name}",
        f"deep%5Flink={name}",
        f"deep_link={name};deep_link={own}",
        f"page=&deep_link={name}",
    ):
        for path in ("/", "/config"):
            assert is_problem(await bob.http.get(f"{GRADIO}{path}?{query}"), 403), query
    # An app takes only its own links, even of the same account.
    assert is_problem(await opens(bob, own, "/other/"), 403)
    assert (await opens(bob, own)).status_code == 200
    assert (await bob.http.get(f"{GRADIO}/?deep_link=")).status_code == 200


@pytest.mark.asvs("8.2.2")
async def test_no_account_saves_the_values_of_another_ones_tab(house: House) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    phone = await house.signed_in()
    await makes_a_link(ada, house, tab="mine")
    assert ada.session is not None

    for tab in ("mine", f"mine.{ada.session.id.hex}"):
        for browser in (bob, phone):
            answer = await asks_for_a_link(browser, tab)
            assert (answer.status_code, answer.json()) == (200, "")
    for tab in ("", "a b", "../x"):
        assert is_problem(await asks_for_a_link(bob, tab), 400)
    assert is_problem(await bob.http.get(f"{API}/deep_link"), 400)
    assert is_problem(await asks_for_a_link(house.anonymous(), "mine"), 401)


@pytest.mark.asvs("8.2.2", "14.2.3")
async def test_the_file_of_a_link_is_neither_fetched_nor_an_input(
    house: House, folder: Path
) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    name = await makes_a_link(ada, house)
    [path] = links_in(folder)
    assert path.parent.name == name

    for browser in (ada, bob):
        assert (await fetches(browser, str(path))).status_code == 404
        joined = await browser.http.post(f"{API}/call/show", json={"data": [as_file(str(path))]})
        assert is_problem(joined, 400)
        assert joined.json()["detail"] == "You have no such file. Upload it first."


async def test_a_stranger_signs_in_and_comes_back_to_the_link(house: House) -> None:
    ada = await house.signed_in()
    name = await makes_a_link(ada, house)
    stranger = house.anonymous()

    asked = await opens(stranger, name, **AS_A_PERSON)
    page = httpx.URL(asked.headers["location"])
    back = await sign_in(
        stranger.http, "ada@example.org", "correct horse", next=page.params["next"]
    )

    assert (asked.status_code, page.path) == (303, "/login")
    opened = await stranger.http.get(back.headers["location"])
    assert values_on(opened)["Said"] == "why"
    assert is_problem(await opens(house.anonymous(), name, "/config"), 401)


async def test_a_link_ends_with_the_account_that_made_it_only(house: House) -> None:
    ada = await house.signed_in()
    name = await makes_a_link(ada, house)

    await house.ends(ada)

    assert values_on(await opens(await house.signed_in(), name))["Said"] == "why"


async def test_files_in_a_link_are_those_of_its_maker(house: House) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    path = await uploads(ada)
    await joins(ada, house, "show", as_file(path, orig_name="a.txt"), tab="mine")
    await ada.told("mine")
    name = await makes_a_link(ada, house)

    page = await opens(await house.signed_in(), name, "/config")

    assert path in page.text
    assert (await fetches(ada, path)).status_code == 200
    assert (await fetches(bob, path)).status_code == 404


async def test_a_link_that_is_opened_keeps_its_files(house: House, folder: Path) -> None:
    ada = await house.signed_in()
    path = await uploads(ada)
    await joins(ada, house, "show", as_file(path, orig_name="a.txt"), tab="mine")
    await ada.told("mine")
    name, unused = await makes_a_link(ada, house), await makes_a_link(ada, house, "how", "")
    claims: Any = house.pages.claims

    for _ in range(4):
        house.passes(days=house.settings.files_keep_days - 2)
        claims._known.clear()  # The cache runs by another clock, which has not moved.
        opened = await opens(await house.signed_in(), name)
        assert opened.status_code == 200
        await house.use_cases.purge_sessions()
        await house.use_cases.purge_files(is_spared=house.pages.is_spared)

    phone = await house.signed_in()
    assert (await fetches(phone, path)).status_code == 200
    assert (await opens(phone, unused)).status_code == 403
    assert [found.parent.name for found in links_in(folder)] == [name]


@pytest.mark.asvs("5.2.4")
async def test_links_count_for_the_quota_of_files(mounted: Mounts, folder: Path) -> None:
    house = await mounted(an_app(), files_quota_mb=1)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    for number in range(2):
        await makes_a_link(ada, house, f"{number}" * 200_000, "")

    await joins(ada, house, "ask", "3" * 200_000, "", tab="mine")
    await ada.told("mine")
    refused = await asks_for_a_link(ada, "mine")

    assert is_problem(refused, 413)
    assert "quota" in refused.json()["detail"]
    assert len(links_in(folder)) == 2
    await makes_a_link(bob, house)


@pytest.mark.asvs("2.4.1")
async def test_links_are_limited_in_number(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILES_PER_HOUR", 2)
    ada = await house.signed_in()
    for number in range(2):
        await makes_a_link(ada, house, str(number), "")

    assert is_problem(await asks_for_a_link(ada, "mine"), 429)
    await makes_a_link(await house.signed_in("bob@example.org"), house)


async def test_a_link_with_too_many_values_is_refused(house: House, folder: Path) -> None:
    ada = await house.signed_in()

    async def saves(event: str, *data: Any) -> int:
        await joins(ada, house, event, *data, tab="mine")
        await ada.told("mine")
        return (await asks_for_a_link(ada, "mine")).status_code

    assert await saves("keep", {"value": ["x"] * 200_000}) == 413
    assert await saves("keep", {"value": 1}) == 200
    assert await saves("ask", "x" * (limits.LINK // 2), "") == 413
    assert len(links_in(folder)) == 1


async def test_the_values_of_the_longest_unused_tab_are_dropped(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SHOWN", 250_000)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await makes_a_link(bob, house, "b" * 50_000, "", tab="his")
    for tab in ("first", "second", "third"):
        await makes_a_link(ada, house, "a" * 50_000, "", tab=tab)

    assert is_problem(await asks_for_a_link(ada, "first"), 413)
    for browser, tab in ((ada, "second"), (ada, "third"), (bob, "his")):
        assert (await asks_for_a_link(browser, tab)).status_code == 200


async def test_an_app_without_a_button_keeps_no_values(mounted: Mounts) -> None:
    house = await mounted(an_app(has_button=False))
    ada = await house.signed_in()
    await joins(ada, house, "ask", "why", "", tab="mine")
    await ada.told("mine")

    assert is_problem(await asks_for_a_link(ada, "mine"), 404)
    assert ada.session is not None
    assert not house.pages.holdings.of(ada.session.user_id).shown


async def test_a_change_of_the_app_ends_its_links(mounted: Mounts) -> None:
    before = await mounted(an_app())
    name = await makes_a_link(await before.signed_in(), before)
    changed = an_app()
    with changed:
        gr.Textbox()

    house = await mounted(changed)

    assert is_problem(await opens(await house.signed_in(), name), 403)


async def test_mcp_gives_no_way_to_a_link(mounted: Mounts, folder: Path) -> None:
    house = await mounted(an_app(), mcp=True)
    name = await makes_a_link(await house.signed_in(), house)
    [path] = links_in(folder)
    await house.has("eve@example.org")
    told = []

    for email in ("ada@example.org", "eve@example.org"):
        program = house.program(await house.makes_token(email, roles=[]))
        for method, params in (
            ("tools/list", {}),
            ("tools/call", {"name": "show", "arguments": {"path": str(path)}}),
            ("tools/call", {"name": "show", "arguments": {"path": as_file(str(path))}}),
            ("resources/read", {"uri": f"{house.origin}{API}/file={path}"}),
            ("resources/read", {"uri": f"{house.origin}{GRADIO}/?deep_link={name}"}),
        ):
            answer = await program.http.post(
                f"{API}/mcp?deep_link={name}",
                json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
                headers={"accept": "application/json, text/event-stream"},
            )
            assert answer.status_code < 500
            told.append(answer.text)

    assert '"name":"show"' in told[0]
    assert not [text for text in told if "answer to why" in text]
