"""Read what a provider's claims say of a person."""

from collections.abc import Mapping
from typing import Any

from adapters.oidc.tokens import id_in, optional_id, optional_time
from domain.model.identity import Profile, Provider, says_yes
from domain.model.user import LONGEST_EMAIL, LONGEST_NAME


def profile_from(provider: Provider, claims: Mapping[str, Any], more: Mapping[str, Any]) -> Profile:
    email, is_verified = _email(claims, more)
    merged = {**more, **claims}
    name = merged.get("name") or merged.get("preferred_username")
    return Profile(
        issuer=provider.issuer,
        subject=id_in(claims, "sub", provider),
        sid=optional_id(claims, "sid", provider),
        email=email,
        is_email_verified=is_verified,
        name=name.strip()[:LONGEST_NAME] if isinstance(name, str) else "",
        granted=provider.granted(merged),
        authenticated_at=optional_time(claims, "auth_time", provider),
    )


def _email(*sources: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the e-mail and whether it is verified, both from one source: they are said of each other."""
    found = [
        (email, says_yes(said.get("email_verified")))
        for said in sources
        if isinstance(email := said.get("email"), str) and 0 < len(email) <= LONGEST_EMAIL
    ]
    return next((pair for pair in found if pair[1]), found[0] if found else ("", False))
