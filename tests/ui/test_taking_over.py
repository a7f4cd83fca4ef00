"""After a session has expired, the next one of the same browser and account goes on with its tabs."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import gradio as gr
import pytest

from domain.model.caller import Caller
from entrypoints.ui import limits
from entrypoints.ui.sdk.roles import requires
from gradioapp import current_user
from tests.ui.attacks import API, as_file, fetches, joins, opened, tag, uploads
from tests.ui.conftest import PASSWORD, Browser, House, Mounts, completed
from tests.web.pages import token_of

ADA, BOB = "ada@example.org", "bob@example.org"
COOKIE: Final = "gradioapp-session"
PAGE: Final = {"x_gradioapp_stream": "one"}
"""The header of a page that resumes its streams."""


def app(left: list[str] | None = None) -> gr.Blocks:
    def leave() -> None:
        try:
            who = current_user().email
        except RuntimeError:
            who = "nobody"
        if left is not None:
            left.append(who)

    def count(runs: int) -> tuple[int, str]:
        return runs + 1, str(runs + 1)

    with gr.Blocks() as demo:
        runs, shown, file = gr.State(0), gr.Textbox(), gr.File()
        gr.Button().click(count, runs, [runs, shown], api_name="count")
        gr.Button().click(lambda path: Path(path).read_text(), file, shown, api_name="read")

        @gr.render(inputs=runs, triggers=[runs.change])  # type: ignore[untyped-decorator]
        def parts(runs: int) -> None:
            gr.Button().click(lambda: f"part of {runs}", None, shown, api_name="part")
            gr.Button().click(requires("keeper")(lambda: "kept"), None, shown, api_name="keep")

        demo.unload(leave)
    return cast("gr.Blocks", demo)


async def signs_in_again(house: House, former: Browser, email: str = ADA) -> Browser:
    """Sign in on the sign-in page of the same browser."""
    http = house.anonymous().http
    cookie = f"{COOKIE}={former.http.cookies[COOKIE]}"
    page = await http.get("/login", headers={"cookie": cookie})
    cookies = f"{cookie}; gradioapp-form={http.cookies['gradioapp-form']}"
    http.cookies.clear()
    form = {"csrf_token": token_of(page), "username": email, "password": PASSWORD}
    answer = await http.post("/login", data=form, headers={"cookie": cookies})
    assert answer.status_code == 303, answer.text
    token = answer.cookies[COOKIE]
    http.cookies.clear()
    http.cookies.set(COOKIE, token)
    me = await house.use_cases.recognise(token, activity=False)
    return Browser(http, house.demo, me.session)


async def runs(browser: Browser, house: House, api_name: str, *data: Any, output: int = 0) -> Any:
    """Run an event in the tab `mine`, and return one of its outputs."""
    await joins(browser, house, api_name, *data, tab="mine")
    return completed(await browser.told("mine"))["output"]["data"][output]


async def counts(browser: Browser, house: House) -> Any:
    return await runs(browser, house, "count", None, output=1)


async def presses(browser: Browser, house: House, api_name: str) -> Any:
    """Press a button that gr.render has made in the tab `mine`. Return its output, or the refusal."""
    [account] = house.pages.accounts.all()
    [tab] = [each for each in account.tabs if each.name.startswith("mine.")]
    fns = cast("Any", tab.keeper).fns(tab.name)
    index = max(number for number, fn in fns.items() if fn.api_name == api_name)
    body = {"data": [], "fn_index": index, "session_hash": "mine"}
    joined = await browser.http.post(f"{API}/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    output = completed(await browser.told("mine"))["output"]
    return output["data"][0] if "data" in output else output["error"]


async def renders(browser: Browser, house: House) -> None:
    """Let gr.render make its buttons, like the front end does after a change of the state."""
    index = next(i for i, fn in house.demo.fns.items() if fn.renderable is not None)
    body = {"data": [None], "fn_index": index, "session_hash": "mine"}
    assert (await browser.http.post(f"{API}/queue/join", json=body)).status_code == 200
    assert completed(await browser.told("mine"))["success"]


async def is_kept(browser: Browser) -> bool:
    kept: bool = (await browser.http.get(f"{API}/heartbeat/mine/kept")).json()["kept"]
    return kept


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(200):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(is_so)


async def test_the_next_session_goes_on_with_state_rendered_parts_and_uploads(
    mounted: Mounts,
) -> None:
    house = await mounted(app())
    before = await house.signed_in()
    assert [await counts(before, house) for _ in range(2)] == ["1", "2"]
    await renders(before, house)
    path = await uploads(before)
    house.passes(minutes=44)
    await house.forgets()
    await house.use_cases.purge_sessions()

    ada = await signs_in_again(house, before)

    await house.forgets()
    assert await is_kept(ada)
    assert await counts(ada, house) == "3"
    assert await presses(ada, house, "part") == "part of 2"
    assert await runs(ada, house, "read", as_file(path)) == "of Ada"
    assert (await fetches(ada, path)).text == "of Ada"
    assert (await before.http.get("/gradio/")).status_code == 401


async def test_the_roles_after_the_sign_in_count(mounted: Mounts) -> None:
    house = await mounted(app())
    user = await house.has(ADA, "Ada", "keeper")
    before = await house.signed_in()
    await counts(before, house)
    await renders(before, house)
    assert await presses(before, house, "keep") == "kept"
    house.passes(minutes=31)
    await house.use_cases.revoke_role(Caller.operator(), user.id, "keeper")

    ada = await signs_in_again(house, before)

    assert "keeper" in await presses(ada, house, "keep")
    assert await counts(ada, house) == "2"


async def test_a_session_that_expires_again_is_taken_over_again(mounted: Mounts) -> None:
    house = await mounted(app())
    one = await house.signed_in()
    await counts(one, house)
    house.passes(minutes=31)
    two = await signs_in_again(house, one)
    await counts(two, house)
    house.passes(minutes=31)
    await house.forgets()
    three = await signs_in_again(house, two)

    await house.forgets()
    assert await counts(three, house) == "3"
    assert [each.hex for each in house.pages.accounts.sessions()] == [tag(three)]


@pytest.mark.parametrize(
    ("minutes", "email", "kept"),
    [(31, ADA, True), (46, ADA, False), (31, BOB, False)],
    ids=["same account", "too late", "another account"],
)
async def test_tabs_are_handed_over_only_to_the_same_account_after_expiry(
    mounted: Mounts, minutes: int, email: str, *, kept: bool
) -> None:
    house = await mounted(app())
    await house.has(BOB, "Bob")
    before = await house.signed_in()
    await counts(before, house)
    house.passes(minutes=minutes)

    after = await signs_in_again(house, before, email)

    assert await is_kept(after) is kept
    assert await counts(after, house) == ("2" if kept else "1")
    await house.settles()
    await house.forgets()
    demo: Any = house.demo
    assert len(demo.state_holder.session_data) == 1


async def test_the_second_sign_in_with_one_cookie_gets_nothing(mounted: Mounts) -> None:
    house = await mounted(app())
    before = await house.signed_in()
    await counts(before, house)
    house.passes(minutes=31)

    first = await signs_in_again(house, before)
    thief = await signs_in_again(house, before)

    assert not await is_kept(thief)
    assert await counts(thief, house) == "1"
    assert await counts(first, house) == "2"


async def test_a_late_request_of_the_expired_session_does_not_release_the_tabs(
    mounted: Mounts,
) -> None:
    house = await mounted(app())
    before = await house.signed_in()
    late = await house.use_cases.recognise(before.http.cookies[COOKIE], activity=False)
    await counts(before, house)
    house.passes(minutes=31)
    ada = await signs_in_again(house, before)

    house.pages.accounts.account_of(late)
    await house.forgets()

    assert await counts(ada, house) == "2"
    assert [each.hex for each in house.pages.accounts.sessions()] == [tag(ada)]


async def test_the_tabs_of_another_account_are_never_handed_over(mounted: Mounts) -> None:
    house = await mounted(app())
    ada, bob = await house.signed_in(), await house.signed_in(BOB)
    await counts(ada, house)
    assert ada.session is not None
    assert bob.session is not None

    house.pages.accounts.hand_over(ada.session.id, bob.session.id, of=bob.session.user_id)

    assert not await is_kept(bob)
    assert await counts(bob, house) == "1"
    assert await counts(ada, house) == "2"


async def test_a_cookie_of_an_expired_session_opens_nothing_by_itself(mounted: Mounts) -> None:
    house = await mounted(app())
    thief = await house.signed_in()
    await counts(thief, house)
    path = await uploads(thief)
    house.passes(minutes=31)

    answers = [
        await thief.http.get(f"{API}/heartbeat/mine/kept"),
        await thief.http.get(f"{API}/queue/data", params={"session_hash": "mine"}),
        await thief.http.post(
            f"{API}/queue/join", json={"data": [None], "fn_index": 0, "session_hash": "mine"}
        ),
        await fetches(thief, path),
    ]

    assert [answer.status_code for answer in answers] == [401] * 4


async def test_a_sign_out_of_an_expired_session_releases_its_tabs(mounted: Mounts) -> None:
    house = await mounted(app())
    before = await house.signed_in()
    await counts(before, house)
    house.passes(minutes=31)

    answer = await before.http.post("/logout")
    after = await signs_in_again(house, before)

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert not await is_kept(after)


async def test_a_heartbeat_waits_for_the_next_session_and_ends_as_its_caller(
    mounted: Mounts,
) -> None:
    left: list[str] = []
    house = await mounted(app(left), session_cache_seconds=0)
    before = await house.signed_in()
    async with opened(house, before, f"{API}/heartbeat/mine", **PAGE) as stream:
        await stream.says("ALIVE")
        await counts(before, house)
        house.passes(minutes=31)
        [account] = house.pages.accounts.all()
        [tab] = account.tabs
        await until(lambda: account.resumable.are_kept(tab))
    assert left == []
    ada = await signs_in_again(house, before)

    async with opened(house, ada, f"{API}/heartbeat/mine", **PAGE, last_event_id="1"):
        await until(lambda: not account.resumable.are_kept(tab))
        assert await counts(ada, house) == "2"
        await ada.http.post(f"{API}/heartbeat/mine/close")
        await until(lambda: bool(left))

    assert left == [ADA]


async def test_the_heartbeat_of_a_revoked_session_ends_at_once(mounted: Mounts) -> None:
    left: list[str] = []
    house = await mounted(app(left), session_cache_seconds=0)
    before = await house.signed_in()

    async with opened(house, before, f"{API}/heartbeat/mine", **PAGE) as stream:
        await stream.says("ALIVE")
        await house.ends(before)
        await until(lambda: bool(left))

    assert left == ["nobody"]


async def test_a_kept_tab_gives_way_to_a_new_one(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TABS", 1)
    house = await mounted(app(), session_cache_seconds=0)
    before = await house.signed_in()
    async with opened(house, before, f"{API}/heartbeat/mine", **PAGE) as stream:
        await stream.says("ALIVE")
        house.passes(minutes=31)
        [account] = house.pages.accounts.all()
        [tab] = account.tabs
        await until(lambda: account.resumable.are_kept(tab))

    phone = await house.signed_in()
    assert await counts(phone, house) == "1"

    assert {each.session_id.hex for each in account.tabs} == {tag(phone)}
    assert not await is_kept(await signs_in_again(house, before))
