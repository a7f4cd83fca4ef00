"""Apps of Hugging Face Spaces: gr.LoginButton, gr.OAuthProfile and gr.OAuthToken mean the account here."""

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import gradio as gr
import itsdangerous
import pytest
from gradio import blocks, chat_interface, oauth, routes
from gradio.components import login_button
from pydantic import SecretStr

from adapters.system.clock import StoppedClock
from application.settings import ProviderSettings
from entrypoints import ui
from entrypoints.ui.sdk import PageRefused
from gradioapp import Page, User, current_user, injected
from tests.lying_provider import CLIENT, SECRET, LyingProvider, as_json, lying_provider
from tests.ui.conftest import GRADIO, Browser, House, Messages, Mounts, completed
from tests.ui.test_mcp import calls, text_of

APPS: Final = Path(__file__).parents[1] / "apps"
NOBODY: Final = "This action requires a logged in user. Please sign in and retry."
ADA: Final = "Ada/ada@example.org"


def space(name: str = "space") -> ui.Page:
    (page,) = ui.load_pages([f"{APPS / name}.py:demo"])
    return page


def error_in(messages: Messages) -> str:
    last = completed(messages)
    assert not last["success"], last
    return str(last["output"]["error"])


async def test_an_unchanged_space_greets_the_account_that_is_signed_in_here(
    mounted: Mounts,
) -> None:
    house = await mounted(space().demo)
    ada = await house.signed_in()
    await house.has("bob@example.org", "Bob")
    bob = await house.signed_in("bob@example.org")

    assert await ada.gets("hello") == "Hello Ada (ada@example.org)"
    assert await bob.gets("hello") == "Hello Bob (bob@example.org)"
    assert await bob.gets("secret", "boo") == "bob@example.org whispers boo"


async def test_a_profile_has_harmless_values_of_all_fields_that_apps_read(mounted: Mounts) -> None:
    def read(profile: gr.OAuthProfile) -> dict[str, Any]:
        attributes = [profile.name, profile.username, profile.profile, profile.picture]
        return {**profile, "attributes": attributes}

    with gr.Blocks() as demo:
        gr.Button().click(read, None, gr.JSON(), api_name="read")
    house = await mounted(demo)
    ada = await house.has()

    assert await (await house.signed_in()).gets("read") == {
        "sub": str(ada.id),
        "name": "Ada",
        "preferred_username": "ada@example.org",
        "email": "ada@example.org",
        "profile": "",
        "picture": "",
        "website": "",
        "attributes": ["Ada", "ada@example.org", "", ""],
    }


def told(profile: gr.OAuthProfile | None) -> str:
    return "nobody" if profile is None else f"{profile.name}/{profile.username}"


class Everywhere:
    """An app that asks for the profile in all kinds of functions, in all orders of parameters."""

    def __init__(self) -> None:
        def first(profile: gr.OAuthProfile, word: str) -> str:
            return f"{word} {told(profile)}"

        def last(word: str, profile: "gr.OAuthProfile | None") -> str:
            return f"{word} {told(profile)}"

        async def later(word: str, profile: gr.OAuthProfile | None, request: gr.Request) -> str:
            assert request.username == "ada@example.org"
            return f"{word} {told(profile)}"

        def in_steps(word: str, profile: gr.OAuthProfile) -> Iterator[str]:
            yield f"{word} 1 {told(profile)}"
            yield f"{word} 2 {told(profile)}"

        async def in_later_steps(word: str, profile: gr.OAuthProfile) -> AsyncIterator[str]:
            yield f"{word} 1 {told(profile)}"
            yield f"{word} 2 {told(profile)}"

        def both(word: str, profile: gr.OAuthProfile, *, user: User = injected) -> str:
            assert (user.email, current_user().name) == (profile.username, profile.name)
            return f"{word} {told(profile)}"

        with gr.Blocks() as self.demo:
            word, shown, button = gr.Textbox(), gr.Textbox(), gr.Button()
            self.names = []
            for fn in (first, last, later, in_steps, in_later_steps, both):
                self.names.append(fn.__name__)
                button.click(fn, word, shown, api_name=fn.__name__)
            button.click(first, word, shown, api_name="direct", queue=False)
            self.names.append("direct")


@pytest.mark.parametrize("name", Everywhere().names)
async def test_every_kind_of_function_gets_the_profile(mounted: Mounts, name: str) -> None:
    ada = await (await mounted(Everywhere().demo)).signed_in()

    last = completed(await ada.runs(name, "hi"))

    assert last["success"], last
    assert last["output"]["data"][0].replace(" 2 ", " ") == f"hi {ADA}"


@pytest.mark.parametrize("who", ["browser", "program"])
@pytest.mark.parametrize("way", ["run", "api", "call", "call/v2", "mcp"])
async def test_every_way_to_an_event_gets_the_profile_of_its_caller(
    mounted: Mounts, way: str, who: str
) -> None:
    house = await mounted(Everywhere().demo, mcp=True)
    ada = await house.signed_in()
    client = ada if who == "browser" else house.program(await house.makes_token())

    assert await says(client, way) == f"hi {ADA}"


async def says(client: Browser, way: str) -> str:
    if way == "mcp":
        return text_of(await calls(client, "first", word="hi"))
    body: dict[str, Any] = {"word": "hi"} if way == "call/v2" else {"data": ["hi"]}
    at = f"{GRADIO}/gradio_api/{way}/first"
    answer = await client.http.post(at, json=body)
    assert answer.status_code == 200, answer.text
    if way in {"run", "api"}:
        return str(answer.json()["data"][0])
    stream = await client.http.get(f"{at}/{answer.json()['event_id']}")
    return str(json.loads(stream.text.partition("event: complete\ndata: ")[2])[0])


async def test_chats_interfaces_and_rendered_functions_get_the_profile(mounted: Mounts) -> None:
    def answer(message: str, history: list[Any], profile: gr.OAuthProfile | None) -> str:
        return f"{message} {told(profile)}"

    with gr.Blocks() as demo:
        shown = gr.Textbox()

        @gr.render()  # type: ignore[untyped-decorator]
        def show(profile: gr.OAuthProfile | None) -> None:
            gr.LoginButton()
            gr.Button().click(
                lambda inner: None, gr.Textbox(told(profile)), None, api_name="rendered"
            )

        gr.Button().click(told, None, shown, api_name="told")
    chat = Page(gr.ChatInterface(answer, api_name="chat"), title="Chat")
    form = Page(gr.Interface(lambda word: word, "text", "text", api_name="form"), title="Form")
    house = await mounted(demo, others=[chat, form])
    ada = await house.signed_in()

    rendering = next(i for i, fn in demo.fns.items() if fn.renderable)
    tab = "rendering"
    joined = await ada.http.post(
        f"{GRADIO}/gradio_api/queue/join",
        json={"data": [], "fn_index": rendering, "session_hash": tab},
    )
    assert joined.status_code == 200, joined.text
    rendered = json.dumps(await ada.told(tab))
    chats = await ada.http.post(f"{GRADIO}/chat/gradio_api/call/chat", json={"data": ["hi"]})
    stream = await ada.http.get(f"{GRADIO}/chat/gradio_api/call/chat/{chats.json()['event_id']}")

    assert ADA in rendered
    assert "/login/huggingface" not in rendered
    assert f"hi {ADA}" in stream.text


async def test_a_validator_gets_the_profile(mounted: Mounts) -> None:
    seen: list[str] = []

    def check(word: str, profile: gr.OAuthProfile) -> Any:
        seen.append(told(profile))
        return gr.validate(is_valid=True, message="")

    with gr.Blocks() as demo:
        word = gr.Textbox()
        gr.Button().click(str, word, word, validator=check, api_name="checked")
    ada = await (await mounted(demo)).signed_in()

    assert await ada.gets("checked", "hi") == "hi"
    assert seen == [ADA]


