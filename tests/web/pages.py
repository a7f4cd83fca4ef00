"""Read our pages like a browser."""

import re

import httpx


def token_of(page: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


async def sign_in(
    browser: httpx.AsyncClient,
    email: str,
    password: str,
    *,
    next: str = "",  # noqa: A002 -- The field's name.
    **fields: str,
) -> httpx.Response:
    page = await browser.get("/login", params={"next": next} if next else {})
    form = {"csrf_token": token_of(page), "username": email, "password": password, "next": next}
    form |= fields
    return await browser.post("/login", data=form)
