"""Settings of a proxy that signs people in: what is read, and what is refused in one line."""

import os
from pathlib import Path
from typing import Any, Final

import pytest

from application.settings import ProviderSettings, SettingsInvalid, load
from domain.model.identity import RoleRule
from tests.processes import is_setting

START: Final = "GRADIOAPP_PROXY_IDENTITY_"
CLOUDFLARE: Final = {
    "header": "Cf-Access-Jwt-Assertion",
    "issuer": "https://team.cloudflareaccess.com",
    "audience": "32eafc7626e737d3",
    "jwks_url": "https://team.cloudflareaccess.com/cdn-cgi/access/certs",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in filter(is_setting, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def faults(*, environment: str = "dev", **texts: Any) -> list[str]:
    prod = {"secret_key": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE", "public_url": "https://example.com"}
    values: dict[str, Any] = {"trusted_proxies": "10.0.0.1", **CLOUDFLARE, **texts}
    own = {"trusted_proxies", "oidc", "password_sign_in"}
    settings = {
        name if name in own else f"proxy_identity_{name}": value for name, value in values.items()
    }
    try:
        load(
            env_file=None,
            environment=environment,
            **settings,
            **(prod if environment == "prod" else {}),
        )
    except SettingsInvalid as error:
        return error.faults
    return []


def test_a_proxy_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        **CLOUDFLARE,
        "email_claim": "mail",
        "trust_email": "true",
        "domains": "Example.com, example.org",
        "roles": "groups:it=admin",
        "create": "yes",
        "label": "Cloudflare",
        "sign_out_url": "/cdn-cgi/access/logout",
    }.items():
        monkeypatch.setenv(f"{START}{name.upper()}", value)
    monkeypatch.setenv("GRADIOAPP_TRUSTED_PROXIES", "10.0.0.1")

    proxy = load().providers.proxy

    assert proxy is not None
    assert (proxy.name, proxy.label, proxy.issuer) == ("proxy", "Cloudflare", CLOUDFLARE["issuer"])
    assert (proxy.client_id, proxy.header) == ("32eafc7626e737d3", "cf-access-jwt-assertion")
    assert proxy.domains == {"example.com", "example.org"}
    assert proxy.rules == (RoleRule(claim="groups", value="it", role="admin"),)
    assert (proxy.email_claim, proxy.trusts_email, proxy.creates) == ("mail", True, True)
    assert proxy.sign_out_url == "/cdn-cgi/access/logout"


def test_without_a_header_no_proxy_signs_people_in() -> None:
    assert load().providers.proxy is None
    assert faults(environment="prod") == []


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        ({"trusted_proxies": ""}, "HEADER needs GRADIOAPP_TRUSTED_PROXIES"),
        ({"issuer": ""}, "ISSUER is missing"),
        ({"issuer": "https://id .example.com"}, "ISSUER has characters"),
        ({"issuer": "x" * 501}, "ISSUER has characters"),
        ({"audience": ""}, "AUDIENCE is missing: without it, a token for another service"),
        ({"audience": "a b"}, "AUDIENCE has characters"),
        ({"jwks_url": ""}, "JWKS_URL is missing"),
        ({"jwks_url": "team.example.com/certs"}, "JWKS_URL is not an address"),
        ({"jwks_url": "ftp://team.example.com"}, "JWKS_URL is not an address"),
        ({"jwks_url": "https://me:pw@team.example.com"}, "JWKS_URL is not an address"),
        ({"jwks_url": "https://[::1"}, "JWKS_URL is not an address"),
        ({"jwks_url": "http://team.example.com/certs"}, "JWKS_URL must be https://"),
        ({"email_claim": "e mail"}, "EMAIL_CLAIM is not the name of a claim"),
        ({"domains": "*.example.com"}, "DOMAINS: *.example.com is not a domain"),
        ({"roles": "groups:it"}, "ROLES: groups:it is not a rule"),
        ({"label": "x" * 41}, "LABEL must have at most 40"),
        ({"create": True}, f"CREATE needs {START}DOMAINS"),
        ({"sign_out_url": "//evil.example.com"}, "SIGN_OUT_URL is not an address"),
        ({"sign_out_url": "/\\evil.example.com"}, "SIGN_OUT_URL is not an address"),
        ({"sign_out_url": "javascript:alert(1)"}, "SIGN_OUT_URL is not an address"),
        ({"sign_out_url": "http://example.com/out"}, "SIGN_OUT_URL must be https://"),
        ({"header": ""}, "ISSUER needs GRADIOAPP_PROXY_IDENTITY_HEADER"),
    ],
)
def test_each_fault_is_one_line_with_the_name_of_its_setting(
    texts: dict[str, Any], line: str
) -> None:
    found = faults(**texts)

    assert found[0].startswith(f"{START}{line}")
    assert len(found) == 1 or not texts.get("header", "x")


@pytest.mark.parametrize(
    "header",
    [
        *("X-Forwarded-User", "x-forwarded-email", "X-Auth-Request-Email", "Remote-User"),
        *(
            "Cf-Access-Authenticated-User-Email",
            "X-Goog-Authenticated-User-Email",
            "X-Webauth-User",
        ),
    ],
)
@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_header_without_a_signature_is_refused(header: str, environment: str) -> None:
    [line] = faults(header=header, environment=environment)

    assert line.startswith(f"{START}HEADER names a header that is not signed")


@pytest.mark.parametrize("header", ["X-Amzn-Oidc-Data", "x-amzn-oidc-accesstoken"])
def test_the_headers_of_an_aws_load_balancer_are_refused_with_what_to_do(header: str) -> None:
    [line] = faults(header=header)

    assert line.startswith(f"{START}HEADER names a header of AWS load balancers")
    assert "GRADIOAPP_OIDC_<NAME>_ISSUER" in line


@pytest.mark.parametrize(
    "header",
    ["Cookie", "Host", "Origin", "Sec-Fetch-Site", "X_Jwt", "X Jwt", "X-Gradioapp-Passive", "Ünl"],
)
def test_a_header_that_means_something_else_is_refused(header: str) -> None:
    [line] = faults(header=header)

    assert line.startswith(f"{START}HEADER is not a header for a signed token")


@pytest.mark.parametrize(
    "header",
    ["Authorization", "X-Goog-IAP-JWT-Assertion", "X-Pomerium-Jwt-Assertion", "X-Id-Token"],
)
def test_headers_with_a_signed_token_are_accepted(header: str) -> None:
    assert faults(header=header, environment="prod") == []


def test_plain_http_is_for_keys_on_this_machine_and_not_in_prod() -> None:
    local = {"jwks_url": "http://127.0.0.1:4180/keys"}

    assert faults(**local) == []
    [line] = faults(**local, environment="prod")
    assert line.startswith(f"{START}JWKS_URL must be https://")


def test_a_provider_with_the_same_issuer_or_name_is_refused() -> None:
    same = ProviderSettings(name="corp", issuer=CLOUDFLARE["issuer"], client_id="us")
    named = ProviderSettings(name="proxy", issuer="https://id.example.com", client_id="us")

    [line] = faults(oidc=(same,))
    [other] = faults(oidc=(named,))

    assert line.startswith(f"GRADIOAPP_OIDC_CORP_ISSUER is {START}ISSUER too")
    assert other.startswith("GRADIOAPP_OIDC_PROXY_ISSUER names a provider proxy")


def test_passwords_can_be_switched_off_with_a_proxy() -> None:
    assert faults(password_sign_in=False) == []