async def test_nobody_has_a_profile_where_nobody_calls(mounted: Mounts) -> None:
    def may(profile: gr.OAuthProfile | None, token: gr.OAuthToken | None) -> None: ...

    def must(profile: gr.OAuthProfile) -> None: ...

    await mounted(Everywhere().demo)
    fill = vars(blocks)["special_args"]

    assert fill(may, [], None)[0] == [None, None]
    with pytest.raises(gr.Error, match=re.escape(NOBODY)):
        fill(must, [], None)


async def test_what_gradio_keeps_for_all_users_has_nobodys_profile(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_EXAMPLES_CACHE", str(tmp_path / "examples"))

    def greet(word: str, profile: gr.OAuthProfile | None) -> str:
        return f"{word} {told(profile)}"

    demo = gr.Interface(
        greet,
        gr.Textbox(),
        gr.Textbox(),
        examples=[["hi"]],
        cache_examples=True,
        cache_mode="lazy",
        api_name="greet",
    )
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    choosing = next(i for i, fn in demo.fns.items() if fn.name == "load_example_output")

    shown = []
    for number, who in enumerate((ada, bob)):
        tab = f"choosing{number}"
        await who.http.post(
            f"{GRADIO}/gradio_api/queue/join",
            json={"data": [0], "fn_index": choosing, "session_hash": tab},
        )
        shown.append(completed(await who.told(tab))["output"]["data"][-1])

    assert shown == ["hi nobody", "hi nobody"]
    assert await ada.gets("greet", "hi") == f"hi {ADA}"


async def test_neither_gradios_cookie_nor_session_data_make_a_profile(mounted: Mounts) -> None:
    forged = {
        "userinfo": {"name": "Eve", "preferred_username": "eve", "profile": "", "picture": ""},
        "access_token": "forged",
        "scope": "all",
        "expires_at": 9_999_999_999,
    }

    def store(request: gr.Request) -> None:
        assert request.request is not None
        request.request.session["oauth_info"] = forged

    def read(profile: gr.OAuthProfile | None, token: gr.OAuthToken | None) -> str:
        return f"{told(profile)} {token}"

    with gr.Blocks() as demo:
        gr.LoginButton()
        gr.Button().click(store, api_name="store")
        gr.Button().click(read, None, gr.Textbox(), api_name="read")
    house = await mounted(demo)
    ada = await house.signed_in()
    # Everybody knows the key of the cookie that Gradio would read outside of a Space.
    signer = itsdangerous.TimestampSigner(sha256(b"-v4").hexdigest())
    cookie = signer.sign(b64encode(json.dumps({"oauth_info": forged}).encode())).decode()
    ada.http.cookies.set("session", cookie)
    await ada.runs("store")

    assert "oauth_info" in await house.kept(ada)
    assert await ada.gets("read") == f"{ADA} None"


async def test_the_button_shows_who_is_signed_in_and_its_click_leads_to_our_pages(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        gr.LoginButton()
        gr.LoginButton("Come in", logout_value="Leave, {}")
    click = login_button._js_handle_redirect
    before = [fn.js for fn in demo.fns.values()]
    house = await mounted(demo)
    ada = await house.signed_in()

    checks = [i for i, fn in demo.fns.items() if fn.fn is not None]
    shown = []
    for number in checks:
        tab = f"button{number}"
        await ada.http.post(
            f"{GRADIO}/gradio_api/queue/join",
            json={"data": [], "fn_index": number, "session_hash": tab},
        )
        shown.append(completed(await ada.told(tab))["output"]["data"][0]["value"])
    page = (await ada.http.get(f"{GRADIO}/", headers={"accept": "text/html"})).text
    config = (await ada.http.get(f"{GRADIO}/config")).text

    assert 'data-base=""' in page  # Where the script finds the path of the service.
    assert shown == ["Logout (ada@example.org)", "Leave, ada@example.org"]
    for text in (page, config):
        assert "/login/huggingface" not in text
        assert '\\"Come in\\" ? \\"/login\\" : \\"/logout\\"' in text
    assert login_button._js_handle_redirect != click
    assert len([js for js in before if js and "/login/huggingface" in js]) == 2


async def test_an_app_is_as_before_when_the_service_has_ended() -> None:
    with gr.Blocks() as demo:
        gr.LoginButton()
    names = [(oauth, "_get_valid_oauth_info_from_session"), (routes, "attach_oauth")]
    names += [(module, "special_args") for module in (blocks, chat_interface, routes)]
    names += [(login_button, "_js_handle_redirect")]

    def now() -> list[Any]:
        return [*(getattr(*name) for name in names), *(fn.js for fn in demo.fns.values())]

    before = now()
    async with AsyncExitStack() as closing:
        await Mounts(closing)(demo)
        during = now()

    assert before != during
    assert now() == before


# Tokens of providers


@pytest.fixture
def liar() -> Iterator[LyingProvider]:
    with lying_provider(StoppedClock()) as liar:
        liar.grants = {"refresh_token": "r0", "expires_in": 300, "scope": "openid files"}
        yield liar


SCOPES: Final = {"corp": "files"}


def provider(liar: LyingProvider, **texts: str) -> ProviderSettings:
    usual = {"name": "corp", "issuer": liar.issuer, "client_id": CLIENT, "domains": "example.org"}
    return ProviderSettings(client_secret=SecretStr(SECRET), **{**usual, **texts})


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch, liar: LyingProvider) -> gr.Blocks:
    monkeypatch.setenv("DRIVE_API", f"{liar.issuer}/api")
    return space("drive").demo


async def at_provider(house: House, liar: LyingProvider, name: str = "corp") -> Browser:
    """Sign Ada in at the provider, like a browser does it."""
    liar.clock = house.clock
    http = house.anonymous().http
    address = (await http.get(f"/login/{name}")).headers["location"]
    wanted = dict(parse_qsl(urlsplit(address).query))
    query = {"code": liar.signs_in(address), "state": wanted["state"]}
    back = await http.get(wanted["redirect_uri"], params=query)
    assert back.status_code == 303, back.text
    return Browser(http, house.demo, None)


async def test_an_app_whose_page_names_scopes_acts_with_its_callers_token(
    mounted: Mounts, liar: LyingProvider, drive: gr.Blocks
) -> None:
    house = await mounted(drive, scopes=SCOPES, oidc=(provider(liar),))
    await house.has()
    ada = await at_provider(house, liar)

    first = await ada.gets("files")
    moved = await ada.gets("move", "a")
    house.passes(minutes=5)
    later = await ada.gets("files")

    assert liar.scopes == ["openid profile email files"]
    assert first == "Files of Bearer access"
    assert moved == "Ada moves a with access for files openid"
    assert later == "Files of Bearer access-1"


async def test_one_app_gets_no_token_and_the_other_does(
    mounted: Mounts, liar: LyingProvider, drive: gr.Blocks
) -> None:
    seen: list[Any] = []

    def take(token: gr.OAuthToken | None) -> None:
        seen.append(token)

    def need(token: gr.OAuthToken) -> None:
        seen.append(token)

    with gr.Blocks() as plain:
        gr.Button().click(take, api_name="take")
        gr.Button().click(need, api_name="need")
    house = await mounted(
        plain, others=[Page(drive, title="Drive", scopes=SCOPES)], oidc=(provider(liar),)
    )
    await house.has()
    ada = await at_provider(house, liar)

    await ada.runs("take")
    sentence = error_in(await ada.runs("need"))
    told_of = await ada.http.post(f"{GRADIO}/drive/gradio_api/run/files", json={"data": []})

    assert seen == [None]
    assert sentence == (
        "This app asks for an access token of your identity provider, and its page names no scopes. Ask an admin."
    )
    assert told_of.json()["data"] == ["Files of Bearer access"]


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        ("password", "This app needs your account at Corp. Sign out, and sign in with Corp."),
        (
            "program",
            "A program with an access token gets no token of an identity provider. Use this app in a browser.",
        ),
        (
            "another account",
            "This app needs your account at Corp. Sign out, and sign in with Corp.",
        ),
    ],
)
async def test_nobody_else_gets_the_token(
    mounted: Mounts, liar: LyingProvider, drive: gr.Blocks, who: str, sentence: str
) -> None:
    house = await mounted(drive, scopes=SCOPES, oidc=(provider(liar),), mcp=True)
    await house.has()
    ada = await at_provider(house, liar)
    client = await _another(house, who)
    if who == "another account":  # With the names of the other's tab and event.
        await ada.start("files", tab="shared")

    assert await client.gets("files") == "Please sign in."
    assert error_in(await client.runs("move", "a")) == sentence
    assert await ada.gets("files") == "Files of Bearer access"
    if who == "program":
        assert sentence in text_of(await calls(client, "move", name="a"))


