"""The discovery document of a provider (OpenID Connect Discovery 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.oidc.fetching import Unusable

LONGEST_URL: Final = 2000
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    takes_basic: bool
    """False if the client's secret goes into the form."""
    names_issuer: bool
    """True if the provider promises to send its issuer with each code (RFC 9207)."""


def address_of_document(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def metadata_from(document: Mapping[str, Any], issuer: str) -> Metadata:
    """Raises Unusable if the document is of another issuer, or if an endpoint is missing or no safe address."""
    if document.get("issuer") != issuer:
        raise Unusable(
            f"the discovery document is of the issuer {str(document.get('issuer'))[:200]!r}"
        )
    methods = document.get("token_endpoint_auth_methods_supported")
    takes_basic = not isinstance(methods, list) or "client_secret_basic" in methods
    return Metadata(
        authorization_endpoint=_address(document, "authorization_endpoint", issuer),
        token_endpoint=_address(document, "token_endpoint", issuer),
        jwks_uri=_address(document, "jwks_uri", issuer),
        userinfo_endpoint=_optional(document, "userinfo_endpoint", issuer),
        end_session_endpoint=_optional(document, "end_session_endpoint", issuer),
        takes_basic=takes_basic,
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _optional(document: Mapping[str, Any], name: str, issuer: str) -> str | None:
    return None if document.get(name) is None else _address(document, name, issuer)


def _address(document: Mapping[str, Any], name: str, issuer: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not _is_safe(value, issuer):
        raise Unusable(f"the discovery document has no usable {name}")
    return value


def _is_safe(url: str, issuer: str) -> bool:
    """Return whether the URL is https, or http on the host of an http issuer, which the settings allow only on this
    machine."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts, own = urlsplit(url), urlsplit(issuer)
        _ = parts.port
    except ValueError:
        return False
    is_secure = parts.scheme == "https" or (
        parts.scheme == own.scheme == "http" and parts.hostname == own.hostname
    )
    return is_secure and bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment
