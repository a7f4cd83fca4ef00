"""Settings of identity providers: what is read, and what is refused in one line."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from application.settings import ProviderSettings, SettingsInvalid, load
from domain.model.identity import RoleRule
from tests.processes import is_setting

ISSUER = "https://id.example.com/realms/main"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in filter(is_setting, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def faults(**texts: Any) -> list[str]:
    environment = texts.pop("environment", "dev")
    provider = ProviderSettings(**{"name": "corp", "issuer": ISSUER, "client_id": "id"} | texts)
    prod = {"secret_key": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE", "public_url": "https://example.com"}
    more = prod if environment == "prod" else {}
    try:
        load(env_file=None, environment=environment, oidc=(provider,), **more)
    except SettingsInvalid as error:
        return error.faults
    return []


def test_several_providers_are_read_from_the_environment_and_a_dotenv(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIOAPP_OIDC_CORP_ISSUER", f"{ISSUER}/.well-known/openid-configuration")
    monkeypatch.setenv("GRADIOAPP_OIDC_CORP_CLIENT_ID", "us")
    monkeypatch.setenv("gradioapp_oidc_corp_domains", "Example.com, example.org")
    monkeypatch.setenv(
        "GRADIOAPP_OIDC_CORP_ROLES",
        "groups:data-science=analyst,https://example.com/roles:urn:x=1=admin",
    )
    (folder / ".env").write_text(
        "GRADIOAPP_OIDC_CORP_CLIENT_ID=not us\nGRADIOAPP_OIDC_CORP_CLIENT_SECRET=hush\n"
        "GRADIOAPP_OIDC_CORP_CREATE=true\nGRADIOAPP_OIDC_B2_ISSUER=https://b.example.com\n"
        "GRADIOAPP_OIDC_B2_CLIENT_ID=b\nGRADIOAPP_OIDC_B2_LABEL=Bee Two\n"
        "GRADIOAPP_OIDC_B2_SCOPES=email groups\n"
    )

    settings = load()
    b2, corp = settings.providers.all

    assert (corp.name, corp.label, corp.issuer) == ("corp", "Corp", ISSUER)
    assert (corp.client_id, corp.client_secret, corp.creates) == ("us", "hush", True)
    assert corp.domains == {"example.com", "example.org"}
    assert corp.rules == (
        RoleRule(claim="groups", value="data-science", role="analyst"),
        RoleRule(claim="https://example.com/roles", value="urn:x=1", role="admin"),
    )
    assert (b2.name, b2.label, b2.scopes) == ("b2", "Bee Two", ("openid", "email", "groups"))
    assert (b2.domains, b2.rules, b2.creates) == (frozenset(), (), False)
    assert "hush" not in f"{settings!r}{settings.providers!r}"


@pytest.mark.parametrize(
    "name",
    [
        *("OIDC", "OIDC_ISSUER", "OIDC_CORP", "OIDC_CORP_ISUER", "OIDC_MY_CORP_ISSUER"),
        *("OIDC_2_ISSUER", "OIDC_CORP_"),
    ],
)
def test_an_unknown_name_is_a_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GRADIOAPP_{name}", "x")

    with pytest.raises(SettingsInvalid) as refused:
        load()

    assert any(
        line.startswith(f"GRADIOAPP_{name} is not a setting") for line in refused.value.faults
    )


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example.com/{tenantid}/v2.0",
        "https://login.example.com/common/v2.0",
        "https://login.example.com/organizations/v2.0",
        "https://login.example.com/Consumers/v2.0",
    ],
)
def test_an_issuer_of_many_tenants_is_refused_in_one_line(issuer: str) -> None:
    [line] = faults(issuer=issuer)

    assert line.startswith("GRADIOAPP_OIDC_CORP_ISSUER stands for many tenants: name your own")


@pytest.mark.parametrize(
    "issuer",
    [
        *("id.example.com", "ftp://id.example.com", "https://", "https://id.example.com?x=1"),
        *("https://me:pw@id.example.com", "https://id.example.com/#a", "https://[::1"),
        *("https://id.example.com:port", f"https://id.example.com/{'x' * 500}", "https://ïd.com"),
    ],
)
def test_an_issuer_that_is_no_address_is_refused(issuer: str) -> None:
    [line] = faults(issuer=issuer)

    assert line == ("GRADIOAPP_OIDC_CORP_ISSUER is not an address such as https://id.example.com")


def test_plain_http_is_for_a_provider_on_this_machine_and_not_in_prod() -> None:
    assert faults(issuer="http://127.0.0.1:9400") == []
    assert faults(issuer="http://localhost:9400") == []
    for issuer, environment in [
        ("http://id.example.com", "dev"),
        ("http://127.0.0.1:9400", "prod"),
        ("http://id.example.com", "prod"),
    ]:
        [line] = faults(issuer=issuer, environment=environment)
        assert line.startswith("GRADIOAPP_OIDC_CORP_ISSUER must be https://")


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        ({"issuer": ""}, "_ISSUER is missing"),
        ({"client_id": ""}, "_CLIENT_ID is missing"),
        ({"client_id": "a\nb"}, "_CLIENT_ID has characters"),
        ({"scopes": 'open"id'}, "_SCOPES is not a list"),
        ({"domains": "example.com,*.example.org"}, "_DOMAINS: *.example.org is not a domain"),
        ({"domains": "@example.com"}, "_DOMAINS: @example.com is not a domain"),
        ({"roles": "groups=analyst"}, "_ROLES: groups=analyst is not a rule"),
        ({"roles": "groups:it=Admin"}, "_ROLES: groups:it=Admin is not a rule"),
        ({"roles": "groups:it"}, "_ROLES: groups:it is not a rule"),
        ({"label": "x" * 41}, "_LABEL must have at most 40"),
        ({"label": "a\tb"}, "_LABEL must have at most 40"),
        ({"create": "perhaps", "domains": "example.com"}, "_CREATE must be true or false"),
        ({"create": "true"}, "_CREATE needs GRADIOAPP_OIDC_CORP_DOMAINS"),
    ],
)
def test_each_fault_is_one_line_with_the_name_of_its_setting(
    texts: dict[str, str], line: str
) -> None:
    [found] = faults(**texts)

    assert found.startswith(f"GRADIOAPP_OIDC_CORP{line}")


def test_two_providers_of_one_issuer_are_refused() -> None:
    two = [
        ProviderSettings(name=name, issuer=issuer, client_id="id", client_secret=SecretStr("s"))
        for name, issuer in (("a", ISSUER), ("b", f" {ISSUER}/.well-known/openid-configuration"))
    ]

    with pytest.raises(SettingsInvalid) as refused:
        load(env_file=None, environment="dev", oidc=tuple(two))

    assert refused.value.faults == [
        "GRADIOAPP_OIDC_B_ISSUER is the issuer of another provider too: remove one of the two"
    ]


@pytest.mark.parametrize("found", [["it", "hr"], "it"])
def test_a_rule_applies_to_a_claim_and_to_a_list_with_its_value(found: object) -> None:
    assert RoleRule(claim="groups", value="it", role="admin").applies_to({"groups": found})


@pytest.mark.parametrize("found", ["it hr", ["IT"], None, {"it": True}, [["it"]], []])
def test_a_rule_does_not_apply_to_another_value(found: object) -> None:
    rule = RoleRule(claim="groups", value="it", role="admin")

    assert not rule.applies_to({"groups": found})
    assert not rule.applies_to({})


def test_a_rule_reads_a_claim_within_others_and_true_as_text() -> None:
    nested = RoleRule(claim="realm_access.roles", value="it", role="admin")
    flag = RoleRule(claim="is_staff", value="true", role="staff")

    assert nested.applies_to({"realm_access": {"roles": ["it"]}})
    assert nested.applies_to({"realm_access.roles": ["it"]})
    assert not nested.applies_to({"realm_access": ["it"]})
    assert flag.applies_to({"is_staff": True})
    assert not flag.applies_to({"is_staff": False})


def test_passwords_can_be_switched_off_only_with_a_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRADIOAPP_PASSWORD_SIGN_IN", "off")

    with pytest.raises(SettingsInvalid) as refused:
        load()
    monkeypatch.setenv("GRADIOAPP_OIDC_CORP_ISSUER", ISSUER)
    monkeypatch.setenv("GRADIOAPP_OIDC_CORP_CLIENT_ID", "us")

    [line] = refused.value.faults
    assert line.startswith("GRADIOAPP_PASSWORD_SIGN_IN=off leaves no way to sign in")
    assert load().password_sign_in is False


def test_a_provider_cannot_have_the_name_of_a_page_of_sign_in() -> None:
    with pytest.raises(SettingsInvalid, match="names a provider done"):
        load(
            env_file=None,
            environment="test",
            oidc=(ProviderSettings(name="done", issuer="https://id.example.org", client_id="a"),),
        )