async def _another(house: House, who: str) -> Browser:
    if who == "program":
        return house.program(await house.makes_token())
    return await house.signed_in("ada@example.org" if who == "password" else "bob@example.org")


async def test_an_anonymous_visitor_runs_nothing(
    mounted: Mounts, liar: LyingProvider, drive: gr.Blocks
) -> None:
    house = await mounted(drive, scopes=SCOPES, oidc=(provider(liar),))
    http = house.anonymous().http

    answers = [
        await http.post(f"{GRADIO}/gradio_api/run/files", json={"data": []}),
        await http.get(f"{GRADIO}/", headers={"accept": "text/html"}),
    ]

    assert [answer.status_code for answer in answers] == [401, 303]


async def test_the_token_is_in_no_page_no_log_and_no_session(
    mounted: Mounts, liar: LyingProvider, drive: gr.Blocks, lines: list[Any]
) -> None:
    liar.grants |= {"access_token": "very-secret", "refresh_token": "very-secret-too"}
    liar.claims = {"at_hash": None}
    house = await mounted(drive, scopes=SCOPES, oidc=(provider(liar),))
    await house.has()
    ada = await at_provider(house, liar)
    assert await ada.gets("files") == "Files of Bearer very-secret"  # The app may say it.
    del lines[:]
    house.passes(minutes=5)
    liar.replies["/token"] = lambda: as_json({"error": "very-secret-too"}, 500)

    error_in(await ada.runs("move", "a"))
    pages = [
        (await ada.http.get(path, headers={"accept": accept})).text
        for path in (f"{GRADIO}/", f"{GRADIO}/config", f"{GRADIO}/gradio_api/info", "/api/v1/me")
        for accept in ("text/html", "application/json")
    ]

    tables = house.container.store().tables
    assert tables.provider_tokens
    assert "very-secret" not in f"{pages} {lines} {tables} {dict(ada.http.cookies)}"


