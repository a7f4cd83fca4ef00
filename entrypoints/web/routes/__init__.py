"""Our own addresses, one file for each noun."""

from typing import Final

from fastapi import APIRouter

from entrypoints.web.routes import (
    assets,
    auth,
    docs,
    health,
    me,
    setup,
    slashes,
    tokens,
    users,
    violations,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    auth.router,
    setup.router,
    me.router,
    tokens.router,
    users.router,
    docs.router,
    health.router,
    assets.router,
    violations.router,
    slashes.router,
)
