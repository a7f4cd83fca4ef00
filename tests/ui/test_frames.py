"""A frame without a session shows a page of ours, and never the sign-in form."""

import re
from typing import Final
from urllib.parse import unquote

import gradio as gr
import httpx
import pytest

from entrypoints.ui import Page
from tests.ui.conftest import House, Mounts

PORTAL: Final = "https://portal.example.org"
FRAMED: Final = "/gradio/framed/?a=1"


def framed(site: str, dest: str = "iframe") -> dict[str, str]:
    return {
        "accept": "text/html",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": dest,
        "sec-fetch-site": site,
    }


def link_in(page: httpx.Response) -> str:
    found = re.search(
        r'<a class="button" href="([^"]+)" target="_blank" rel="noopener">', page.text
    )
    assert found, page.text
    return unquote(found[1])


def frameable_by(page: httpx.Response) -> str:
    found = re.search(r"frame-ancestors ([^;]*)", page.headers["content-security-policy"])
    assert found
    assert ("x-frame-options" in page.headers) == (found[1] == "'none'")
    return found[1]


def framed_links(page: httpx.Response) -> dict[str, bool]:
    """Map each link of the bar to whether it may stay in a frame."""
    bar = page.text.partition("<header")[2].partition("</header>")[0]
    found = re.findall(r'<a [^>]*?href="([^"]+)"([^>]*)', bar)
    return {address: "data-framed" in rest for address, rest in found}


@pytest.fixture
async def house(mounted: Mounts) -> House:
    page = Page(demo=gr.Blocks(), title="Framed", csp={"frame-ancestors": PORTAL})
    return await mounted(gr.Blocks(), others=[page])


@pytest.mark.parametrize("site", ["same-origin", "same-site"])
@pytest.mark.parametrize("dest", ["iframe", "frame"])
async def test_a_frame_on_the_same_site_gets_a_link_that_signs_in_and_leads_back(
    house: House, site: str, dest: str
) -> None:
    stranger = house.anonymous().http

    page = await stranger.get(FRAMED, headers=framed(site, dest))

    assert page.status_code == 401
    assert link_in(page) == f"/login?next={FRAMED}"
    assert "<form" not in page.text


@pytest.mark.parametrize(
    ("address", "app"), [(FRAMED, FRAMED), (f"/login?next={FRAMED}", FRAMED), ("/login", "/")]
)
async def test_a_frame_that_may_get_no_cookie_has_a_link_that_opens_the_app(
    house: House, address: str, app: str
) -> None:
    page = await house.anonymous().http.get(address, headers=framed("same-site"))

    # A page of another site around the page around the frame: the browser still says same-site.
    assert f'<a class="button secondary" href="{app}" target="_blank" rel="noopener">' in page.text
    assert "You are signed out" not in page.text
    assert "If this text stays" in page.text


async def test_a_frame_on_another_site_gets_a_link_that_opens_the_app(house: House) -> None:
    page = await house.anonymous().http.get(FRAMED, headers=framed("cross-site"))

    assert page.status_code == 401
    assert link_in(page) == FRAMED
    assert "<script" not in page.text


async def test_only_the_sites_that_a_page_names_may_frame_it(house: House) -> None:
    page = await house.anonymous().http.get(FRAMED, headers=framed("same-site"))

    policy = page.headers["content-security-policy"].split("; ")
    assert f"frame-ancestors {PORTAL}" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'none'" in policy
    assert "x-frame-options" not in page.headers


@pytest.mark.asvs("3.4.6")
@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_the_sign_in_form_is_never_framed(house: House, site: str) -> None:
    stranger = house.anonymous().http

    page = await stranger.get("/login", params={"next": FRAMED}, headers=framed(site))
    alone = await stranger.get("/login", headers=framed(site, "document"))

    assert "<form" not in page.text
    assert link_in(page) == (f"/login?next={FRAMED}" if site == "same-site" else FRAMED)
    assert "<form" in alone.text
    assert "frame-ancestors 'none'" in alone.headers["content-security-policy"]


async def test_an_unsafe_next_is_dropped_in_a_frame(house: House) -> None:
    stranger = house.anonymous().http

    page = await stranger.get("/login?next=//evil.example/", headers=framed("same-site"))

    assert link_in(page) == "/login"


async def test_a_dead_cookie_is_cleared_in_a_frame_too(house: House) -> None:
    ada = await house.signed_in()
    assert (await ada.http.get(FRAMED, headers=framed("same-site"))).status_code == 200
    await house.ends(ada)

    page = await ada.http.get(FRAMED, headers=framed("same-site"))

    assert page.status_code == 401
    assert "Max-Age=0" in page.headers["set-cookie"]


async def test_a_signed_in_frame_at_the_sign_in_page_goes_on(house: House) -> None:
    ada = await house.signed_in()

    page = await ada.http.get("/login", params={"next": FRAMED}, headers=framed("same-origin"))

    assert (page.status_code, page.headers["location"]) == (303, FRAMED)


async def test_a_service_that_names_no_parent_redirects_to_sign_in(mounted: Mounts) -> None:
    house = await mounted(gr.Blocks())

    page = await house.anonymous().http.get("/gradio/", headers=framed("same-site"))

    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/gradio/")


