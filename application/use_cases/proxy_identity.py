"""Use cases of sign-in by a proxy in front, which says in a signed header who a person is."""

from dataclasses import dataclass

from application.use_cases.auth import Recognise
from domain.errors import IdentityRefused, SessionReplaced
from domain.model.audit import Act
from domain.model.caller import SignedIn
from domain.model.identity import PROXY, Profile, Proof, Providers
from domain.ports.identities import ProxyIdentities
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.audit import AuditService
from domain.services.identities import IdentityService


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadProxyIdentity:
    providers: Providers
    client: ProxyIdentities

    async def __call__(self, token: str) -> Profile:
        """Return the person whom the header's token names. Raises IdentityRefused, ProviderUnavailable."""
        if self.providers.proxy is None:
            raise IdentityRefused(reason="no proxy")
        return await self.client.read(self.providers.proxy, token)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishAtProxy:
    audit: AuditService

    async def __call__(self, proof: Proof) -> Profile:
        """Return the person who comes to sign in, for SignInByIdentity. Raises IdentityRefused, ProviderUnavailable."""
        async with self.audit.step(Act.SIGN_IN, how="proxy", provider=PROXY):
            if not isinstance(proof, Profile):
                raise proof or IdentityRefused(reason="no header")
        return proof


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniseBehindProxy:
    units_of_work: UnitsOfWork
    providers: Providers
    identities: IdentityService
    recognise: Recognise
    cache: SessionCache
    audit: AuditService

    async def __call__(self, signed_token: str, proof: Proof, *, activity: bool) -> SignedIn:
        """Return the session of the signed token, if it may be used with what the request's header proves. End it if
        the header names another person. Raises SessionEnded, SessionReplaced, IdentityRefused, ProviderUnavailable,
        StoreUnavailable."""
        proxy = self.providers.proxy
        if proxy is None:
            return await self.recognise(signed_token, activity=activity)
        signed_in = await self.recognise(signed_token, activity=False)
        try:
            self.identities.must_fit_proof(signed_in.session, proxy, proof)
        except SessionReplaced:
            await self._end(signed_in)
            raise
        return await self.recognise(signed_token, activity=True) if activity else signed_in

    async def _end(self, signed_in: SignedIn) -> None:
        why = "the proxy names another person"
        async with (
            self.audit.act(
                Act.END_SESSION,
                by=None,
                of=signed_in.user.id,
                why=why,
                ended=str(signed_in.session.id),
            ),
            self.units_of_work.writing() as work,
        ):
            await work.sessions.remove([signed_in.session.id])
            await work.commit()
        self.cache.drop_sessions([signed_in.session.id])
