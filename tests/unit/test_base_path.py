"""The path of the public URL, below which a service shares its host with others."""

import pytest

from application.settings import SettingsInvalid, load
from entrypoints.base_path import AT_ROOT, BasePath
from entrypoints.web.cookies import Cookies
from entrypoints.web.headers import ResponseHeaders

APP = BasePath("/tools/app")


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("/tools/app", "/"),
        ("/tools/app/", "/"),
        ("/tools/app/login", "/login"),
        ("/tools/app?a=b", "/?a=b"),
        ("/login", "/login"),
        ("/tools/apple", "/tools/apple"),
        ("/tools", "/tools"),
        ("/tools/app/tools/app/x", "/tools/app/x"),
    ],
)
def test_an_address_is_known_inside_without_the_path(address: str, inside: str) -> None:
    assert APP.without(address) == inside
    assert AT_ROOT.without(address) == address


def test_a_request_has_the_same_address_whether_a_proxy_has_removed_the_path_or_not() -> None:
    kept = {"path": "/tools/app/é", "raw_path": b"/tools/app/%C3%A9"}
    removed = {"path": "/é", "raw_path": b"/%C3%A9"}

    assert APP.inside(kept) == APP.inside(removed) == removed
    assert APP.inside({"path": "/tools/app", "raw_path": b"/tools/app"})["raw_path"] == b"/"


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("/", "/tools/app/"),
        ("/login?next=/gradio/", "/tools/app/login?next=/gradio/"),
        ("//evil.example/", "//evil.example/"),
        ("https://example.org/", "https://example.org/"),
    ],
)
def test_only_paths_of_the_service_are_put_below_the_path(address: str, outside: str) -> None:
    assert APP.outside(address) == outside
    assert AT_ROOT.outside(address) == address


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://example.org/app", "/app"),
        ("https://example.org/app/", "/app"),
        ("https://example.org/a/b-c/d_e", "/a/b-c/d_e"),
        ("https://example.org/", ""),
    ],
)
def test_the_public_url_may_have_a_path(url: str, base: str) -> None:
    settings = load(env_file=None, environment="test", public_url=url)

    assert settings.base_path == base
    assert settings.public_url == f"https://example.org{base}"


@pytest.mark.parametrize(
    "path", ["/a b", "/a//b", "/../a", "/a%2fb", "/é", "/a;b", '/a"b', "/a?b=c", "/a#b"]
)
def test_a_path_with_other_signs_is_refused(path: str) -> None:
    with pytest.raises(SettingsInvalid, match="PUBLIC_URL is not an address such as"):
        load(env_file=None, environment="test", public_url=f"https://example.org{path}")


@pytest.mark.parametrize("path", ["/gradio", "/gradio/x", "/login", "/api/v1", "/static"])
def test_a_path_that_is_an_address_of_the_service_is_refused(path: str) -> None:
    with pytest.raises(SettingsInvalid, match="the service itself uses addresses below"):
        load(env_file=None, environment="dev", public_url=f"https://example.org{path}")


@pytest.mark.asvs("3.3.1", "3.3.3")
def test_cookies_belong_to_the_path_and_not_to_the_host() -> None:
    settings = load(env_file=None, environment="test", public_url="https://example.org/app")

    cookies = Cookies.of(settings)

    for cookie in (cookies.session, cookies.form, cookies.last):
        assert cookie.name.startswith("__Secure-gradioapp-")
        for header in (cookie.set("x"), cookie.drop()):
            assert "; Path=/app; HttpOnly; " in header
            assert header.endswith("; Secure")


@pytest.mark.asvs("3.4.1")
def test_no_header_counts_for_the_whole_host() -> None:
    def names(url: str) -> set[bytes]:
        settings = load(env_file=None, environment="test", public_url=url)
        return {name for name, _ in ResponseHeaders(settings).complete([], b"1")}

    hsts = b"strict-transport-security"
    assert hsts in names("https://example.org")
    assert hsts not in names("https://example.org/app")
