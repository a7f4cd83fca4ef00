"""Read the access and refresh tokens in a response of a token endpoint (RFC 6749, section 5.1)."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from domain.model.provider_tokens import ProviderTokens

LONGEST: Final = 16 * 1024
"""Characters of a token. Some providers list all groups of a person in it."""
USUAL: Final = timedelta(hours=1)
"""The lifetime of a token whose provider does not say it."""
LONGEST_LIFETIME: Final = timedelta(days=366)


def tokens_in(
    answer: Mapping[str, Any], *, asked: Collection[str], now: datetime
) -> ProviderTokens | None:
    """Return the tokens. Without a scope in the response, the provider has granted what was `asked`. None if there is no
    access token that a program may send as a bearer token."""
    access, kind = answer.get("access_token"), answer.get("token_type")
    if not _is_token(access) or not isinstance(kind, str) or kind.lower() != "bearer":
        return None
    refresh, scope = answer.get("refresh_token"), answer.get("scope")
    return ProviderTokens(
        access_token=str(access),
        refresh_token=str(refresh) if _is_token(refresh) else None,
        scopes=frozenset(scope.split() if isinstance(scope, str) else asked),
        expires_at=now + _lifetime(answer.get("expires_in")),
    )


def _is_token(value: object) -> bool:
    is_text = isinstance(value, str) and value.isascii() and value.isprintable()
    return is_text and " " not in str(value) and 0 < len(str(value)) <= LONGEST


def _lifetime(seconds: object) -> timedelta:
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 12:
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds != seconds:
        return USUAL
    return timedelta(seconds=max(0, min(seconds, LONGEST_LIFETIME.total_seconds())))
