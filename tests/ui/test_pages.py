"""Pages besides the HomePage: their roles, order, looks and routes."""

import asyncio
from typing import Any, Final

import gradio as gr
import pytest

from domain.model.caller import Caller
from entrypoints.ui import PageRefused
from entrypoints.ui.apps.launches import Host, Launches
from entrypoints.ui.apps.recording import begin_to_record, end_to_record
from gradioapp import Page
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed

THERE: Final = f"{GRADIO}/reports"
ADA, BOB = "ada@example.org", "bob@example.org"
AS_A_PERSON: Final = {"accept": "text/html", "sec-fetch-mode": "navigate"}


def an_app(title: str = "Reports") -> gr.Blocks:
    demo = gr.Blocks(title=title)
    with demo:
        text = gr.Textbox(label="The secret of the board")
        gr.Button().click(str.upper, text, text, api_name="up")
    return demo


async def people(house: House) -> tuple[Browser, Browser]:
    """Return Ada, who is an analyst, and Bob, who is not."""
    ada, bob = await house.signed_in(ADA), await house.signed_in(BOB)
    assert ada.session is not None
    await house.use_cases.grant_role(Caller.operator(), ada.session.user_id, "analyst")
    return ada, bob


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_a_page_for_a_role_is_closed_to_others_at_every_address(mounted: Mounts) -> None:
    page = Page(an_app(), title="Reports", roles={"analyst", "boss"})
    house = await mounted(an_app("Home"), others=[page])
    ada, bob = await people(house)
    event = {"data": ["a"], "fn_index": 0, "session_hash": "tab"}

    def asked(who: Browser) -> list[Any]:
        api = f"{THERE}/gradio_api"
        return [
            *(who.http.get(f"{THERE}{path}") for path in ("/", "/config", "/gradio_api/info")),
            *(who.http.post(f"{api}/{path}", json=event) for path in ("queue/join", "run/up")),
            who.http.post(f"{api}/call/up", json={"data": ["a"]}),
            who.http.post(f"{api}/component_server", json=event),
            who.http.post(f"{api}/upload", files={"files": ("a.txt", b"a")}),
            who.http.get(f"{api}/queue/data", params={"session_hash": "other"}),
        ]

    def closed_to(who: Browser) -> list[Any]:
        return [who.http.get(f"{THERE}/gradio_api/{path}") for path in ("file=x", "heartbeat/x")]

    of_ada = [answer.status_code for answer in await asyncio.gather(*asked(ada))]
    of_bob = await asyncio.gather(*asked(bob), *closed_to(bob))

    assert 403 not in of_ada, of_ada
    assert {answer.status_code for answer in of_bob} == {403}
    assert "secret of the board" not in "".join(answer.text for answer in of_bob)
    assert (
        of_bob[0]
        .json()["detail"]
        .startswith(f"This page needs the role analyst or boss, which {BOB} does not have.")
    )


async def test_a_user_without_the_role_gets_a_page_that_says_so(mounted: Mounts) -> None:
    house = await mounted(an_app("Home"), others=[Page(an_app(), title="Reports", roles=["boss"])])
    _, bob = await people(house)

    answer = await bob.http.get(f"{THERE}/", headers=AS_A_PERSON)

    assert answer.status_code == 403
    assert "<html" in answer.text
    assert "needs the role boss" in answer.text


async def test_the_navigation_lists_only_pages_that_the_caller_may_use(mounted: Mounts) -> None:
    pages = [
        Page(an_app(), title="Reports", roles={"analyst"}, order=2),
        Page(an_app(), title="Later", order=5),
        Page(an_app(), title="Sooner", order=-1),
    ]
    house = await mounted(an_app("Home"), others=pages)
    ada, bob = await people(house)

    of_ada = (await ada.http.get(f"{GRADIO}/")).text
    of_bob = (await bob.http.get(f"{GRADIO}/")).text

    places = [of_ada.index(f">{title}</a>") for title in ("Home", "Sooner", "Reports", "Later")]
    assert places == sorted(places)
    assert "Reports" not in of_bob
    assert "/gradio/later/" in of_bob


async def test_an_event_stops_when_its_caller_loses_the_role_of_the_page(mounted: Mounts) -> None:
    ran: list[int] = []
    has_run, goes_on = asyncio.Event(), asyncio.Event()

    async def count() -> Any:
        for number in range(50):
            ran.append(number)
            yield number
            if number == 1:
                has_run.set()
                await goes_on.wait()

    demo = gr.Blocks()
    with demo:
        gr.Button().click(count, None, gr.Number(), api_name="count")
    house = await mounted(an_app("Home"), others=[Page(demo, title="Reports", roles={"analyst"})])
    ada, _ = await people(house)
    assert ada.session is not None
    index = next(i for i, fn in demo.fns.items() if fn.api_name == "count")
    body = {"data": [], "fn_index": index, "session_hash": "tab"}
    await ada.http.post(f"{THERE}/gradio_api/queue/join", json=body)
    told = asyncio.create_task(
        ada.http.get(f"{THERE}/gradio_api/queue/data", params={"session_hash": "tab"})
    )
    await has_run.wait()
    await house.use_cases.revoke_role(Caller.operator(), ada.session.user_id, "analyst")
    goes_on.set()

    assert "This needs the role analyst" in (await told).text
    assert ran == [0, 1, 2]  # The last step was already running.


