"""Read the signed identity header of a proxy in front. Without a trusted proxy, the header says nothing."""

from typing import Final, Protocol

from application.settings import Settings
from application.use_cases import UseCases
from domain.errors import IdentityRefused, ProviderUnavailable
from domain.model.access_token import PREFIX
from domain.model.caller import SignedIn
from domain.model.identity import Profile, Proof
from entrypoints.access import RecogniseAgain
from entrypoints.web.bearer import bearer_in
from entrypoints.web.proxies import Proxies

IGNORED: Final = "The identity header is ignored"
"""The beginning of the log line about a peer that is not trusted."""
_AUTHORIZATION: Final = b"authorization"


class ReadsIdentity(Protocol):
    async def __call__(self, token: str, /) -> Profile:
        """Raises IdentityRefused, ProviderUnavailable."""


class RecognisesBehindProxy(Protocol):
    async def __call__(self, token: str, proof: Proof, /, *, activity: bool) -> SignedIn:
        """Return the session of the cookie's signed token, if it may be used with this proof. Raises SessionEnded,
        IdentityRefused, ProviderUnavailable, StoreUnavailable."""


class ProxyIdentity:
    def __init__(
        self, settings: Settings, *, read: ReadsIdentity, recognise: RecognisesBehindProxy
    ) -> None:
        self.header = settings.proxy_identity_header.lower().encode("ascii")
        self._proxies = Proxies(settings)
        self._read = read
        self._recognise = recognise

    @classmethod
    def of(cls, settings: Settings, use_cases: UseCases) -> "ProxyIdentity | None":
        """Return None if no proxy signs people in."""
        if not settings.proxy_identity_header:
            return None
        return cls(
            settings,
            read=use_cases.read_proxy_identity,
            recognise=use_cases.recognise_behind_proxy,
        )

    def taken_from(self, headers: dict[bytes, str], peer: str) -> str | None:
        """Remove the header, and return its token if a trusted proxy has sent it. In `Authorization`, leave our own
        access tokens, and whatever comes from anybody else."""
        if self.header == _AUTHORIZATION:
            token = bearer_in(headers.get(_AUTHORIZATION, ""))
            if not token or token.startswith(PREFIX) or not self._proxies.is_trusted(peer):
                return None
            del headers[_AUTHORIZATION]
            return token
        token = headers.pop(self.header, None)
        if token and not self._proxies.is_trusted(peer):
            self._proxies.name_once(
                peer,
                f"{IGNORED}, because it comes from an address that is not in GRADIOAPP_TRUSTED_PROXIES. "
                "If this is your proxy, add the address: until then, nobody is signed in by it",
            )
            return None
        return token or None

    async def proof(self, token: str | None) -> Proof:
        if token is None:
            return None
        try:
            return await self._read(token)
        except (IdentityRefused, ProviderUnavailable) as refused:
            return refused

    def checker_of(self, token: str, proof: Proof) -> RecogniseAgain:
        """Return a function that checks the cookie's signed token against the proof of its request."""

        async def check(*, activity: bool) -> SignedIn:
            return await self._recognise(token, proof, activity=activity)

        return check
