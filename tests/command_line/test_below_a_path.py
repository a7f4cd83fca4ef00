"""Two services below paths of one host, behind a real nginx, for programs."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from gradio_client import Client, handle_file  # type: ignore[import-untyped]

from entrypoints.ui.delivery.front_end import assets_folder
from tests.nginx import side_by_side, sign_in, token_of

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with side_by_side(tmp_path_factory.mktemp("host")) as urls:
        yield urls


@pytest.fixture(params=["kept", "removed"])
def url(request: pytest.FixtureRequest, services: Mapping[str, str]) -> str:
    """Return the public URL of a service whose path nginx has kept in requests, or removed from them."""
    return services[request.param]


@pytest.fixture
def browser(url: str) -> Iterator[httpx.Client]:
    parts = urlsplit(url)
    with httpx.Client(headers={"origin": f"{parts.scheme}://{parts.netloc}"}, timeout=30) as client:
        yield client


def test_links_and_redirects_stay_below_the_path(browser: httpx.Client, url: str) -> None:
    base = urlsplit(url).path
    start = browser.get(f"{url}/", headers={"accept": "text/html"})
    page = browser.get(f"{url}/gradio/shout/?a=b", headers={"accept": "text/html"})
    form = browser.get(f"{url}/login").text
    manifest = browser.get(f"{url}/manifest.json").json()
    refused = browser.get(f"{url}/api/v1/me").json()

    assert start.headers["location"] == f"{base}/login"
    assert page.headers["location"] == f"{base}/login?next=/gradio/shout/%3Fa%3Db"
    assert refused["login"] == f"{base}/login"
    assert (manifest["start_url"], manifest["scope"]) == (f"{base}/gradio/", f"{base}/")
    links = re.findall(r'(?:href|src|action)="([^"]+)"', form)
    links += [icon["src"] for icon in manifest["icons"]]
    assert len(links) > 5
    for link in links:
        assert link.startswith(f"{base}/")
        assert browser.get(f"{url}{link.removeprefix(base)}").status_code in {200, 405}


@pytest.mark.parametrize("has_path", [True, False])
def test_a_sign_in_leads_back_below_the_path(
    browser: httpx.Client, url: str, *, has_path: bool
) -> None:
    base = urlsplit(url).path

    response = sign_in(browser, url, then=f"{base if has_path else ''}/gradio/shout/?a=b")
    page = browser.get(f"{url}/gradio/shout/")

    assert response.status_code == 303
    assert response.headers["location"] == f"{base}/gradio/shout/?a=b"
    cookies = response.headers.get_list("set-cookie")
    assert len(cookies) == 3
    assert all(f"; Path={base}; " in cookie for cookie in cookies)
    assert "clear-site-data" not in response.headers
    assert page.status_code == 200
    assert f'<form method="post" action="{base}/logout">' in page.text
    assert f"report-uri {base}/csp-reports" in page.headers["content-security-policy"]
    assert f"{base}/gradio/shout/{assets_folder()}/" in page.headers["content-security-policy"]


@pytest.mark.parametrize("then", ["//evil.example", "/evil.example/..//x", "/\\evil.example"])
def test_no_sign_in_leads_to_another_host_by_way_of_the_path(
    browser: httpx.Client, url: str, then: str
) -> None:
    base = urlsplit(url).path

    response = sign_in(browser, url, then=f"{base}{then}")

    there = urlsplit(response.headers["location"])
    assert there.netloc == ""
    assert there.path.startswith(f"{base}/gradio/")


def test_gradios_own_client_sends_and_gets_files(
    browser: httpx.Client, url: str, tmp_path: Path
) -> None:
    sign_in(browser, url)
    (tmp_path / "a.txt").write_text("hello")
    client = Client(
        f"{url}/gradio/shout/",
        headers={"Authorization": f"Bearer {token_of(browser, url)}"},
        download_files=str(tmp_path / "got"),
        verbose=False,
    )

    text, back = client.predict("hi", handle_file(str(tmp_path / "a.txt")), api_name="/shout")
    root = browser.get(f"{url}/gradio/shout/config").json()["root"]

    assert text == "HI!"
    assert Path(back).read_text() == "hello"
    assert root == f"{url}/gradio/shout"
    client.close()


def test_mcp_tools_are_called_below_the_path(browser: httpx.Client, url: str) -> None:
    sign_in(browser, url)
    headers = {"Authorization": f"Bearer {token_of(browser, url)}"}

    def says(method: str, **params: Any) -> Any:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        response = httpx.post(
            f"{url}/gradio/shout/gradio_api/mcp", json=message, headers=headers, timeout=30
        )
        assert response.status_code == 200, response.text
        return response.json()["result"]

    [tool] = says("tools/list")["tools"]
    result = says("tools/call", name=tool["name"], arguments={"text": "hi", "file": None})

    assert json.dumps("HI!") in json.dumps(result)


def test_a_wrong_host_name_is_refused_below_the_path_too(browser: httpx.Client, url: str) -> None:
    response = browser.get(f"{url}/login", headers={"host": "evil.example"})

    assert response.status_code == 400
