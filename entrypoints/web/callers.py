"""Find out who sends a request: a browser with a session, a program with an access token, or nobody."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any, Final, Protocol

from starlette.types import Scope

from domain.errors import (
    AccessTokenEnded,
    DomainError,
    IdentityRefused,
    ProviderUnavailable,
    SessionEnded,
    StoreUnavailable,
)
from domain.model.caller import SignedIn
from domain.model.identity import Proof
from entrypoints.access import Access, RecogniseAgain
from entrypoints.web.bearer import bearer_in
from entrypoints.web.cookies import Cookie
from entrypoints.web.errors import problem_of
from entrypoints.web.logs import RequestLog
from entrypoints.web.problems import Refused, RefusedLate, refusal
from entrypoints.web.proxy_identity import ProxyIdentity
from entrypoints.web.signed_out import SignedOut


class Recognises(Protocol):
    async def __call__(self, token: str, /, *, activity: bool) -> SignedIn:
        """Raises SessionEnded, AccessTokenEnded for an access token, and StoreUnavailable."""


class Callers:
    def __init__(
        self,
        *,
        recognise: Recognises,
        recognise_token: Recognises,
        cookie: Cookie,
        signed_out: SignedOut,
        identity: ProxyIdentity | None,
    ) -> None:
        """`recognise` takes the cookie's signed token, `recognise_token` an access token. `identity` is None if no proxy
        signs people in."""
        self._recognise = recognise
        self._recognise_token = recognise_token
        self._cookie = cookie
        self._signed_out = signed_out
        self._identity = identity

    @property
    def identity_header(self) -> bytes:
        """The header in which a proxy says who a person is; empty if no proxy does."""
        return b"" if self._identity is None else self._identity.header

    def take_identity(self, headers: dict[bytes, str], peer: str) -> str | None:
        """Remove the proxy's header, and return its token if there is one from a trusted proxy."""
        return None if self._identity is None else self._identity.taken_from(headers, peer)

    async def proof(
        self, token: str | None, rule: Access, headers: Mapping[bytes, str], line: RequestLog
    ) -> Proof:
        """Return what the header's token proves. It is not read where nobody asks who is there, nor for a program, which
        has an access token. The log line says why a token is refused."""
        is_asked = rule.who != "anyone" or rule.asks_store
        if self._identity is None or not is_asked or bearer_in(headers.get(b"authorization", "")):
            return None
        proof = await self._identity.proof(token)
        if isinstance(proof, _REFUSALS):
            line.notes["identity"] = proof.reason
        return proof

    def check_of(
        self, rule: Access, headers: dict[bytes, str], cookies: str, proof: Proof
    ) -> RecogniseAgain:
        """Return the function that checks the caller's access token, if there is one, or else the cookie. At open
        addresses, such as sign-in and sign-out, an access token does not count."""
        bearer = bearer_in(headers.get(b"authorization", ""))
        if bearer is not None:
            headers.pop(b"accept", None)  # The client is a program, even if it accepts HTML.
            return _nobody if rule.who == "anyone" else _checker_of(self._recognise_token, bearer)
        token = self._cookie.value_in(cookies)
        if token is None:
            return _nobody if not isinstance(proof, _REFUSALS) else _refused(proof)
        if self._identity is not None:
            return self._identity.checker_of(token, proof)
        return _checker_of(self._recognise, token)

    async def caller(
        self,
        recognise: RecogniseAgain,
        rule: Access,
        scope: Scope,
        headers: Mapping[bytes, str],
        *,
        is_activity: bool,
    ) -> SignedIn | None:
        """Return the caller, or None at an open address without a session. Raises Refused. If the store is
        unavailable, the request is refused, not treated as anonymous (ASVS 16.5.3)."""
        is_open = rule.who == "anyone"
        if is_open and not rule.asks_store:
            return None
        try:
            return await recognise(activity=is_activity)
        except AccessTokenEnded as error:
            raise Refused(problem_of(error)) from error
        except (SessionEnded, *_REFUSALS) as error:
            if is_open:
                return None
            problem = self._signed_out.sign_in_first(error, rule, scope, headers)
            raise Refused(problem) from error
        except DomainError as error:
            raise Refused(problem_of(error)) from error

    def check_of_body(
        self,
        recognise: RecogniseAgain,
        rule: Access,
        scope: Scope,
        headers: Mapping[bytes, str],
        line: RequestLog,
        *,
        is_activity: bool,
    ) -> Callable[[], Awaitable[None]]:
        """Return a function that checks the caller again while the body arrives: a body that is held back must outlive
        neither its session nor the roles that the address needs. The function raises RefusedLate."""

        async def check() -> None:
            # If the store is unavailable, the session was live a second ago, and is checked again in a second.
            with suppress(StoreUnavailable):
                try:
                    must_have_a_role(await recognise(activity=is_activity), rule, line)
                except Refused as refused:
                    raise RefusedLate(refused.problem) from None
                except AccessTokenEnded as error:
                    raise RefusedLate(problem_of(error)) from error
                except (SessionEnded, *_REFUSALS) as error:
                    problem = self._signed_out.sign_in_first(error, rule, scope, headers)
                    raise RefusedLate(problem) from error

        return check


def must_have_a_role(signed_in: SignedIn, rule: Access, line: RequestLog) -> None:
    """Raises Refused unless the caller has one of the address's roles. The log line names the roles (ASVS 16.3.2)."""
    if not rule.roles or not rule.roles.isdisjoint(signed_in.user.roles):
        return
    line.notes["needs"] = sorted(rule.roles)
    names = " or ".join(sorted(rule.roles))
    raise refusal(
        403,
        "role-missing",
        "Role missing",
        f"This page needs the role {names}, which {signed_in.user.email} does not have. "
        "An admin of this service can grant it.",
    )


def values_of(signed_in: SignedIn | None) -> dict[str, Any]:
    """Return a copy of the session's data, so that a callback's changes do not reach other requests of the session."""
    if signed_in is None or not signed_in.data:
        return {}
    return {key: deepcopy(entry.value) for key, entry in signed_in.data.items()}


def _checker_of(recognise: Recognises, token: str) -> RecogniseAgain:
    """Return a function that checks this token. It is not a `partial`, whose repr would show the token if an app
    prints its request."""

    async def check(*, activity: bool) -> SignedIn:
        return await recognise(token, activity=activity)

    return check


_REFUSALS: Final = (IdentityRefused, ProviderUnavailable)


def _refused(proof: IdentityRefused | ProviderUnavailable) -> RecogniseAgain:
    async def check(*, activity: bool) -> SignedIn:  # noqa: ARG001 -- The protocol's signature.
        raise proof

    return check


async def _nobody(*, activity: bool) -> SignedIn:  # noqa: ARG001 -- The protocol's signature.
    raise SessionEnded("Sign in first.")
