"""Requests to a provider's token endpoint (RFC 6749)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from adapters.oidc.fetching import Answer, Rejected, Unusable, must_be_ok, post
from adapters.oidc.metadata import Metadata
from domain.errors import IdentityRefused
from domain.model.identity import Provider


async def exchange(
    provider: Provider, metadata: Metadata, grant: Mapping[str, str], *, limit: float
) -> dict[str, Any]:
    """Exchange a code or a refresh token for tokens. `limit` is the time in seconds. Raises IdentityRefused for a grant
    that is not valid any more, and Unusable."""
    client: tuple[str, str] | None = None
    form = dict(grant)
    if provider.client_secret and metadata.takes_basic:
        # RFC 6749, section 2.3.1 encodes both parts.
        client = (quote_plus(provider.client_id), quote_plus(provider.client_secret))
    else:
        form["client_id"] = provider.client_id
        if provider.client_secret:
            form["client_secret"] = provider.client_secret
    answer = await post(metadata.token_endpoint, form, limit=limit, client=client)
    if answer.status in {400, 401}:
        raise _refused(answer)
    must_be_ok(answer, "the token endpoint")
    return answer.members()


def _refused(answer: Answer) -> IdentityRefused | Unusable:
    """Return the error for a response of the token endpoint (RFC 6749, section 5.2)."""
    code = answer.members().get("error")
    if code == "invalid_grant":
        return IdentityRefused(
            "This sign-in was used already or took too long. Start again.", reason="invalid_grant"
        )
    said = code if isinstance(code, str) and code.isascii() and code.isprintable() else "nothing"
    return Rejected(f"the token endpoint says {said[:60]}")
