"""Check the proxies in front of the service, the metrics and the identity providers, for `gradioapp check`."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from domain.errors import ProviderUnavailable
from entrypoints.cli.findings import Finding, fault, note, ok

if TYPE_CHECKING:
    from application.settings import Settings
    from domain.model.identity import Provider
    from domain.ports.identities import IdentityProviders


def of_proxies(settings: "Settings") -> Iterator[Finding]:
    """The service speaks plain HTTP, so an https address needs a proxy, which has to be listed."""
    if settings.trusted_proxies:
        names = ", ".join(map(str, settings.trusted_proxies))
        yield ok(
            f"X-Forwarded-For is believed from {names}. A log line of the service names any other proxy"
        )
    elif settings.is_https:
        yield fault(
            "GRADIOAPP_TRUSTED_PROXIES is empty: all visitors have the address of the proxy that an https:// address "
            "needs, and share its limits of sign-in and connections. Set it to the address from which the proxy connects, such as "
            '127.0.0.1; the log of the service names it in the line "X-Forwarded-For is ignored"'
        )


def of_metrics(settings: "Settings") -> Iterator[Finding]:
    """Say who may read the metrics."""
    if settings.metrics_token is not None:
        yield ok("/metrics opens with GRADIOAPP_METRICS_TOKEN as bearer token")
    elif settings.shows_metrics_to_this_machine:
        yield ok("/metrics opens for programs on this machine")
    else:
        yield note(
            "/metrics is 404 for everybody: behind a proxy it needs a token. Set GRADIOAPP_METRICS_TOKEN if Prometheus is to read it"
        )


def of_proxy_identity(settings: "Settings") -> Iterator[Finding]:
    """Name what is safe only together, if a proxy signs people in. What is never safe is a fault of the settings."""
    proxy = settings.providers.proxy
    if proxy is None:
        return
    yield ok(
        f"{settings.proxy_identity_header} of these proxies says who people are, signed with the keys of {proxy.jwks_url}"
    )
    wide = [str(network) for network in settings.trusted_proxies if network.num_addresses > 1]
    if wide:
        yield note(
            f"{', '.join(wide)} in GRADIOAPP_TRUSTED_PROXIES are whole networks: whoever has a valid token can send it from "
            "any address there. Name the addresses of the proxy"
        )
    if settings.password_sign_in:
        yield note(
            "people who reach the service past the proxy may sign in with a password. Let only the proxy connect, "
            "or set GRADIOAPP_PASSWORD_SIGN_IN=off"
        )
    if proxy.trusts_email and not proxy.domains:
        yield note("GRADIOAPP_PROXY_IDENTITY_TRUST_EMAIL does nothing without _DOMAINS")
    if not proxy.sign_out_url:
        yield note(
            "signing out here does not sign out of the proxy. Set GRADIOAPP_PROXY_IDENTITY_SIGN_OUT_URL"
        )


def of_providers(settings: "Settings") -> Iterator[Finding]:
    """Ask each identity provider for its discovery document, as the first sign-in does."""
    if not settings.providers.all:
        return
    from adapters.oidc.providers import OidcProviders
    from adapters.system.clock import SystemClock

    yield from asyncio.run(_ask_all(settings.providers.all, OidcProviders(SystemClock())))


async def _ask_all(
    providers: "Sequence[Provider]", client: "IdentityProviders"
) -> Sequence[Finding]:
    return await asyncio.gather(*(_ask(provider, client) for provider in providers))


async def _ask(provider: "Provider", client: "IdentityProviders") -> Finding:
    try:
        await client.sign_out_address(provider, back="")
    except ProviderUnavailable as error:
        return fault(
            f"nobody can sign in with {provider.label} ({provider.issuer}): {error.reason}. Correct "
            f"GRADIOAPP_OIDC_{provider.name.upper()}_ISSUER, or let this machine connect to it"
        )
    return ok(f"{provider.label} ({provider.issuer}) answers")
