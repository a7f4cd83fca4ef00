"""Settings of identity providers: several at once, each under a name of its own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from application.settings import environment
from application.settings.environment import PREFIX
from application.settings.hosts import is_loopback_name
from domain.errors import RoleInvalid
from domain.model.identity import LONGEST_ISSUER, Provider, RoleRule
from domain.model.user import checked_role, is_plain

KEYS: Final = (
    *("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "SCOPES"),
    *("DOMAINS", "ROLES", "LABEL", "CREATE"),
)
"""The ends of the names, after `GRADIOAPP_OIDC_<NAME>_`."""
WELL_KNOWN: Final = "/.well-known/openid-configuration"
LONGEST_LABEL: Final = 40
"""Characters."""

_VARIABLE: Final = re.compile(rf"{PREFIX}OIDC_([A-Z][A-Z0-9]{{0,29}})_({'|'.join(KEYS)})")
_DOMAIN: Final = re.compile(r"[^\s@,*./]+(\.[^\s@,*./]+)+")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_SHARED: Final = {"common", "organizations", "consumers"}
"""Parts of issuers that stand for more than one tenant: their tokens name another issuer."""
_SWITCH: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("", "0", "false", "no", "off"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """The texts of one provider's settings. Use `faults_of_providers` before `provider`."""

    name: str
    issuer: str = ""
    client_id: str = ""
    client_secret: SecretStr = field(default_factory=lambda: SecretStr(""))
    scopes: str = "openid profile email"
    domains: str = ""
    roles: str = ""
    label: str = ""
    create: str = ""

    @property
    def shown(self) -> str:
        """The name on the sign-in page."""
        return self.label or self.name.capitalize()

    @property
    def issuer_itself(self) -> str:
        """The issuer, also where the setting is the address of its document."""
        return self.issuer.strip().removesuffix(WELL_KNOWN)

    @property
    def provider(self) -> Provider:
        """Raises ValueError for faulty settings."""
        return Provider(
            name=self.name,
            label=self.shown,
            issuer=self.issuer_itself,
            client_id=self.client_id,
            client_secret=self.client_secret.get_secret_value(),
            scopes=_scopes(self.scopes),
            domains=frozenset(part.lower() for part in listed(self.domains)),
            rules=tuple(rule_in(part) for part in listed(self.roles)),
            creates=_SWITCH[self.create.lower()],
        )


class ProviderNames(PydanticBaseSettingsSource):
    """The setting `oidc`, collected from all variables of providers. The environment goes before `.env`."""

    def __init__(self, settings_cls: type[BaseSettings], dotenv: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._dotenv = dotenv

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 -- The library's signature.
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        variables = {name: environment.value(name) for name in environment.names()}
        found: dict[str, dict[str, Any]] = {}
        for name, value in (*self._dotenv.items(), *variables.items()):
            matched = _VARIABLE.fullmatch(name.upper())
            if matched and value:
                is_secret = matched[2] == "CLIENT_SECRET"
                texts = found.setdefault(matched[1].lower(), {})
                texts[matched[2].lower()] = SecretStr(value) if is_secret else value
        if not found:
            return {}
        return {
            "oidc": tuple(
                ProviderSettings(name=name, **texts) for name, texts in sorted(found.items())
            )
        }


_TAKEN: Final = "done"
"""The last part of an address below `/login/` that is no provider."""


def is_provider_variable(name: str) -> bool:
    return _VARIABLE.fullmatch(name.upper()) is not None


def faults_of_providers(providers: tuple[ProviderSettings, ...], *, is_prod: bool) -> list[str]:
    """Return one line per fault, which says what to do."""
    faults = [
        f"{PREFIX}OIDC_{provider.name.upper()}_{key}{said}"
        for provider in providers
        for key, said in _faults(provider, is_prod=is_prod)
    ]
    issuers = [provider.issuer_itself for provider in providers]
    faults += [
        f"{PREFIX}OIDC_{provider.name.upper()}_ISSUER is the issuer of another provider too: remove one of the two"
        for number, provider in enumerate(providers)
        if provider.issuer_itself and provider.issuer_itself in issuers[:number]
    ]
    return faults


def _faults(provider: ProviderSettings, *, is_prod: bool) -> Iterator[tuple[str, str]]:
    if provider.name == _TAKEN:
        yield "ISSUER", f" names a provider {_TAKEN}, which is a page of sign-in: take another name"
    yield from (("ISSUER", said) for said in _issuer_faults(provider.issuer, is_prod=is_prod))
    if not provider.client_id.isascii() or not provider.client_id.isprintable():
        yield "CLIENT_ID", " has characters that no client id has: copy it again"
    if not provider.client_id:
        yield "CLIENT_ID", " is missing: copy it from the provider's page of this application"
    if not all(map(_SCOPE.fullmatch, _scopes(provider.scopes))):
        yield "SCOPES", " is not a list such as: openid profile email"
    yield from faults_of_people(provider.domains, provider.roles, provider.shown)
    if provider.create.lower() not in _SWITCH:
        yield "CREATE", " must be true or false"
    elif _SWITCH[provider.create.lower()] and not listed(provider.domains):
        yield (
            "CREATE",
            f" needs {PREFIX}OIDC_{provider.name.upper()}_DOMAINS: name the e-mail domains that may have accounts",
        )


def faults_of_people(domains: str, roles: str, label: str) -> Iterator[tuple[str, str]]:
    """Yield the end of a setting's name and what is wrong, for the settings that a proxy has too."""
    for domain in listed(domains):
        if not _DOMAIN.fullmatch(domain):
            yield "DOMAINS", f": {domain} is not a domain such as example.com"
    for part in listed(roles):
        try:
            rule_in(part)
        except (ValueError, RoleInvalid):
            yield "ROLES", f": {part} is not a rule such as groups:data-science=analyst"
    if len(label) > LONGEST_LABEL or not is_plain(label):
        yield "LABEL", f" must have at most {LONGEST_LABEL} visible characters"


def _issuer_faults(issuer: str, *, is_prod: bool) -> Iterator[str]:
    if not issuer:
        yield " is missing: set it to the provider's issuer, such as https://id.example.com"
        return
    try:
        parts = urlsplit(issuer.strip().removesuffix(WELL_KNOWN))
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        yield " is not an address such as https://id.example.com"
        return
    if "{" in issuer or "}" in issuer or not _SHARED.isdisjoint(parts.path.lower().split("/")):
        yield " stands for many tenants: name your own tenant in the place of {tenantid}, common or organizations"
        return
    is_plain_url = parts.scheme in {"http", "https"} and host and len(issuer) <= LONGEST_ISSUER
    if not is_plain_url or parts.query or parts.fragment or parts.username or not issuer.isascii():
        yield " is not an address such as https://id.example.com"
    elif parts.scheme == "http" and (is_prod or not is_loopback_name(host)):
        yield " must be https://; http:// is for a provider on this machine, and not in prod"


def _scopes(text: str) -> tuple[str, ...]:
    wanted = dict.fromkeys(["openid", *text.replace(",", " ").split()])
    return tuple(wanted)


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def rule_in(text: str) -> RoleRule:
    """Read `claim:value=role`. The claim may be a URL, and the value may contain colons. Raises ValueError and
    RoleInvalid."""
    left, equals, role = text.rpartition("=")
    start = text.index("://") + 3 if text.startswith(("https://", "http://")) else 0
    claim, colon, value = left[start:].partition(":")
    if not equals or not colon or not claim or not value:
        raise ValueError
    return RoleRule(claim=left[:start] + claim, value=value, role=checked_role(role))
