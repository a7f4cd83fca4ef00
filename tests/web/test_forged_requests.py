"""No page of another site makes a browser do anything here: each act of ours, in every shape of a forged request. Each
case says what is answered, and that nothing has changed. The same act in its right shape is done, and changes something."""

from dataclasses import replace
from typing import Final

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from entrypoints.web.routes import ROUTERS
from tests.lying_provider import LyingProvider
from tests.web.acts import (
    ACTS,
    API_ACTS,
    FORMS,
    READS_NO_FORM,
    opens_session,
)
from tests.web.conftest import HERE, MakeDoor
from tests.web.forgeries import (
    FOREIGN,
    FORM_TYPES,
    HOSTS,
    JSON_TYPES,
    NOTHING,
    OURS,
    Headers,
)
from tests.web.forging import FOREIGN_ORIGIN, UNKNOWN_HOST, Refusal, is_done, is_refused, kept
from tests.web.houses import House, provider

pytestmark = pytest.mark.asvs("V3.5.1")


@pytest.fixture
def house(make_door: MakeDoor, liar: LyingProvider) -> House:
    door = make_door(oidc=(provider(liar, "corp"),), remember_days=30)
    liar.clock = door.clock
    return House(door, liar)


ONLY_EXPLAINS: Final = "/gradio_api/{rest:path}"
"""404 for every method, with a hint for the author of the app."""


def test_the_table_has_every_address_of_ours_that_changes_something() -> None:
    unsafe = {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, Route | APIRoute) and route.path != ONLY_EXPLAINS
        for method in (route.methods or set()) - {"GET", "HEAD"}
    }

    assert unsafe == {
        ("POST", "/login"),
        ("POST", "/logout"),
        ("POST", "/setup"),
        ("POST", "/login/{name}/link"),
        ("POST", "/login/{name}/backchannel"),
        ("POST", "/api/v1/me/password"),
        ("DELETE", "/api/v1/me/sessions"),
        ("DELETE", "/api/v1/me/sessions/{session_id}"),
        ("POST", "/api/v1/me/tokens"),
        ("DELETE", "/api/v1/me/tokens/{token_id}"),
        ("POST", "/api/v1/users"),
        ("PATCH", "/api/v1/users/{user_id}"),
        ("DELETE", "/api/v1/users/{user_id}/sessions"),
        ("DELETE", "/api/v1/users/{user_id}/tokens"),
        ("DELETE", "/api/v1/users/{user_id}/tokens/{token_id}"),
        ("POST", "/api/v1/me/confirmation"),
        ("POST", "/csp-reports"),
    }


@pytest.mark.parametrize("act", ACTS)
async def test_another_site_cannot_do_it(house: House, act: str, subtests: pytest.Subtests) -> None:
    sent = await ACTS[act](house)
    shapes = FOREIGN | (NOTHING if sent.has_session_cookie else {})

    for name, headers in shapes.items():
        with subtests.test(headers=name):
            await is_refused(house, sent, headers, FOREIGN_ORIGIN)

    await is_done(house, sent)


@pytest.mark.parametrize("act", ACTS)
async def test_another_host_name_cannot_do_it(
    house: House, act: str, subtests: pytest.Subtests
) -> None:
    sent = await ACTS[act](house)

    for name, headers in HOSTS.items():
        with subtests.test(host=name):
            mine = [] if any(one == "origin" for one, _ in headers) else [("origin", HERE)]
            await is_refused(house, sent, [*mine, *headers], UNKNOWN_HOST)

    await is_done(house, sent)


@pytest.mark.parametrize("act", ["sign in", "sign out", "change my password"])
@pytest.mark.parametrize("shape", OURS)
async def test_our_own_page_can_do_it(house: House, act: str, shape: str) -> None:
    sent = await ACTS[act](house)
    before = kept(house)

    answer = await sent.with_headers(OURS[shape])

    if sent.form is None and ("sec-fetch-mode", "navigate") in OURS[shape]:
        assert answer.status_code == 415  # Only forms are sent like this.
        assert kept(house) == before
    else:
        assert answer.status_code < 400
        assert kept(house) != before


@pytest.mark.parametrize("act", API_ACTS)
async def test_a_body_that_is_not_json_does_nothing(
    house: House, act: str, subtests: pytest.Subtests
) -> None:
    sent = await API_ACTS[act](house)
    if sent.json is None:
        sent.json = {}  # A form cannot send these methods, and a body changes nothing about it.

    for kind in JSON_TYPES if sent.method in {"POST", "PATCH"} else ():
        with subtests.test(content_type=kind):
            await is_refused(house, sent, [("origin", HERE)], Refusal(415), content_type=kind)

    await is_done(house, sent)


@pytest.mark.parametrize("act", [name for name in FORMS if name != READS_NO_FORM])
async def test_a_form_of_another_content_type_does_nothing(
    house: House, act: str, subtests: pytest.Subtests
) -> None:
    sent = await FORMS[act](house)

    for kind in FORM_TYPES:
        with subtests.test(content_type=kind):
            await is_refused(house, sent, [("origin", HERE)], Refusal(415), content_type=kind)

    await is_done(house, sent)


@pytest.mark.parametrize("act", ACTS)
async def test_no_other_method_does_it(house: House, act: str, subtests: pytest.Subtests) -> None:
    sent = await ACTS[act](house)
    before = kept(house)
    tries: dict[str, tuple[str, str, Headers]] = {
        "query of a link": ("GET", f"{sent.path}?{sent.body.decode()}", []),
        "query of an image": ("GET", f"{sent.path}?{sent.body.decode()}", [("accept", "image/*")]),
        "head": ("HEAD", sent.path, []),
        "override in a header": ("GET", sent.path, [("x-http-method-override", sent.method)]),
        "override in another header": ("GET", sent.path, [("x-method-override", sent.method)]),
        "override in a third header": ("GET", sent.path, [("x-http-method", sent.method)]),
        "override in the query": ("GET", f"{sent.path}?_method={sent.method}", []),
        "preflight": (
            "OPTIONS",
            sent.path,
            [("origin", "https://evil.example"), ("access-control-request-method", sent.method)],
        ),
        "put": ("PUT", sent.path, [("origin", HERE)]),
        "a method nobody knows": ("FROB", sent.path, [("origin", HERE)]),
    }

    for name, (method, path, headers) in tries.items():
        with subtests.test(tried=name):
            answer = await replace(sent, path=path).with_headers(headers, method=method)

            assert kept(house) == before
            assert not opens_session(answer)
            assert not any(one.startswith("access-control-") for one in answer.headers)
            if method not in {"GET", "HEAD"}:
                assert answer.status_code in {401, 403, 404, 405}

    await is_done(house, sent)