@pytest.mark.parametrize("lie", ["down", "rotated"])
async def test_a_provider_that_fails_is_said_in_one_sentence_and_an_optional_token_is_none(
    mounted: Mounts, liar: LyingProvider, drive: gr.Blocks, lie: str
) -> None:
    house = await mounted(drive, scopes=SCOPES, oidc=(provider(liar),))
    await house.has()
    ada = await at_provider(house, liar)
    house.passes(minutes=5)
    if lie == "down":
        liar.replies["/token"] = lambda: as_json({}, 503)
    else:
        liar.grants["refresh_token"] = "another"

    assert await ada.gets("files") == "Please sign in."
    assert (
        error_in(await ada.runs("move", "a"))
        == {
            "down": "Corp cannot be used at the moment. Try again in a minute.",
            "rotated": "This app may not use your account at Corp any more. Sign out, and sign in with Corp again.",
        }[lie]
    )


async def test_chats_and_rendered_functions_get_the_token(
    mounted: Mounts, liar: LyingProvider
) -> None:
    def answer(message: str, history: list[Any], token: gr.OAuthToken | None) -> str:
        return f"{message} {token and token.token}"

    def insist(message: str, history: list[Any], token: gr.OAuthToken) -> str:
        return f"{message} {token.token}"

    with gr.Blocks() as demo:

        @gr.render()  # type: ignore[untyped-decorator]
        def show(token: gr.OAuthToken | None) -> None:
            gr.Markdown(f"rendered {token and token.token}")

    others = [
        Page(gr.ChatInterface(answer, api_name="chat"), title="Chat", scopes=SCOPES),
        Page(gr.ChatInterface(insist, api_name="chat"), title="Insisting"),
    ]
    house = await mounted(demo, scopes=SCOPES, others=others, oidc=(provider(liar),))
    await house.has()
    ada = await at_provider(house, liar)

    async def chat(slug: str) -> str:
        at = f"{GRADIO}/{slug}/gradio_api/call/chat"
        event = (await ada.http.post(at, json={"data": ["hi"]})).json()["event_id"]
        return (await ada.http.get(f"{at}/{event}")).text

    rendering = next(i for i, fn in demo.fns.items() if fn.renderable)
    await ada.http.post(
        f"{GRADIO}/gradio_api/queue/join",
        json={"data": [], "fn_index": rendering, "session_hash": "rendering"},
    )

    assert "rendered access" in json.dumps(await ada.told("rendering"))
    assert "hi access" in await chat("chat")
    refused = await chat("insisting")
    assert "its page names no scopes" in refused
    assert "hi access" not in refused


