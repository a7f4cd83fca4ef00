"""The routes of our own addresses, one file for each noun."""

from typing import Final

from fastapi import APIRouter

from entrypoints.web.routes import (
    access_tokens,
    assets,
    auth,
    confirmations,
    docs,
    gradio_api,
    health,
    identities,
    me,
    metrics,
    provider_logout,
    proxy_identity,
    sessions,
    setup,
    slashes,
    users,
    violations,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    proxy_identity.router,
    auth.router,
    identities.router,
    provider_logout.router,
    setup.router,
    me.router,
    sessions.mine,
    access_tokens.mine,
    confirmations.router,
    users.router,
    access_tokens.of_accounts,
    sessions.of_accounts,
    docs.router,
    health.router,
    metrics.router,
    assets.router,
    violations.router,
    gradio_api.router,
    slashes.router,
)