def _with_a_route() -> gr.Blocks:
    demo = gr.Blocks(title="Reports")
    with demo:
        gr.Markdown("# The first page")
    with demo.route("Details", "/details"):
        gr.Markdown("# The second page")
    return demo


async def test_routes_of_an_app_are_served_with_its_roles_and_policy(mounted: Mounts) -> None:
    page = Page(_with_a_route(), title="Reports", roles={"analyst"})
    house = await mounted(an_app("Home"), others=[page])
    ada, bob = await people(house)

    details = await ada.http.get(f"{THERE}/details")

    assert "The second page" in details.text
    assert "gradioapp-bar" in details.text
    assert "nonce-" in details.headers["content-security-policy"]
    assert (await bob.http.get(f"{THERE}/details")).status_code == 403
    assert (await house.anonymous().http.get(f"{THERE}/details")).status_code == 401
    assert (await ada.http.get(f"{THERE}/elsewhere")).status_code == 404
    assert (await ada.http.get(f"{GRADIO}/details")).status_code == 404


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        (GRADIO, f"{GRADIO}/"),
        (f"{GRADIO}?tab=2", f"{GRADIO}/?tab=2"),
        (THERE, f"{THERE}/"),
        (f"{THERE}?tab=2", f"{THERE}/?tab=2"),
        (f"{THERE}/details/", f"{THERE}/details"),
    ],
)
async def test_an_address_with_a_missing_or_extra_slash_is_redirected(
    typed: str, there: str, mounted: Mounts
) -> None:
    house = await mounted(an_app("Home"), others=[Page(_with_a_route(), title="Reports")])
    ada = await house.signed_in()

    answer = await ada.http.get(typed)

    assert (answer.status_code, answer.headers["location"]) == (307, there)


async def test_the_looks_that_the_author_gives_apply_only_to_that_page(mounted: Mounts) -> None:
    with pytest.warns(UserWarning, match="have been moved"):
        demo = gr.Blocks(css=".mine { color: red }", head="<meta name='mine'>", theme="soft")
    with demo:
        gr.Textbox()
    plain = an_app()
    house = await mounted(
        an_app("Home"), others=[Page(demo, title="Reports"), Page(plain, title="Plain")]
    )
    ada = await house.signed_in()

    mine, others = [(await ada.http.get(f"{GRADIO}/{p}/")).text for p in ("reports", "plain")]
    themes = [(await ada.http.get(f"{GRADIO}/{p}/theme.css")).text for p in ("reports", "plain")]

    assert ".mine { color: red }" in mine
    assert (
        "\\u003cmeta name=\\u0027mine\\u0027\\u003e" in mine
    )  # Gradio's front end puts it into the head.
    assert ".mine" not in others
    assert themes[0] != themes[1]


async def test_the_smaller_of_two_upload_limits_applies(mounted: Mounts) -> None:
    demo = an_app()
    launches = Launches("reports.py", Host())
    begin_to_record(launches)
    demo.launch(max_file_size="1kb")
    end_to_record(launches)
    house = await mounted(an_app("Home"), others=[Page(demo, title="Reports")], upload_limit_mb=1)
    ada = await house.signed_in()

    async def uploads(size: int, where: str) -> int:
        sent = await ada.http.post(
            f"{where}/gradio_api/upload", files={"files": ("a", b"a" * size)}
        )
        return sent.status_code

    assert [await uploads(500, THERE), await uploads(5_000, THERE)] == [200, 413]
    assert await uploads(5_000, GRADIO) == 200


async def test_events_of_a_page_are_sent_to_that_page(mounted: Mounts) -> None:
    house = await mounted(an_app("Home"), others=[Page(an_app(), title="Reports")])
    ada = await house.signed_in()

    told = completed(await ada.runs("up", "hello"))
    there = await ada.http.post(f"{THERE}/gradio_api/run/up", json={"data": ["there"]})

    assert told["output"]["data"] == ["HELLO"]
    assert there.json()["data"] == ["THERE"]


@pytest.mark.parametrize(
    ("given", "named"), [(gr.Blocks, "Blocks"), (lambda: None, "function"), (None, "NoneType")]
)
async def test_a_page_of_something_else_than_an_app_is_refused(given: Any, named: str) -> None:
    with pytest.raises(PageRefused, match=rf"Page\(demo\), not {named}"):
        Page(given)
