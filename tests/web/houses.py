"""A service with an identity provider that lies, and a browser that goes from one to the other and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from pydantic import SecretStr

from adapters.oidc.tokens import LOGOUT
from application.settings import ProviderSettings
from tests.lying_provider import CLIENT, SECRET, LyingProvider
from tests.web.conftest import BROWSER, Door


@dataclass
class House:
    door: Door
    liar: LyingProvider

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx.AsyncClient]:
        async with self.door.client(**BROWSER) as browser:
            yield browser

    def comes_back(self, sent: httpx.Response, **changed: str | None) -> str:
        """Return the address to which the provider redirects after sign-in there."""
        address = sent.headers["location"]
        wanted = dict(parse_qsl(urlsplit(address).query))
        query = {"code": self.liar.signs_in(address), "state": wanted["state"]} | changed
        kept = {name: value for name, value in query.items() if value is not None}
        return str(httpx.URL(wanted["redirect_uri"], params=kept))

    async def signs_in(
        self, browser: httpx.AsyncClient, *, start: str = "/login/corp", **changed: str | None
    ) -> httpx.Response:
        return await browser.get(self.comes_back(await browser.get(start), **changed))

    def logout_token(self, **changed: Any) -> dict[str, str]:
        """Return the form that the provider's server sends when a person has signed out there."""
        said = {"sub": "1", "jti": "j1", "events": {LOGOUT: {}}}
        return {"logout_token": self.liar.token(**said | changed)}


def provider(liar: LyingProvider, name: str, **texts: str) -> ProviderSettings:
    usual = {"issuer": liar.issuer, "client_id": CLIENT, "domains": "example.org"}
    return ProviderSettings(name=name, client_secret=SecretStr(SECRET), **{**usual, **texts})


def begun(browser: httpx.AsyncClient) -> dict[str, str]:
    """Return the cookies of sign-ins that are not finished."""
    kept = ((one.name, one.value or "") for one in browser.cookies.jar)
    return {name: value for name, value in kept if "gradioapp-sso" in name}
