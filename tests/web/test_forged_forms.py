"""A form of ours does something only with its own token, once, in the browser, session and time that it was made for."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

import httpx
import pytest

from tests.lying_provider import LyingProvider
from tests.web.acts import (
    ADA,
    BOB,
    COOKIE,
    FORMS,
    READS_NO_FORM,
    Sent,
    a_session_of,
    new_browser,
    opens_session,
    session_of,
)
from tests.web.conftest import HERE, MakeDoor
from tests.web.forgeries import (
    Headers,
)
from tests.web.forging import Refusal, is_done, is_refused, kept
from tests.web.houses import House, provider
from tests.web.pages import token_of

pytestmark = pytest.mark.asvs("V3.5.1")


@pytest.fixture
def house(make_door: MakeDoor, liar: LyingProvider) -> House:
    door = make_door(oidc=(provider(liar, "corp"),), remember_days=30)
    liar.clock = door.clock
    return House(door, liar)


TOKENS: Final[dict[str, Callable[[str], str]]] = {
    "empty": lambda _: "",
    "a word": lambda _: "x",
    "a space": lambda token: f" {token}",
    "the header alone": lambda token: token.split(".")[0],
    "without its signature": lambda token: token.rpartition(".")[0] + ".",
    "half of it": lambda token: token[: len(token) // 2],
    "another letter in its signature": lambda token: (
        token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]
    ),
    "another letter in its claims": lambda token: token[:60] + token[61:],
    "twice": lambda token: token + token,
    "in capitals": str.upper,
    "a list": lambda token: f"{token},{token}",
    "too long": lambda token: token + "x" * 9000,
    "a NUL": lambda token: f"{token}\0",
    "other letters": lambda _: "ä\u2028\U0001f600",
}
"""What a form token is made into."""
WITH_TOKENS: Final = {
    name: prepare
    for name, prepare in FORMS.items()
    if name not in {"back-channel logout", READS_NO_FORM}
}


@pytest.mark.parametrize("form", WITH_TOKENS)
async def test_a_form_with_a_wrong_token_does_nothing(
    house: House, form: str, subtests: pytest.Subtests
) -> None:
    sent = await WITH_TOKENS[form](house)
    assert sent.form is not None
    right = sent.form["csrf_token"]

    for name, made_into in TOKENS.items():
        with subtests.test(token=name):
            wrong = replace(sent, form=sent.form | {"csrf_token": made_into(right)})
            await is_refused(house, wrong, [("origin", HERE)], Refusal(403))

    await is_done(house, sent)


@pytest.mark.parametrize("form", WITH_TOKENS)
async def test_a_token_counts_nowhere_but_once_in_the_form(
    house: House, form: str, subtests: pytest.Subtests
) -> None:
    sent = await WITH_TOKENS[form](house)
    assert sent.form is not None
    right = sent.form["csrf_token"]
    without = {name: value for name, value in sent.form.items() if name != "csrf_token"}
    unreadable = Refusal(400 if sent.path in {"/login", "/setup"} else 403)
    query = f"csrf_token={right}"

    def bodies() -> Iterator[tuple[str, Sent, Headers, Refusal]]:
        bare = replace(sent, form=without)
        yield "nowhere", bare, [], Refusal(403)
        yield "in the query", replace(bare, path=f"{sent.path}?{query}"), [], Refusal(403)
        yield "in a header", bare, [("x-csrf-token", right)], Refusal(403)
        yield "in another header", bare, [("x-csrftoken", right)], Refusal(403)
        yield "in a cookie", bare, [("cookie", query)], Refusal(403)
        named = {**without, "csrf-token": right, "CSRF_TOKEN": right, "csrf_token[]": right}
        yield "under other names", replace(sent, form=named), [], Refusal(403)
        yield "doubled", Doubled(sent, right, right), [], unreadable
        yield "doubled, one empty", Doubled(sent, right, ""), [], unreadable
        yield "doubled, one wrong", Doubled(sent, "x", right), [], unreadable
        yield "with a broken escape", Doubled(sent, right, None), [], unreadable

    for name, wrong, headers, refusal in bodies():
        with subtests.test(token=name):
            await is_refused(house, wrong, [("origin", HERE), *headers], refusal)

    await is_done(house, sent)


class Doubled(Sent):
    """A form in whose body the token comes twice, or with an escape that is none."""

    def __init__(self, sent: Sent, first: str, second: str | None) -> None:
        super().__init__(http=sent.http, path=sent.path, form=sent.form)
        self._first, self._second = first, second

    @property
    def body(self) -> bytes:
        assert self.form is not None
        form = httpx.QueryParams({**self.form, "csrf_token": self._first})
        more = "x=%zz" if self._second is None else f"csrf_token={self._second}"
        return f"{form}&{more}".encode()


async def tokens_of_others(house: House, sent: Sent, form: str) -> dict[str, str]:
    """Return tokens that are right somewhere else, or were right before."""
    door, offer = house.door, house.door.form_tokens.offer
    mine = sent.http.cookies["gradioapp-form"]
    me = (
        await session_of(house, sent.http)
        if sent.has_session_cookie and "expired" not in form
        else None
    )
    if not any(user.email == BOB for user in kept(house).users.values()):
        await door.has(BOB)
    other = await a_session_of(house, BOB)
    theirs = await session_of(house, other)
    others = {
        "of another browser": offer(door.form_tokens.new_browser(), None),
        "of another browser in this session": offer(door.form_tokens.new_browser(), me),
        "of a page that another browser has loaded": token_of(await other.get("/logout")),
        "of another session": offer(mine, theirs),
        "of the bar of another session": door.form_tokens.offer_in_bar(theirs),
        "that is the session itself": other.cookies[COOKIE],
    }
    ended = await a_session_of(house, BOB)
    others["of a session that has ended"] = offer(mine, await session_of(house, ended))
    await ended.post("/logout", data={"csrf_token": token_of(await ended.get("/logout"))})
    is_anonymous = sent.path in {"/login", "/setup"}
    if is_anonymous and me is not None:
        others["of this session, for a form of nobody"] = offer(mine, me)
    if not is_anonymous and me is not None:
        others["of the time before sign-in"] = offer(mine, None)
    if is_anonymous and me is not None:
        others["of the bar"] = door.form_tokens.offer_in_bar(me)
    return others


@pytest.mark.parametrize("form", WITH_TOKENS)
async def test_a_token_of_another_browser_session_or_time_does_nothing(
    house: House, form: str, subtests: pytest.Subtests
) -> None:
    sent = await WITH_TOKENS[form](house)
    assert sent.form is not None

    for name, token in (await tokens_of_others(house, sent, form)).items():
        with subtests.test(token=name):
            wrong = replace(sent, form=sent.form | {"csrf_token": token})
            await is_refused(house, wrong, [("origin", HERE)], Refusal(403))

    await is_done(house, sent)


BROWSERS: Final[dict[str, Callable[[str], list[str]]]] = {
    "none": lambda _: [],
    "an empty one": lambda _: [""],
    "another one": lambda mine: ["x" * len(mine)],
    "a short one": lambda mine: [mine[:10]],
    "a long one": lambda mine: [mine * 9],
    "one that is planted beside it": lambda mine: [mine, "x" * len(mine)],
    "one that is planted before it": lambda mine: ["x" * len(mine), mine],
    "the same one twice": lambda mine: [mine, mine],
    "one with a colon": lambda mine: [f"{mine}:x"],
    "one in quotes": lambda mine: [f'"{mine}"'],
}
"""Which cookies for forms a browser sends."""


@pytest.mark.parametrize("form", [name for name in WITH_TOKENS if name != "sign out in the bar"])
async def test_a_form_without_its_browsers_cookie_does_nothing(
    house: House, form: str, subtests: pytest.Subtests
) -> None:
    sent = await WITH_TOKENS[form](house)
    mine = sent.http.cookies["gradioapp-form"]
    others = [one for one in sent.http.cookies.jar if one.name != "gradioapp-form"]

    for name, values in BROWSERS.items():
        with subtests.test(cookie=name):
            pairs = [f"{one.name}={one.value}" for one in others]
            pairs += [f"gradioapp-form={value}" for value in values(mine)]
            bare = replace(sent, http=new_browser(house.door))
            headers = [("origin", HERE), ("cookie", "; ".join(pairs))]
            await is_refused(house, bare, headers, Refusal(403))

    await is_done(house, sent)


async def test_a_form_is_too_old_after_twelve_hours(house: House) -> None:
    sent = await FORMS["sign in"](house)
    house.door.passes(hours=12)

    await is_refused(house, sent, [("origin", HERE)], Refusal(403))


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("theirs", "theirs"),
        ("theirs", "mine"),
        ("mine", "theirs"),
        ("", "theirs"),
        ("twice", "theirs"),
    ],
)
async def test_nobody_is_signed_in_to_the_account_of_an_attacker_by_a_return_from_the_provider(
    house: House, state: str, code: str
) -> None:
    """A page can navigate a browser to any address, with the attacker's own code."""
    await house.door.has(ADA)
    victim, attacker = new_browser(house.door), new_browser(house.door)
    theirs = httpx.URL(house.comes_back(await attacker.get("/login/corp"))).params
    mine = httpx.URL(house.comes_back(await victim.get("/login/corp"))).params
    states = {"theirs": [theirs["state"]], "mine": [mine["state"]], "": []}
    states["twice"] = [mine["state"], theirs["state"]]
    codes = {"theirs": theirs["code"], "mine": mine["code"]}
    query = [("state", one) for one in states[state]] + [("code", codes[code])]
    before = kept(house)

    answer = await victim.get(f"/login/corp/callback?{urlencode(query)}")

    assert answer.status_code == 401
    assert kept(house) == before
    assert not opens_session(answer)
