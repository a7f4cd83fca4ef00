"""The HomePage: its cards, its news, the start page of an account, and its questions before an action."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Final

import gradio as gr
import pytest

from domain.errors import StateInvalid
from domain.model.caller import Caller
from domain.model.identity import Origin
from domain.model.state import JsonValue
from entrypoints.app import pages_of
from entrypoints.ui.pages import account, countdown, home, last_used, sessions, users, visits
from entrypoints.ui.pages.visits import visit_of, visited
from gradioapp import Page
from tests.builders import a_session, a_user
from tests.ui.conftest import GRADIO, LAPTOP, PASSWORD, Browser, House, Mounts, completed

ADA, BOB = "ada@example.org", "bob@example.org"
NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
AS_A_PERSON: Final = {"accept": "text/html", "sec-fetch-mode": "navigate"}


def an_app(title: str, **page: Any) -> Page:
    with gr.Blocks(title=title) as demo:
        gr.Textbox()
    return Page(demo, title=title, **page)


@pytest.fixture
async def house(mounted: Mounts) -> House:
    others = [
        an_app("Summarize", description="Short <b>texts</b>\n\nof long ones."),
        an_app("Reports", roles={"analyst"}),
    ]
    return await mounted(home.build().demo, others=others)


async def shown(browser: Browser) -> tuple[str, str, str]:
    """Return the greeting, the news and the cards."""
    _, since, news, cards, *_ = completed(await browser.runs("greet"))["output"]["data"]
    return since, news.get("value") or "", unescape(cards)


async def opens(browser: Browser, app: str) -> None:
    assert (await browser.http.get(f"{GRADIO}/{app}/", headers=AS_A_PERSON)).status_code == 200


async def state(house: House, browser: Browser) -> dict[str, Any]:
    me = await house.use_cases.recognise(browser.http.cookies["gradioapp-session"], activity=False)
    return {k: e.value for k, e in (await house.use_cases.read_account_state(me.caller)).items()}


async def runs(browser: Browser, fn: Any, *data: Any, tab: str = "tab") -> dict[str, Any]:
    """Run a private event, which is found by its number."""
    index = next(i for i, one in browser.demo.fns.items() if one.fn is fn)
    joined = await browser.http.post(
        f"{GRADIO}/gradio_api/queue/join",
        json={"data": data, "fn_index": index, "session_hash": tab},
    )
    assert joined.status_code == 200, joined.text
    output: dict[str, Any] = completed(await browser.told(tab))["output"]
    return output


# Cards


async def test_the_cards_show_the_apps_of_the_account_with_their_descriptions(
    house: House,
) -> None:
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    assert ada.session is not None
    await house.use_cases.grant_role(Caller.operator(), ada.session.user_id, "analyst")

    of_ada, of_bob = (await shown(ada))[2], (await shown(bob))[2]

    assert of_ada.count("<li>") == 2
    assert of_bob.count("<li>") == 1
    assert f'href="{GRADIO}/reports/"' in of_ada
    assert "Reports" not in of_bob
    assert "Short <b>texts</b> of long ones." in of_bob


async def test_a_description_is_shown_as_text_and_not_as_html(house: House) -> None:
    ada = await house.signed_in()

    output = completed(await ada.runs("greet"))["output"]["data"][3]

    assert "Short &lt;b&gt;texts&lt;/b&gt; of long ones." in output


async def test_an_account_without_apps_is_told_so(mounted: Mounts) -> None:
    house = await mounted(home.build().demo, others=[an_app("Reports", roles={"analyst"})])

    cards = (await shown(await house.signed_in()))[2]

    assert "There is no app for you yet." in cards


async def test_a_card_says_when_the_account_last_used_its_app(house: House) -> None:
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    before = (await shown(ada))[2]

    await opens(ada, "summarize")

    assert "Not used yet" in before
    assert "Last used" in (await shown(ada))[2]
    assert "Not used yet" in (await shown(bob))[2]


async def test_only_opened_pages_count_as_used_and_again_after_ten_minutes(
    house: House,
) -> None:
    ada = await house.signed_in()
    program = house.program(await house.makes_token())

    await program.http.get(f"{GRADIO}/summarize/")
    await ada.http.get(f"{GRADIO}/summarize/config")
    await ada.http.get(f"{GRADIO}/reports/")
    assert last_used.KEY not in await state(house, ada)
    await opens(ada, "summarize")
    first = await state(house, ada)
    house.passes(minutes=5)
    await opens(ada, "summarize")
    soon = await state(house, ada)
    house.passes(minutes=6)
    await opens(ada, "summarize")
    later = await state(house, ada)

    assert list(first[last_used.KEY]) == [f"{GRADIO}/summarize/"]
    assert soon == first
    assert later != first


async def test_a_removed_app_is_forgotten_at_the_next_visit(house: House) -> None:
    ada = await house.signed_in()
    me = await house.use_cases.recognise(ada.http.cookies["gradioapp-session"], activity=False)
    kept: JsonValue = {f"{GRADIO}/gone/": NOON.isoformat(), "x": 1}
    await house.use_cases.change_account_state(me.caller, {last_used.KEY: kept})

    await opens(ada, "summarize")

    assert list((await state(house, ada))[last_used.KEY]) == [f"{GRADIO}/summarize/"]


async def test_an_account_whose_state_is_full_can_still_open_an_app(house: House) -> None:
    ada = await house.signed_in()
    me = await house.use_cases.recognise(ada.http.cookies["gradioapp-session"], activity=False)
    for size in (*[65_000] * 16, 32_000, 16_000, 8_000, 4_000, 2_000, 1_000, *[50] * 20, 1):
        with suppress(StateInvalid):
            kept = await state(house, ada)
            await house.use_cases.change_account_state(me.caller, {f"k{len(kept)}": "x" * size})

    await opens(ada, "summarize")

    assert last_used.KEY not in await state(house, ada)


# Visits


def test_a_reload_belongs_to_the_same_visit_and_a_later_load_to_the_next() -> None:
    first = visited(None, now=NOON, apps=["/a/"], roles=["x"])
    reload = visited(first, now=NOON + timedelta(minutes=20), apps=["/a/", "/b/"], roles=[])
    later = visited(reload, now=NOON + timedelta(hours=2), apps=["/a/", "/b/", "/c/"], roles=[])

    assert visit_of(first).since is visit_of(reload).since is None
    assert visit_of(later).since == NOON + timedelta(minutes=20)
    assert visit_of(later).known_apps == frozenset({"/a/", "/b/"})
    assert visit_of(later).known_roles == frozenset()


@pytest.mark.parametrize(
    "kept", [None, 1, [], "x", {"last": 3}, {"last": "soon"}, {"last": "2026-03-01T12:00:00"}]
)
def test_an_invalid_record_counts_as_no_visit(kept: Any) -> None:
    visit = visit_of(visited(kept, now=NOON, apps=[], roles=[]))

    assert visit.since is None


async def test_new_apps_roles_and_sign_ins_are_shown_during_one_visit(
    house: House,
) -> None:
    ada = await house.signed_in()
    first = await shown(ada)
    assert ada.session is not None
    house.passes(hours=0.4)
    await house.use_cases.log_in(ADA, PASSWORD, LAPTOP)
    await house.use_cases.grant_role(Caller.operator(), ada.session.user_id, "analyst")
    house.passes(hours=0.2)
    ada = await house.signed_in()  # The session before has become idle.

    since, news, cards = await shown(ada)
    reloaded = (await shown(ada))[1]
    house.passes(minutes=20)
    await shown(ada)
    house.passes(minutes=31)
    ada = await house.signed_in()

    assert first[:2] == ("Welcome. This is your first visit.", "")
    assert since.startswith("Your last visit was on ")
    assert "There is a new app: Reports." in news
    assert "You have the role analyst." in news
    assert "Signed in on another device: Laptop at 192\\.0\\.2\\.1" in news
    assert cards.count(">New<") == 1
    assert reloaded == news
    assert "new app" not in (await shown(ada))[1]


async def test_a_greeting_to_a_program_is_not_a_visit(house: House) -> None:
    ada = await house.signed_in()
    program = house.program(await house.makes_token())

    await shown(program)

    assert visits.KEY not in await state(house, ada)


# Start page


@pytest.mark.parametrize(
    ("apps", "roles", "there"),
    [
        (lambda: [an_app("One")], [], f"{GRADIO}/one/"),
        (lambda: [an_app("One"), an_app("Other", roles={"analyst"})], [], f"{GRADIO}/one/"),
        (lambda: [an_app("One"), an_app("Other", roles={"analyst"})], ["analyst"], f"{GRADIO}/"),
        (lambda: [an_app("One")], ["admin"], f"{GRADIO}/"),
        (list, [], f"{GRADIO}/"),
        (lambda: [countdown.build()], [], f"{GRADIO}/"),
    ],
    ids=["one", "one of two", "two", "an admin", "none", "the example"],
)
async def test_an_account_starts_at_its_only_app_or_otherwise_at_home(
    apps: Callable[[], list[Page]], roles: list[str], there: str, mounted: Mounts
) -> None:
    house = await mounted(home.build().demo, others=apps())
    await house.has(ADA, "Ada", *roles)
    ada = await house.signed_in()

    answer = await ada.http.get("/", headers=AS_A_PERSON)

    assert (answer.status_code, answer.headers["location"]) == (303, there)


async def test_the_example_is_served_only_without_other_apps() -> None:
    alone, beside = pages_of([]), pages_of([an_app("Mine")])

    assert [page.title for page in alone] == ["Home", "Countdown"]
    assert [page.title for page in beside] == ["Home", "Mine"]


async def test_the_greeting_shows_a_changed_name(house: House) -> None:
    ada = await house.signed_in()

    output = await runs(ada, account.rename, "Countess")

    assert output["data"] == ["Countess", "# Hello, Countess"]


# Actions that cannot be undone


async def test_a_question_names_its_account_and_changes_nothing(house: House) -> None:
    await house.has("root@example.org", "Root", "admin")
    bob = await house.has("b_o_b@example.org", "Bob")
    root = await house.signed_in("root@example.org")

    for ask in (users.ask_to_disable, users.ask_to_end_everything):
        told = await ask_as(root, ask, str(bob.id))
        assert told[1].startswith(
            ("Disable **b\\_o\\_b@example\\.org**?", "End everything of **b\\_o\\_b")
        )
        assert told[2] == str(bob.id)
        assert (await ask_as(root, ask, None)) == "Choose an account first."

    assert (await house.use_cases.get_user(Caller.operator(), bob.id)).is_active


async def ask_as(browser: Browser, question: Any, chosen: str | None) -> Any:
    """Run the event whose function closes over this question."""
    index = next(
        i
        for i, fn in browser.demo.fns.items()
        if question in [cell.cell_contents for cell in getattr(fn.fn, "__closure__", None) or ()]
    )
    tab = f"asks{index}{chosen}"
    if chosen:
        await runs(browser, users.show, "", None, tab=tab)  # Loads the choices of this tab.
    await browser.http.post(
        f"{GRADIO}/gradio_api/queue/join",
        json={"data": [chosen], "fn_index": index, "session_hash": tab},
    )
    done = completed(await browser.told(tab))
    return done["output"]["data"] if done["success"] else done["output"]["error"]


async def test_a_device_that_stays_signed_in_is_shown_as_one(mounted: Mounts) -> None:
    house = await mounted(home.build().demo, remember_days=30)
    ada = await house.signed_in()
    await house.use_cases.log_in("ada@example.org", PASSWORD, LAPTOP, is_remembered=True)

    here, devices, *_ = (await runs(ada, sessions.show))["data"]

    [(words, _)] = devices["choices"]
    assert "stays signed in until 01 Feb 2026, 12:00 UTC" in words
    assert "stays signed in" not in here


def test_a_session_that_began_at_a_provider_names_its_host() -> None:
    origin = Origin(issuer="https://id.example.org/realms/corp", subject="ada-1")

    at_provider, here = (
        sessions.words_of(a_session(of=a_user(), origin=one)) for one in (origin, None)
    )

    assert ", signed in at id.example.org" in at_provider
    assert "signed in at" not in here


async def test_buttons_are_active_only_when_they_have_something_to_act_on(house: House) -> None:
    await house.has("root@example.org", "Root", "admin")
    bob = await house.has(BOB, "Bob")
    root = await house.signed_in("root@example.org")

    async def active(chosen: str | None) -> list[bool]:
        output = await runs(root, users.show, "", chosen)
        return [button["interactive"] for button in output["data"][2:]]

    nobody = await active(None)
    there = await active(str(bob.id))
    await house.use_cases.disable_user(Caller.operator(), bob.id)
    disabled = await active(str(bob.id))
    alone = (await runs(root, sessions.show, tab="alone"))["data"]
    await house.use_cases.log_in("root@example.org", PASSWORD, LAPTOP)
    elsewhere = (await runs(root, sessions.show, tab="elsewhere"))["data"]

    assert nobody == [False] * 6
    assert there == [True, False, True, True, True, True]
    assert disabled == [False, True, False, True, True, True]
    assert [button["interactive"] for button in alone[2:]] == [False, False]
    assert [button["interactive"] for button in elsewhere[2:]] == [False, True]


async def test_a_device_without_a_session_is_listed_and_can_be_forgotten(house: House) -> None:
    ada = await house.signed_in(ADA)
    opened = await house.use_cases.log_in(ADA, PASSWORD, LAPTOP)
    there = await house.use_cases.recognise(opened.signed_token, activity=False)

    async def choices(tab: str) -> list[list[str]]:
        found: list[list[str]] = (await runs(ada, sessions.show, tab=tab))["data"][1]["choices"]
        return found

    [[signed_in, session]] = await choices("before")
    await house.use_cases.log_out(there.caller)
    [[signed_out, device]] = await choices("later")
    answer = await runs(ada, sessions.end_one, device, tab="later")

    assert ", last used " in signed_in
    assert session == str(there.session.id)
    assert ", signed out, last sign-in " in signed_out
    assert device.startswith("device:")
    assert answer["data"][1]["choices"] == []
    assert await choices("afterwards") == []