async def test_a_window_of_its_own_and_a_program_are_treated_as_before(house: House) -> None:
    stranger = house.anonymous().http

    window = await stranger.get(FRAMED, headers=framed("cross-site", "document"))
    program = await stranger.get(FRAMED)

    assert window.status_code == 303
    assert program.headers["content-type"] == "application/problem+json"


async def test_the_bar_marks_the_pages_that_each_site_that_frames_this_page_may_frame(
    mounted: Mounts,
) -> None:
    both = [PORTAL, "https://wiki.example.org"]
    others = [
        Page(demo=gr.Blocks(), title=title, csp={"frame-ancestors": by})
        for title, by in {"Both": both, "Framed": PORTAL, "Wiki": both[1:]}.items()
    ]
    house = await mounted(gr.Blocks(), others=[*others, Page(demo=gr.Blocks(), title="Never")])
    ada = await house.signed_in()

    page = await ada.http.get("/gradio/framed/")

    assert framed_links(page) == {
        "/gradio/": False,
        "/gradio/both/": True,
        "/gradio/framed/": True,
        "/gradio/wiki/": False,
        "/gradio/never/": False,
        "/gradio/?tab=account": False,
        "/gradio/?tab=sessions": False,
    }


def bars_token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found
    return found[1]


async def test_a_frame_that_signs_out_comes_back_to_its_page(house: House) -> None:
    ada = await house.signed_in()
    headers = {**framed("same-origin"), "origin": "http://localhost"}
    token = bars_token(await ada.http.get(FRAMED, headers=framed("same-site")))

    form = {"csrf_token": token}
    out = await ada.http.post("/logout", params={"next": FRAMED}, data=form, headers=headers)
    again = await ada.http.post("/logout", params={"next": FRAMED}, headers=headers)

    for response in (out, again):
        assert (response.status_code, response.headers["location"]) == (
            303,
            f"/login?next={FRAMED.replace('?', '%3F').replace('=', '%3D')}",
        )
    page = await ada.http.get(out.headers["location"], headers=framed("same-origin"))
    assert link_in(page) == f"/login?next={FRAMED}"


async def test_a_window_that_signs_out_comes_back_to_no_page(house: House) -> None:
    ada = await house.signed_in()
    form = {"csrf_token": bars_token(await ada.http.get(FRAMED))}

    out = await ada.http.post("/logout", params={"next": FRAMED}, data=form)

    assert (out.status_code, out.headers["location"]) == (303, "/login")


async def test_a_sign_out_that_is_refused_shows_no_form_in_a_frame(house: House) -> None:
    ada = await house.signed_in()
    headers = framed("same-origin")
    wrong = {"csrf_token": "expired"}

    out = await ada.http.post("/logout", params={"next": FRAMED}, data=wrong, headers=headers)

    assert (out.status_code, out.headers["location"]) == (303, FRAMED)


@pytest.mark.parametrize("site", ["same-origin", "same-site"])
async def test_a_frame_without_the_final_slash_is_redirected(house: House, site: str) -> None:
    ada = await house.signed_in()

    page = await ada.http.get("/gradio/framed?a=1", headers=framed(site))

    assert (page.status_code, page.headers["location"]) == (307, FRAMED)


async def test_a_page_that_may_not_be_framed_is_not_redirected_in_a_frame(
    mounted: Mounts,
) -> None:
    pages = [
        Page(demo=gr.Blocks(), title="Framed", csp={"frame-ancestors": PORTAL}),
        Page(demo=gr.Blocks(), title="Alone"),
    ]
    house = await mounted(gr.Blocks(), others=pages)
    ada = await house.signed_in()

    page = await ada.http.get("/gradio/alone", headers=framed("same-site"))

    assert page.status_code == 403
    assert frameable_by(page) == "'none'"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/gradio/framed/?deep_link=nope", 403),
        ("/gradio/framed/nope", 404),
        ("/gradio/framed/gradio_api/file=nope", 403),
    ],
)
async def test_an_error_page_of_an_app_may_be_framed_by_its_framers(
    house: House, address: str, status: int
) -> None:
    ada = await house.signed_in()

    page = await ada.http.get(address, headers=framed("same-site"))
    alone = await ada.http.get(address, headers=framed("same-origin", "document"))

    assert page.status_code == status
    assert frameable_by(page) == PORTAL
    assert link_in(page) == "/"
    assert "target=" not in alone.text


async def test_the_refusal_of_a_missing_role_may_be_framed(mounted: Mounts) -> None:
    csp = {"frame-ancestors": PORTAL}
    page = Page(demo=gr.Blocks(), title="Framed", csp=csp, roles={"boss"})
    house = await mounted(gr.Blocks(), others=[page])
    ada = await house.signed_in()

    refused = await ada.http.get(FRAMED, headers=framed("same-site"))

    assert refused.status_code == 403
    assert frameable_by(refused) == PORTAL


@pytest.mark.parametrize("address", ["/gradio/nope", "/nope", "/gradio/gradio_api/nope"])
async def test_an_error_page_beside_the_framed_app_is_not_framed(
    house: House, address: str
) -> None:
    ada = await house.signed_in()

    page = await ada.http.get(address, headers=framed("same-site"))

    assert page.status_code in {403, 404}
    assert frameable_by(page) == "'none'"
