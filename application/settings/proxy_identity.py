"""Settings of a proxy in front that signs people in, and says in a signed header who they are."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings

from application.settings.environment import PREFIX
from application.settings.hosts import is_loopback_name
from application.settings.oidc import ProviderSettings, faults_of_people, listed, rule_in
from domain.model.identity import LONGEST_ISSUER, PROXY, IdentityProxy

_START: Final = "proxy_identity_"
_HEADER: Final = re.compile(r"[a-z][a-z0-9-]{0,99}")
_TOKENS_OF_ALB: Final = {"x-amzn-oidc-data", "x-amzn-oidc-identity", "x-amzn-oidc-accesstoken"}
_UNSIGNED: Final = re.compile(
    r"x-forwarded-(user|email|groups|preferred-username|for|host|proto)|x-auth-request-(user|email|groups|preferred-username)|"
    r"(x-)?remote-.*|cf-access-authenticated-user-email|x-goog-authenticated-user-.*|x-webauth-.*|x-user|x-email|tailscale-user-.*"
)
"""Headers of well-known proxies that name a person in plain text."""
_OURS: Final = re.compile(
    r"accept.*|connection|content-.*|cookie|expect|host|if-.*|keep-alive|origin|proxy-.*|range|referer|sec-.*|te|trailer|"
    r"transfer-encoding|upgrade|user-agent|x-gradioapp-.*|x-gradio-.*|x-requested-with"
)
"""Headers with another meaning."""


class ProxyIdentitySettings(BaseSettings):
    """A part of the settings. Everything is off without `proxy_identity_header`."""

    proxy_identity_header: str = ""
    proxy_identity_issuer: str = ""
    proxy_identity_audience: str = ""
    proxy_identity_jwks_url: str = ""
    proxy_identity_email_claim: str = "email"
    proxy_identity_trust_email: bool = False
    proxy_identity_domains: str = ""
    proxy_identity_roles: str = ""
    proxy_identity_create: bool = False
    proxy_identity_label: str = "Single sign-on"
    proxy_identity_sign_out_url: str = ""

    @property
    def identity_proxy(self) -> IdentityProxy | None:
        """None if no proxy signs people in. Raises ValueError and RoleInvalid for faulty settings."""
        if not self.proxy_identity_header:
            return None
        return IdentityProxy(
            name=PROXY,
            label=self.proxy_identity_label,
            issuer=self.proxy_identity_issuer,
            client_id=self.proxy_identity_audience,
            domains=frozenset(part.lower() for part in listed(self.proxy_identity_domains)),
            rules=tuple(rule_in(part) for part in listed(self.proxy_identity_roles)),
            creates=self.proxy_identity_create,
            header=self.proxy_identity_header.lower(),
            jwks_url=self.proxy_identity_jwks_url,
            email_claim=self.proxy_identity_email_claim,
            trusts_email=self.proxy_identity_trust_email,
            sign_out_url=self.proxy_identity_sign_out_url,
        )


def faults_of_proxy(
    settings: ProxyIdentitySettings,
    *,
    providers: tuple[ProviderSettings, ...],
    has_trusted_proxies: bool,
    is_prod: bool,
) -> list[str]:
    """Return one line per fault, which says what to do."""
    start = f"{PREFIX}{_START.upper()}"
    if not settings.proxy_identity_header:
        changed = [
            name
            for name, field in ProxyIdentitySettings.model_fields.items()
            if getattr(settings, name) != field.default
        ]
        return [f"{PREFIX}{name.upper()} needs {start}HEADER" for name in changed]
    faults = [f"{start}{end}{said}" for end, said in _faults(settings, is_prod=is_prod)]
    if not has_trusted_proxies:
        faults.append(
            f"{start}HEADER needs {PREFIX}TRUSTED_PROXIES: the header is believed only from the addresses there"
        )
    faults += [
        f"{PREFIX}OIDC_{provider.name.upper()}_ISSUER is {start}ISSUER too: remove one of the two"
        for provider in providers
        if provider.issuer and provider.issuer_itself == settings.proxy_identity_issuer
    ]
    faults += [
        f"{PREFIX}OIDC_{PROXY.upper()}_ISSUER names a provider {PROXY}, which stands for the proxy: take another name"
        for provider in providers
        if provider.name == PROXY
    ]
    return faults


def _faults(settings: ProxyIdentitySettings, *, is_prod: bool) -> Iterator[tuple[str, str]]:
    yield from (("HEADER", said) for said in _header_faults(settings.proxy_identity_header.lower()))
    issuer, audience = settings.proxy_identity_issuer, settings.proxy_identity_audience
    if not issuer:
        yield "ISSUER", " is missing: set it to the claim iss of the proxy's tokens"
    elif not _is_word(issuer) or len(issuer) > LONGEST_ISSUER:
        yield "ISSUER", " has characters that no issuer has, or too many: copy it again"
    if not audience:
        yield (
            "AUDIENCE",
            " is missing: without it, a token for another service of the proxy would sign people in here. "
            "Set it to the claim aud of the proxy's tokens",
        )
    elif not _is_word(audience):
        yield "AUDIENCE", " has characters that no audience has: copy it again"
    if not settings.proxy_identity_jwks_url:
        yield "JWKS_URL", " is missing: set it to the address of the proxy's keys"
    else:
        said = _address_fault(settings.proxy_identity_jwks_url, is_prod=is_prod)
        yield from (("JWKS_URL", each) for each in said)
    if not _is_word(settings.proxy_identity_email_claim):
        yield "EMAIL_CLAIM", " is not the name of a claim such as email"
    yield from faults_of_people(
        settings.proxy_identity_domains,
        settings.proxy_identity_roles,
        settings.proxy_identity_label,
    )
    if settings.proxy_identity_create and not listed(settings.proxy_identity_domains):
        yield (
            "CREATE",
            f" needs {PREFIX}{_START.upper()}DOMAINS: name the e-mail domains that may have accounts",
        )
    out = settings.proxy_identity_sign_out_url
    if out and not (out.startswith("/") and out[1:2] not in {"/", "\\"} and _is_word(out)):
        said = _address_fault(out, is_prod=is_prod)
        yield from (("SIGN_OUT_URL", each) for each in said)


def _header_faults(header: str) -> Iterator[str]:
    if header in _TOKENS_OF_ALB:
        yield (
            " names a header of AWS load balancers, which is not supported: its keys are no key set, and its token names no "
            f"audience. Use {PREFIX}OIDC_<NAME>_ISSUER with the same provider instead"
        )
    elif _UNSIGNED.fullmatch(header):
        yield " names a header that is not signed: name the one with the signed token (JWT)"
    elif not _HEADER.fullmatch(header) or _OURS.fullmatch(header):
        yield " is not a header for a signed token, such as Cf-Access-Jwt-Assertion or Authorization"


def _address_fault(url: str, *, is_prod: bool) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    is_plain = bool(host) and _is_word(url) and not parts.fragment and not parts.username
    if not is_plain or parts.scheme not in {"http", "https"}:
        yield " is not an address such as https://id.example.com/keys"
    elif parts.scheme == "http" and (is_prod or not is_loopback_name(host)):
        yield " must be https://; http:// is for a proxy on this machine, and not in prod"


def _is_word(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
