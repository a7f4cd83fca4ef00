"""Identity providers, what they say of a person, and the link between such a person and an account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domain.errors import IdentityRefused, ProviderNotFound, ProviderUnavailable
from domain.model.user import UserId

ATTEMPT_LASTS: Final = timedelta(minutes=10)
"""How long a person may take at the provider, and for proving a password afterwards."""
LONGEST_ISSUER: Final = 500
"""Characters; the limits that follow are characters too."""
LONGEST_SUBJECT: Final = 255
"""The limit of OpenID Connect Core 1.0, section 2. We also use it for `sid`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRule:
    """Gives a role to everybody whose claim has the value, or whose claim is a list with the value in it."""

    claim: str
    value: str
    role: str

    def applies_to(self, claims: Mapping[str, Any]) -> bool:
        found = _claim(claims, self.claim)
        values = found if isinstance(found, list) else [found]
        return any(_as_text(value) == self.value for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider, as the operator has configured it."""

    name: str
    """The end of its address below /login: lower-case letters and digits."""
    label: str
    """The name on the sign-in page."""
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    """Empty for a public client, which has only PKCE."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    domains: frozenset[str] = frozenset()
    """E-mail domains for which the provider may vouch. Empty: it never finds or makes an account by e-mail."""
    rules: tuple[RoleRule, ...] = ()
    creates: bool = False
    """True if a first sign-in makes an account where there is none."""

    @property
    def managed_roles(self) -> frozenset[str]:
        """The roles that the provider gives and takes at each sign-in."""
        return frozenset(rule.role for rule in self.rules)

    def granted(self, claims: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(rule.role for rule in self.rules if rule.applies_to(claims))


PROXY: Final = "proxy"
"""The name of the proxy, where a provider has a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProxy(Provider):
    """A proxy in front of the service, which signs people in itself and says in a signed header who they are. The
    `client_id` is the audience of the header's token."""

    header: str
    """In lower case."""
    jwks_url: str
    """The address of the keys that sign the token."""
    email_claim: str = "email"
    trusts_email: bool = False
    """True if the e-mail counts as verified although the token does not say so."""
    sign_out_url: str = ""
    """The address at which people sign out of the proxy; empty if there is none."""

    def email_in(self, claims: Mapping[str, Any]) -> tuple[object, bool]:
        """Return the e-mail, and whether it is verified. The claim `email_verified` speaks of the claim `email` only."""
        said = claims.get("email_verified") if self.email_claim == "email" else None
        is_verified = self.trusts_email if said is None else says_yes(said)
        return _claim(claims, self.email_claim), is_verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """All configured identity providers, and the proxy that signs people in, if there is one."""

    all: Sequence[Provider] = ()
    proxy: IdentityProxy | None = None

    def named(self, name: str) -> Provider:
        """Return a provider to which people are sent. Raises ProviderNotFound."""
        provider = self.find(name)
        if provider is None:
            raise ProviderNotFound
        return provider

    def find(self, name: str) -> Provider | None:
        return next((provider for provider in self.all if provider.name == name), None)

    def vouching(self, name: str) -> Provider:
        """Return a provider or the proxy. Raises ProviderNotFound."""
        return self.proxy if self.proxy is not None and name == PROXY else self.named(name)

    def is_proxy(self, issuer: str) -> bool:
        return self.proxy is not None and self.proxy.issuer == issuer

    def issuing(self, issuer: str) -> Provider | None:
        known = [*self.all, *([] if self.proxy is None else [self.proxy])]
        return next((provider for provider in known if provider.issuer == issuer), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider says of a person who has just signed in there. All signatures and times are checked."""

    issuer: str
    subject: str
    sid: str | None = None
    """The provider's own id of this sign-in, if it has one."""
    email: str = ""
    """As the provider writes it; it may be empty or no address."""
    is_email_verified: bool = False
    name: str = ""
    granted: frozenset[str] = frozenset()
    """The roles that the claims give."""
    authenticated_at: datetime | None = None
    """When the person last proved at the provider who they are; None if it does not say so."""


Proof = Profile | IdentityRefused | ProviderUnavailable | None
"""What the identity header of a request proves: a person, or nothing, for this reason. None: there is no such header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutNotice:
    """A provider's signed word that a person has signed out there. The signature and times are checked."""

    subject: str | None
    sid: str | None
    """At least one of `subject` and `sid` is given."""
    key: bytes
    """32 bytes that only this notice has."""
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person at a provider, linked to an account. An account has at most one identity of each issuer."""

    issuer: str
    subject: str
    user_id: UserId
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The sign-in at a provider with which a session began."""

    issuer: str
    subject: str
    sid: str | None = None


def says_yes(said: object) -> bool:
    """Return whether a claim is true. Some providers send a text; the number 1 equals True, and is none of both."""
    return said is True or said == "true"


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """Return a claim by its name, or by a path of names with dots, such as `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None