async def test_a_token_that_an_app_keeps_in_a_state_stays(
    mounted: Mounts, liar: LyingProvider
) -> None:
    def keep(token: gr.OAuthToken) -> gr.OAuthToken:
        return token

    def use(kept: Any, token: gr.OAuthToken | None) -> str:
        return f"{kept.token} {token and token.token}"

    with gr.Blocks() as demo:
        kept = gr.State()
        gr.Button().click(keep, None, kept, api_name="keep")
        gr.Button().click(use, kept, gr.Textbox(), api_name="use")
    house = await mounted(demo, scopes=SCOPES, oidc=(provider(liar),))
    await house.has()
    ada = await at_provider(house, liar)

    tab = "one"
    await ada.told(await ada.start("keep", tab=tab))
    house.passes(minutes=5)
    used = completed(await ada.told(await ada.start("use", None, tab=tab)))

    assert used["output"]["data"] == ["access access-1"]


async def test_at_a_provider_that_no_page_names_only_the_operators_scopes_are_asked(
    mounted: Mounts, liar: LyingProvider
) -> None:
    with lying_provider(liar.clock) as another:
        both = (provider(liar), provider(another, name="other", scopes="openid email"))
        pages = [Page(space("drive").demo, title="Drive", scopes={"corp": ["files", "offline"]})]
        house = await mounted(space().demo, others=pages, oidc=both)
        await house.has()
        await at_provider(house, liar)
        another.grants = dict(liar.grants)
        await house.has("eve@example.org")
        another.claims = {"email": "eve@example.org"}
        await at_provider(house, another, "other")

    assert liar.scopes == ["openid profile email files offline"]
    assert another.scopes == ["openid email"]
    assert len(house.container.store().tables.provider_tokens) == 1


@pytest.mark.parametrize(
    ("scopes", "kept"),
    [
        ({"corp": "read  write"}, {"corp": {"read", "write"}}),
        (
            {"corp": ["https://example.com/auth/drive"]},
            {"corp": {"https://example.com/auth/drive"}},
        ),
        ({"corp": ()}, {"corp": set()}),
    ],
)
def test_a_page_names_scopes_as_a_text_or_as_a_list(scopes: Any, kept: Any) -> None:
    assert Page(gr.Blocks(), scopes=scopes).scopes == kept


@pytest.mark.parametrize(
    "scopes", ["read", ["read"], {"read"}, {"corp": ["a b"]}, {"corp": ['"']}, {"corp": [1]}]
)
def test_scopes_without_a_provider_and_what_is_no_scope_are_refused(scopes: Any) -> None:
    with pytest.raises(PageRefused, match=r"scopes="):
        Page(gr.Blocks(), scopes=scopes)


async def test_a_page_that_names_an_unknown_provider_is_served_with_a_warning(
    mounted: Mounts, lines: list[Any]
) -> None:
    house = await mounted(space("drive").demo, scopes={"corp": "files"})
    ada = await house.signed_in()

    assert await ada.gets("files") == "Please sign in."
    (warning,) = [line for line in lines if line["log_level"] == "warning"]
    assert warning["provider"] == "corp"
