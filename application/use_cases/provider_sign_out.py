"""Use cases of signing out at a provider: from here, and from there."""

from contextlib import suppress
from dataclasses import dataclass

from domain.errors import IdentityRefused, ProviderUnavailable
from domain.model.audit import Act
from domain.model.identity import IdentityProxy, Providers
from domain.model.session import Session
from domain.ports.identities import IdentityProviders
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.audit import AuditService
from domain.services.auth import LOGOUTS, AuthService


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveProvider:
    providers: Providers
    client: IdentityProviders

    async def __call__(self, session: Session, *, back: str) -> tuple[str, str] | None:
        """Return label and address for signing out at the provider with which the session began; None if there is no
        such address now. For a proxy, which would sign the person in again, the address may be empty. The session itself
        has ended already."""
        if session.origin is None:
            return None
        provider = self.providers.issuing(session.origin.issuer)
        if provider is None:
            return None
        if isinstance(provider, IdentityProxy):
            return provider.label, provider.sign_out_url
        with suppress(ProviderUnavailable):
            address = await self.client.sign_out_address(provider, back=back)
            return None if address is None else (provider.label, address)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndByProvider:
    units_of_work: UnitsOfWork
    providers: Providers
    client: IdentityProviders
    auth: AuthService
    cache: SessionCache
    audit: AuditService

    async def __call__(self, name: str, logout_token: str, *, address: str) -> int:
        """End the sessions that the provider's signed logout token names, and return how many. A token works once.
        Only a token that is not valid counts for the limit of the address. Raises ProviderNotFound, IdentityRefused,
        ProviderUnavailable, SignInThrottled."""
        provider = self.providers.named(name)
        limits = self.auth.limits_at_provider("logout", LOGOUTS, address=address)
        async with (
            self.audit.act(Act.END_SESSION, by=None, how="provider", provider=name) as entry,
            self.auth.attempt(limits),
        ):
            notice = await self.client.read_logout_token(provider, logout_token)
            async with self.units_of_work.writing() as work:
                if not await work.identities.spend_logout_token(
                    notice.key, expires_at=notice.expires_at
                ):
                    raise IdentityRefused("This logout token was used before.", reason="jti")
                sessions = await work.sessions.of_provider(
                    provider.issuer, subject=notice.subject, sid=notice.sid
                )
                ended = [session.id for session in sessions]
                await work.sessions.remove(ended)
                await work.commit()
            entry.of = next((session.user_id for session in sessions), None)
            entry.details = {**entry.details, "sessions": len(ended)}
        self.cache.drop_sessions(ended)
        return len(ended)
