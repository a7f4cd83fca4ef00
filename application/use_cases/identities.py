"""Use cases of single sign-on: signing in at a provider, and what follows from it here."""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from application.use_cases.auth import account_key
from domain.errors import EmailInvalid, IdentityRefused, SignInRefused
from domain.model.audit import Act, Entry, role_changes, sessions_ended
from domain.model.caller import SignedIn
from domain.model.identity import PROXY, IdentityProxy, Profile, Provider, Providers
from domain.model.provider_tokens import ProviderTokens
from domain.model.session import Device, SessionId
from domain.model.user import User, canonical_email
from domain.ports.identities import IdentityProviders
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.audit import AuditService
from domain.services.auth import RETURNS, STARTS, AuthService
from domain.services.identities import IdentityService, Unproven
from domain.services.known_devices import KnownDeviceService
from domain.services.provider_tokens import ProviderTokenService
from domain.services.sessions import Opened, SessionService

_LONGEST_REASON = 60
"""Characters of a provider's error code in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    address: str
    """The provider's page for signing in."""
    state: str = field(repr=False)
    """The provider sends it back."""
    signed_token: str = field(repr=False)
    """For the cookie only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A person who came back from the provider."""

    profile: Profile
    wanted: str
    """The address to return to; empty for the start page."""
    tokens: ProviderTokens | None = field(default=None, repr=False)
    """Of the provider, if a page needs them. They never go to the browser."""
    confirms: SessionId | None = None
    """The session that this sign-in confirms; None if it opens a session."""
    begun_at: float = 0.0
    is_foreign: bool = False
    """True if a page of another site has begun the sign-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAtProvider:
    providers: Providers
    identities: IdentityService
    client: IdentityProviders
    auth: AuthService

    async def __call__(
        self,
        name: str,
        *,
        redirect_uri: str,
        wanted: str,
        address: str,
        scopes: Collection[str] = (),
        confirms: SessionId | None = None,
        is_foreign: bool = False,
    ) -> Started:
        """Begin a sign-in at the provider, for a visitor with this address. `scopes` are what the pages need beside the
        provider's own. With `confirms`, the person signs in there again, in order to confirm this session. `is_foreign`
        means that a page of another site has sent the visitor. Raises ProviderNotFound, ProviderUnavailable,
        SignInThrottled."""
        provider = self.providers.named(name)
        await self.auth.count(self.auth.limits_at_provider("start", STARTS, address=address))
        attempt, signed_token = self.identities.begin(
            provider, wanted, confirms=confirms, is_foreign=is_foreign
        )
        page = await self.client.authorization_address(
            provider,
            redirect_uri=redirect_uri,
            state=attempt.state,
            nonce=attempt.nonce,
            challenge=attempt.challenge,
            more_scopes=scopes,
            is_again=confirms is not None,
        )
        return Started(address=page, state=attempt.state, signed_token=signed_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishAtProvider:
    providers: Providers
    identities: IdentityService
    client: IdentityProviders
    auth: AuthService
    audit: AuditService

    async def __call__(
        self,
        name: str,
        *,
        address: str,
        signed_token: str | None,
        state: str,
        code: str,
        error: str,
        issuer: str | None,
        redirect_uri: str,
        scopes: Collection[str] = (),
    ) -> Returned:
        """Return the person who comes back from the provider with a code or an error. `signed_token` and `scopes` are those
        of StartAtProvider. Without scopes, no token of the provider is kept. Only a return that the provider does not
        confirm counts for the limit of the address. Raises ProviderNotFound, IdentityRefused, ProviderUnavailable,
        SignInThrottled."""
        provider = self.providers.named(name)
        async with self.audit.step(Act.SIGN_IN, how="provider", provider=name):
            attempt = self.identities.resume(provider, signed_token, state)
            _must_be_no_error(provider, error)
            limits = self.auth.limits_at_provider("return", RETURNS, address=address)
            async with self.auth.attempt(limits):
                redeemed = await self.client.redeem(
                    provider,
                    code=code,
                    issuer=issuer,
                    redirect_uri=redirect_uri,
                    verifier=attempt.verifier,
                    nonce=attempt.nonce,
                    more_scopes=scopes,
                )
        confirms = SessionId(UUID(attempt.confirms)) if attempt.confirms else None
        return Returned(
            profile=redeemed.profile,
            wanted=attempt.wanted,
            tokens=redeemed.tokens if scopes else None,
            confirms=confirms,
            begun_at=attempt.begun_at,
            is_foreign=attempt.is_foreign,
        )


def _must_be_no_error(provider: Provider, error: str) -> None:
    """Raises IdentityRefused for an error that came instead of a code (RFC 6749, section 4.1.2.1)."""
    if error == "access_denied":
        raise IdentityRefused(
            f"You did not sign in with {provider.label}. Start again, or choose another way.",
            reason=error,
        )
    if error:
        raise IdentityRefused(
            f"{provider.label} did not sign you in. Start again. If it happens again, tell an admin.",
            reason=f"error {error[:_LONGEST_REASON]!a}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepUnproven:
    """Keeps a sign-in at a provider in the browser while the person types the account's password."""

    providers: Providers
    identities: IdentityService

    def keep(self, name: str, returned: Returned) -> str:
        """Return a signed token for the cookie, which is not encrypted: without the provider's tokens."""
        return self.identities.keep_unproven(
            Unproven(provider=name, profile=returned.profile, wanted=returned.wanted)
        )

    def read(self, name: str, signed_token: str | None) -> Returned:
        """Raises ProviderNotFound, IdentityRefused."""
        unproven = self.identities.unproven(self.providers.vouching(name), signed_token)
        return Returned(profile=unproven.profile, wanted=unproven.wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInByIdentity:
    units_of_work: UnitsOfWork
    providers: Providers
    identities: IdentityService
    auth: AuthService
    sessions: SessionService
    devices: KnownDeviceService
    provider_tokens: ProviderTokenService
    cache: SessionCache
    audit: AuditService

    async def __call__(
        self,
        name: str,
        profile: Profile,
        device: Device,
        *,
        tokens: ProviderTokens | None = None,
        password: str | None = None,
        device_token: str | None = None,
        replacing: SignedIn | None = None,
        is_foreign: bool = False,
    ) -> Opened:
        """Open a session for the person whom the provider has recognised, and end `replacing`, the browser's previous
        session. `tokens` are the provider's, kept encrypted with the session. A sign-in that `is_foreign`, or over a live session,
        confirms the session only if the provider says when the person proved who they are. `password` proves an admin's account at its
        first sign-in; `device_token` is the signed token of a browser that has signed in with a password before, and whose
        wrong passwords count apart from those of strangers. Raises ProviderNotFound, IdentityRefused, IdentityTaken,
        LinkNeedsPassword, and with a password SignInRefused, SignInThrottled, HashingBusy."""
        by_whom = "proxy" if name == PROXY else "provider"
        how = by_whom if password is None else f"{by_whom} and password"
        async with self.audit.act(Act.SIGN_IN, by=None, how=how, provider=name) as entry:
            entry.typed = account_key(profile.email) or None
            provider, proven = self.providers.vouching(name), None
            if password is not None:
                proven = await self._prove(entry, profile, password, device, device_token)
            opened = await self._sign_in(
                entry, provider, profile, device, tokens, proven, replacing, is_foreign=is_foreign
            )
            entry.opened = opened.session.id
            entry.add(sessions_ended(opened.ended))
        return opened

    async def _sign_in(
        self,
        entry: Entry,
        provider: Provider,
        profile: Profile,
        device: Device,
        tokens: ProviderTokens | None,
        proven: User | None,
        replacing: SignedIn | None,
        *,
        is_foreign: bool,
    ) -> Opened:
        async with self.units_of_work.writing() as work:
            before, user = await self.identities.account_of(
                provider,
                profile,
                users=work.users,
                identities=work.identities,
                entry=entry,
                proven=None if proven is None else proven.id,
            )
            entry.add(role_changes(before.roles, user.roles))
            if proven is not None:
                self.auth.must_be_unchanged(user, since=proven)
            opened = await self.sessions.open(
                work.sessions,
                user,
                device,
                origin=self.identities.origin_of(profile),
                is_confirmed=proven is not None
                # A link or a text of another user may have sent whoever is signed in.
                or _is_proof(provider, profile, is_foreign=is_foreign or replacing is not None),
                authenticated_at=None if proven is not None else profile.authenticated_at,
                replacing=replacing,
            )
            if tokens is not None:
                sealed = self.provider_tokens.sealed(opened.session.id, tokens)
                await work.provider_tokens.add(opened.session.id, sealed)
            await work.commit()
        # Its roles may have changed.
        self.cache.drop_user(user.id)
        self.cache.drop_sessions(opened.ended)
        return opened

    async def _prove(
        self,
        entry: Entry,
        profile: Profile,
        password: str,
        device: Device,
        device_token: str | None,
    ) -> User:
        try:
            email = canonical_email(profile.email)
        except EmailInvalid as error:
            raise SignInRefused from error
        async with self.units_of_work.reading() as work:
            found = await work.users.find_by_email(email)
            known = await self.devices.recognise(work.known_devices, found, device_token)
        if found is not None:
            entry.found(found.id)
        limits = self.auth.limits_of_sign_in(address=device.address, account=email, known=known)
        async with self.auth.attempt(limits):
            user, _ = await self.auth.recognise(found, password)
        return user


def _is_proof(provider: Provider, profile: Profile, *, is_foreign: bool) -> bool:
    """Return whether the person has proved who they are. If it does not say since when, a proxy names a person for hours,
    and a provider may do so without a question when a page of another site sends the browser there."""
    may_be_silent = is_foreign or isinstance(provider, IdentityProxy)
    return not may_be_silent or profile.authenticated_at is not None
