"""The MCP server: tools run as their caller, roles decide which ones are listed, and it is off by default."""

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import gradio as gr
import httpx
import pytest
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.version import SUPPORTED_PROTOCOL_VERSIONS
from PIL import Image

from domain.errors import NotAllowed
from domain.model.caller import Caller
from entrypoints import ui
from entrypoints.ui.limits import LONGEST_URI
from entrypoints.ui.mcp.server import VERSIONS
from gradioapp import State, current_user, injected, requires
from tests.ui.attacks import fetches, uploads
from tests.ui.conftest import GRADIO, Browser, House, Mounts
from tests.ui.serving import served

MCP: Final = f"{GRADIO}/gradio_api/mcp"
PATIENCE: Final = 30
"""Seconds."""


def app_of(folder: Path) -> gr.Blocks:
    def who(word: str, *, state: State = injected) -> str:
        """Says who calls.

        Args:
            word: What to say first.
        """
        state["runs"] = state.get("runs", 0) + 1
        return f"{word} {current_user().email} {state['runs']}"

    def show(file: str) -> str:
        return Path(file).read_text()

    def copy(file: str) -> str:
        made = folder / f"of {current_user().name}.txt"
        shutil.copy(file, made)
        return str(made)

    def draw() -> str:
        made = folder / f"{current_user().name}.png"
        Image.new("RGB", (2, 2), "red").save(made)
        return str(made)

    def echo(value: Any) -> Any:
        return value

    def steps(most: float) -> Iterator[str]:
        for number in range(int(most)):
            yield f"{current_user().name} {number}"

    def refuse() -> None:
        raise gr.Error("Not today.", title="Closed")

    def forbid() -> None:
        raise NotAllowed("Not for you.")

    def break_down() -> None:
        raise LookupError("of a secret")

    def private() -> str:
        return "private"

    def count(before: int) -> tuple[int, int]:
        return before + 1, before + 1

    @gr.mcp.resource("notes://{name}", mime_type="text/plain")  # type: ignore[untyped-decorator]
    def note(name: str) -> str:
        return f"{name} of {current_user().email}"

    @gr.mcp.prompt()  # type: ignore[untyped-decorator]
    def greet(name: str) -> str:
        """A greeting."""
        return f"Greet {name} from {current_user().email}"

    with gr.Blocks() as demo:
        button, text, file = gr.Button(), gr.Textbox(), gr.File()
        button.click(who, text, text, api_name="who")
        button.click(show, file, text, api_name="show")
        button.click(copy, file, gr.File(), api_name="copy")
        button.click(draw, None, gr.Image(type="filepath"), api_name="draw")
        button.click(echo, gr.JSON(), gr.JSON(), api_name="echo")
        button.click(steps, gr.Number(), text, api_name="steps")
        button.click(refuse, api_name="refuse")
        button.click(forbid, api_name="forbid")
        button.click(break_down, api_name="break_down")
        button.click(requires("admin")(who), text, text, api_name="retrain")
        button.click(private, None, text, api_name="private", api_visibility="private")
        kept = gr.State(0)
        button.click(count, kept, [kept, gr.Number()], api_name="count")
        button.click(note, text, text, api_name="note")
        button.click(greet, text, text, api_name="greet")
        button.click(requires("admin")(note), text, text, api_name="secret_note")
    return demo  # type: ignore[no-any-return]


async def asks(who: Browser, method: str, at: str = MCP, **params: Any) -> dict[str, Any]:
    answer = await posts(who, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, at)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert said["id"] == 1
    return said


async def posts(who: Browser, message: Any, at: str = MCP, **headers: str) -> httpx.Response:
    accepts = {"accept": "application/json, text/event-stream"}
    kind = {"content-type": "application/json"}
    body = json.dumps(message)
    return await who.http.post(at, content=body, headers={**accepts, **kind, **headers})


async def calls(who: Browser, tool: str, at: str = MCP, **arguments: Any) -> types.CallToolResult:
    said = await asks(who, "tools/call", at, name=tool, arguments=arguments)
    assert "result" in said, said
    return types.CallToolResult.model_validate(said["result"])


def text_of(result: types.CallToolResult) -> str:
    return "|".join(part.text for part in result.content if isinstance(part, types.TextContent))


def has_image(result: types.CallToolResult) -> bool:
    return any(isinstance(part, types.ImageContent) for part in result.content)


async def tools_of(who: Browser, at: str = MCP) -> dict[str, types.Tool]:
    said = await asks(who, "tools/list", at)
    listed = types.ListToolsResult.model_validate(said["result"])
    return {tool.name: tool for tool in listed.tools}


@pytest.fixture
async def house(mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))
    (tmp_path / "made").mkdir()
    house = await mounted(app_of(tmp_path / "made"), mcp=True)
    await house.has("ada@example.org", "Ada", "admin", "analyst")
    await house.has("bob@example.org", "Bob")
    return house


@pytest.fixture
async def ada(house: House) -> Browser:
    return house.program(await house.makes_token("ada@example.org"))


@pytest.fixture
async def bob(house: House) -> Browser:
    return house.program(await house.makes_token("bob@example.org"))


# Access


@pytest.mark.asvs("13.4.5")
async def test_mcp_is_off_unless_it_is_switched_on(mounted: Mounts, tmp_path: Path) -> None:
    house = await mounted(app_of(tmp_path))
    ada = await house.signed_in()

    answers = [
        await ada.http.request(method, f"{MCP}{end}")
        for method in ("GET", "POST", "DELETE")
        for end in ("", "/", "/http", "/http/", "/sse", "/schema")
    ]

    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_a_request_without_a_token_is_refused(
    house: House, subtests: pytest.Subtests
) -> None:
    for method in ["initialize", "tools/list", "tools/call"]:
        with subtests.test(method=method):
            message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "who"}}

            answer = await posts(house.anonymous(), message)

            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_sse_and_schema_do_not_exist(ada: Browser) -> None:
    answers = [await ada.http.get(f"{MCP}/{name}") for name in ("sse", "schema", "messages")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_mcp_is_served_at_the_addresses_of_gradio(
    ada: Browser, subtests: pytest.Subtests
) -> None:
    for end in ["", "/", "/http", "/http/"]:
        with subtests.test(end=end):
            said = await asks(ada, "initialize", f"{MCP}{end}", protocolVersion="2025-06-18")

            result = types.InitializeResult.model_validate(said["result"])
            assert result.protocolVersion == "2025-06-18"
            assert result.capabilities.tools is not None


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_get_and_delete_are_refused(ada: Browser, method: str) -> None:
    answer = await ada.http.request(method, MCP, headers={"accept": "text/event-stream"})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.asvs("7.4.1")
async def test_a_revoked_token_is_refused(house: House) -> None:
    made = await house.makes_token("ada@example.org")
    ada = house.program(made)
    before = await calls(ada, "who", word="I am")
    me = await house.use_cases.recognise(
        (await house.signed_in()).http.cookies["gradioapp-session"], activity=False
    )

    await house.use_cases.revoke_token(me.caller, made.token.id)
    answer = await posts(ada, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

    assert not before.isError
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.asvs("3.5.1")
async def test_a_browser_uses_its_session_only_from_our_origin(house: House) -> None:
    ada = await house.signed_in()
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

    here = await posts(ada, message)
    elsewhere = await posts(ada, message, origin="http://elsewhere.example")

    assert (here.status_code, here.json()["result"]) == (200, {})
    assert elsewhere.status_code == 403


# Lists


@pytest.mark.asvs("8.2.2", "8.3.1")
async def test_the_tools_are_the_public_events_that_the_roles_allow(
    house: House, ada: Browser, bob: Browser
) -> None:
    part = house.program(await house.makes_token("ada@example.org", roles=["analyst"]))

    of_ada, of_bob = await tools_of(ada), await tools_of(bob)
    again = await tools_of(bob)

    common = {"who", "show", "copy", "draw", "echo", "steps", "refuse", "forbid", "break_down"}
    assert set(of_bob) == set(again) == set(await tools_of(part)) == {*common, "count"}
    assert set(of_ada) == {*common, "count", "who_1"}
    assert of_ada["who"].description == "Says who calls."
    assert of_ada["who"].inputSchema["properties"] == {
        "word": {"type": "string", "description": "What to say first."}
    }
    assert "data: URL" in of_ada["show"].inputSchema["properties"]["file"]["format"]


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_a_tool_that_is_not_listed_is_unknown(
    bob: Browser, subtests: pytest.Subtests
) -> None:
    for name in ["who_1", "retrain", "private", "unheard-of", "note", "greet"]:
        with subtests.test(name=name):
            said = await asks(bob, "tools/call", name=name, arguments={"word": 3})

            assert said["error"] == {"code": -32602, "message": "There is no such tool."}


@pytest.mark.asvs("8.2.1")
async def test_each_page_has_its_own_tools_and_checks_its_role(
    mounted: Mounts, tmp_path: Path
) -> None:
    def forecast() -> str:
        return current_user().email

    with gr.Blocks() as other:
        gr.Button().click(forecast, None, gr.Textbox(), api_name="forecast")
    page = ui.Page(other, title="Other", roles={"analyst"})
    house = await mounted(app_of(tmp_path), others=[page], mcp=True)
    await house.has("ada@example.org", "Ada", "analyst")
    await house.has("bob@example.org", "Bob")
    ada, bob = [
        house.program(await house.makes_token(f"{name}@example.org")) for name in ("ada", "bob")
    ]
    there = f"{GRADIO}/other/gradio_api/mcp"

    refused = await posts(bob, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, there)

    assert set(await tools_of(ada, there)) == {"forecast"}
    assert "forecast" not in await tools_of(ada)
    assert text_of(await calls(ada, "forecast", there)) == "ada@example.org"
    assert refused.status_code == 403


@pytest.mark.asvs("8.3.2")
async def test_a_revoked_role_removes_its_tool_at_once(house: House, ada: Browser) -> None:
    before = await tools_of(ada)
    (user,) = [u for u in await house.use_cases.list_users(Caller.operator()) if u.name == "Ada"]
    await house.has("eve@example.org", "Eve", "admin")

    await house.use_cases.revoke_role(Caller.operator(), user.id, "admin")

    assert "who_1" in before
    assert "who_1" not in await tools_of(ada)


# Calls


@pytest.mark.asvs("8.2.2", "8.3.3")
async def test_a_call_runs_as_its_caller_with_the_accounts_state(
    house: House, ada: Browser, bob: Browser
) -> None:
    other = house.program(await house.makes_token("ada@example.org"))

    said = [text_of(await calls(who, "who", word="I am")) for who in (ada, bob, ada, other, bob)]
    together = await asyncio.gather(*(calls(who, "who", word="still") for who in (ada, bob) * 5))

    assert said == [
        "I am ada@example.org 1",
        "I am bob@example.org 1",
        "I am ada@example.org 2",
        "I am ada@example.org 3",
        "I am bob@example.org 2",
    ]
    assert [text_of(one).split()[1] for one in together] == [
        "ada@example.org",
        "bob@example.org",
    ] * 5


async def test_the_result_of_a_generator_is_its_last_value(ada: Browser) -> None:
    assert text_of(await calls(ada, "steps", most=4)) == "Ada 3"


async def test_a_call_starts_with_a_new_state_and_leaves_none(house: House, ada: Browser) -> None:
    results = [await calls(ada, "count") for _ in range(3)]

    accounts = house.pages.accounts
    assert [text_of(result) for result in results] == ["1", "1", "1"]
    assert [dict(account.tabs) for account in accounts.all()] == [{}]
    app: Any = house.demo.app
    assert not app.state_holder.session_data


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({"word": "a", "other": 1}, "no parameter other"), ({}, "needs file")],
)
async def test_arguments_that_do_not_fit_are_named(
    ada: Browser, arguments: dict[str, Any], told: str
) -> None:
    result = await calls(ada, "who" if arguments else "show", **arguments)

    assert result.isError
    assert told in text_of(result)


@pytest.mark.asvs("16.5.1")
async def test_a_refusal_says_why_and_a_fault_gives_only_a_number(ada: Browser) -> None:
    refused, forbidden, broken = [
        await calls(ada, name) for name in ("refuse", "forbid", "break_down")
    ]

    assert refused.isError
    assert text_of(refused) == "Closed: Not today."
    assert text_of(forbidden) == "Not allowed: Not for you."
    assert broken.isError
    assert "report the number" in text_of(broken)
    assert "secret" not in text_of(broken)


@pytest.mark.asvs("7.4.1")
async def test_a_call_ends_when_its_token_is_revoked(mounted: Mounts, tmp_path: Path) -> None:
    has_begun = asyncio.Event()

    async def wait() -> str:
        has_begun.set()
        await asyncio.Event().wait()
        return "never"

    with gr.Blocks() as demo:
        gr.Button().click(wait, None, gr.Textbox(), api_name="wait")
    house = await mounted(demo, mcp=True)
    await house.has()
    made = await house.makes_token()
    me = await house.use_cases.recognise(
        (await house.signed_in()).http.cookies["gradioapp-session"], activity=False
    )
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "wait"}}

    calling = asyncio.create_task(posts(house.program(made), message))
    await has_begun.wait()
    await house.use_cases.revoke_token(me.caller, made.token.id)
    answer = await asyncio.wait_for(calling, PATIENCE)

    assert answer.status_code == 401


# Files


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_a_data_url_is_uploaded_and_belongs_to_the_caller(ada: Browser, bob: Browser) -> None:
    url = f"data:text/plain;base64,{base64.b64encode(b'of Ada').decode()}"

    shown = await calls(ada, "show", file=url)
    address = text_of(await calls(ada, "copy", file=url))
    of_ada, of_bob = await ada.http.get(address), await bob.http.get(address)

    assert text_of(shown) == "of Ada"
    assert address.startswith(f"http://localhost{GRADIO}/gradio_api/file=/")
    assert (of_ada.status_code, of_ada.text) == (200, "of Ada")
    assert of_bob.status_code == 404


@pytest.mark.asvs("5.3.2", "8.2.2", "8.3.1")
async def test_only_the_callers_own_files_are_taken_as_inputs(ada: Browser, bob: Browser) -> None:
    path = await uploads(ada)
    address = f"http://localhost{GRADIO}/gradio_api/file={path}"

    own = [text_of(await calls(ada, "show", file=name)) for name in (path, address)]
    foreign = [await calls(bob, "show", file=name) for name in (path, address)]
    servers = [await calls(bob, "show", file=name) for name in ("/etc/passwd", "../etc/passwd")]

    assert own == ["of Ada", "of Ada"]
    assert [result.isError for result in (*foreign, *servers)] == [True] * 4
    assert "You have no such file" in text_of(foreign[0])
    assert not any("root:" in text_of(result) for result in servers)


@pytest.mark.asvs("1.3.6")
async def test_no_url_is_fetched_for_a_caller(ada: Browser, subtests: pytest.Subtests) -> None:
    for scheme in ["http", "https", "HTTP"]:
        with subtests.test(scheme=scheme):
            result = await calls(ada, "show", file=f"{scheme}://127.0.0.1:9/secret")

            assert result.isError
            assert "downloads nothing" in text_of(result)


@pytest.mark.parametrize("url", ["data:text/plain;base64,%%%", "data:text/plain"])
async def test_an_invalid_data_url_is_refused(ada: Browser, url: str) -> None:
    result = await calls(ada, "show", file=url)

    assert result.isError
    assert "data: URL" in text_of(result)


@pytest.mark.asvs("5.2.1")
async def test_uploads_of_a_call_count_for_the_hourly_limit(
    house: House, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.ui.limits.FILES_PER_HOUR", 1)

    results = [await calls(ada, "show", file="data:,a%20b") for _ in range(2)]

    assert text_of(results[0]) == "a b"
    assert results[1].isError
    assert "within an hour" in text_of(results[1])


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_an_image_is_part_of_the_result_only_for_its_owner(
    ada: Browser, bob: Browser
) -> None:
    drawn = await calls(ada, "draw")
    image = drawn.content[0]
    assert isinstance(image, types.ImageContent)
    path = text_of(drawn).partition("file=")[2]

    named = {"path": path, "meta": {"_type": "gradio.FileData"}}
    echoed = [
        types.CallToolResult.model_validate(
            (await asks(who, "tools/call", name="echo", arguments={"value": named})).get("result")
        )
        for who in (ada, bob)
    ]

    assert image.mimeType in {"image/png", "image/webp"}
    assert (await fetches(ada, path)).content == base64.b64decode(image.data)
    assert [has_image(result) for result in echoed] == [True, False]
    assert "You have no such file" in text_of(echoed[1])


@pytest.mark.asvs("5.3.2", "13.4.1")
async def test_an_output_that_names_an_image_of_the_server_does_not_show_it(
    ada: Browser, tmp_path: Path
) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "secret.png")

    result = await calls(
        ada,
        "echo",
        value={"path": str(tmp_path / "secret.png"), "meta": {"_type": "gradio.FileData"}},
    )

    assert not has_image(result)
    assert "secret.png" in text_of(result)


@pytest.mark.asvs("1.3.6", "4.1.3")
async def test_a_forwarded_host_has_no_effect(ada: Browser) -> None:
    params = {"name": "copy", "arguments": {"file": "data:,a"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    forged = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "x-gradio-server": "http://evil.example",
    }

    answer = await posts(ada, message, **forged)

    assert answer.status_code == 200
    assert "evil.example" not in answer.text
    assert "http://localhost/gradio/" in answer.text


# Resources and prompts


async def test_resources_and_prompts_run_as_their_caller(ada: Browser, bob: Browser) -> None:
    templates = types.ListResourceTemplatesResult.model_validate(
        (await asks(bob, "resources/templates/list"))["result"]
    )
    types.ListResourcesResult.model_validate((await asks(bob, "resources/list"))["result"])
    read = types.ReadResourceResult.model_validate(
        (await asks(bob, "resources/read", uri="notes://plan"))["result"]
    )
    prompts = types.ListPromptsResult.model_validate((await asks(bob, "prompts/list"))["result"])
    got = types.GetPromptResult.model_validate(
        (await asks(ada, "prompts/get", name="greet", arguments={"name": "Eve"}))["result"]
    )

    assert [one.uriTemplate for one in templates.resourceTemplates] == ["notes://{name}"]
    assert isinstance(read.contents[0], types.TextResourceContents)
    assert read.contents[0].text == "plan of bob@example.org"
    (prompt,) = prompts.prompts
    assert prompt.arguments is not None
    assert [(a.name, a.required) for a in prompt.arguments] == [("name", True)]
    assert isinstance(got.messages[0].content, types.TextContent)
    assert got.messages[0].content.text == "Greet Eve from ada@example.org"


async def test_an_unknown_resource_is_not_found(ada: Browser, subtests: pytest.Subtests) -> None:
    for uri in ["notes://a/b", "file:///etc/passwd", "notes://", 3]:
        with subtests.test(uri=uri):
            said = await asks(ada, "resources/read", uri=uri)

            assert said["error"]["code"] == -32002


@pytest.mark.asvs("1.3.12")
async def test_a_resource_address_beyond_the_longest_is_refused(ada: Browser) -> None:
    longest = "notes://" + "n" * (LONGEST_URI - len("notes://"))

    read = await asks(ada, "resources/read", uri=longest)
    refused = await asks(ada, "resources/read", uri=longest + "n")

    assert read["result"]["contents"][0]["uri"] == longest
    assert refused["error"]["code"] == -32602
    assert "2048 characters" in refused["error"]["message"]


# Messages


def test_the_protocol_versions_are_those_of_the_library() -> None:
    assert list(VERSIONS) == SUPPORTED_PROTOCOL_VERSIONS


@pytest.mark.asvs("2.2.1", "16.5.1")
async def test_an_invalid_message_is_refused_and_never_a_server_error(
    ada: Browser, subtests: pytest.Subtests
) -> None:
    for message, status in [
        ("x", 400),
        ([], 400),
        ({}, 400),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, 400),
        ({"jsonrpc": "2.0", "id": [], "method": "ping"}, 400),
        ({"jsonrpc": "2.0", "id": 1, "method": 3}, 400),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}, 400),
        ({"jsonrpc": "2.0", "method": "notifications/initialized"}, 202),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, 202),
        ({"jsonrpc": "2.0", "id": "\ud800", "method": "ping"}, 400),
        ({"jsonrpc": "2.0", "id": 1, "method": "\udfff"}, 400),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "\ud800"}}, 400),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a\0b"}}, 200),
        (
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "who", "arguments": {"word": "a\ud800b"}},
            },
            400,
        ),
        *(
            ({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": uri}}, 200)
            for uri in ("note://%ED%A0%80", "note://%00", "note://%ff", "note://\uffff", "", "//[")
        ),
        ({"jsonrpc": "2.0", "id": 1, "method": "unheard-of"}, 200),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": 3}}, 200),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": []}}, 200),
    ]:
        with subtests.test(message=message, status=status):
            assert (await posts(ada, message)).status_code == status


async def test_another_protocol_version_or_content_type_is_refused(ada: Browser) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

    version = await posts(ada, ping, **{"mcp-protocol-version": "1999-01-01"})
    kind = await ada.http.post(MCP, content="{}", headers={"content-type": "text/plain"})

    assert (version.status_code, kind.status_code) == (400, 415)


@pytest.mark.asvs("15.2.2")
async def test_a_message_larger_than_the_body_limit_is_refused(
    mounted: Mounts, tmp_path: Path
) -> None:
    house = await mounted(app_of(tmp_path), mcp=True, body_limit_mb=1)
    ada = await house.signed_in()

    answer = await posts(ada, {"jsonrpc": "2.0", "id": 1, "method": "a" * 1024 * 1024})

    assert answer.status_code == 413


@pytest.mark.asvs("16.2.5")
async def test_the_log_has_the_tool_but_not_its_arguments(ada: Browser, lines: list[Any]) -> None:
    await calls(ada, "who", word="confidential")
    await calls(ada, "refuse")
    await asks(ada, "tools/call", name="confidential", arguments={"word": "confidential"})

    told = [line.get("tool") for line in lines if line["event"] == "request"]
    assert told[-3:] == ["who", "refuse", None]
    assert "confidential" not in str(lines)


# Over the network


@pytest.mark.server
async def test_the_client_of_the_library_works_with_a_token(house: House) -> None:
    made = await house.makes_token("ada@example.org")
    headers = {"authorization": f"Bearer {made.value}"}

    async with (
        asyncio.timeout(PATIENCE),
        served(house) as origin,
        httpx.AsyncClient(headers=headers, timeout=PATIENCE) as http,
        streamable_http_client(f"{origin}{MCP}/", http_client=http) as (reads, writes, _),
        ClientSession(reads, writes) as session,
    ):
        begun = await session.initialize()
        listed = await session.list_tools()
        said = await session.call_tool("who", {"word": "I am"})
        stepped = await session.call_tool("steps", {"most": 3})
        prompt = await session.get_prompt("greet", {"name": "Eve"})

    assert begun.protocolVersion == VERSIONS[-1]
    assert "who_1" in {tool.name for tool in listed.tools}
    assert text_of(said) == "I am ada@example.org 1"
    assert text_of(stepped) == "Ada 2"
    assert isinstance(prompt.messages[0].content, types.TextContent)


@pytest.mark.server
async def test_a_client_that_disconnects_stops_its_event(mounted: Mounts) -> None:
    has_begun, has_ended = asyncio.Event(), asyncio.Event()

    async def tick() -> Any:
        try:
            for number in range(10_000):
                has_begun.set()
                yield number
                await asyncio.sleep(0.01)
        finally:
            has_ended.set()

    with gr.Blocks() as demo:
        gr.Button().click(tick, None, gr.Number(), api_name="tick")
    house = await mounted(demo, mcp=True)
    await house.has()
    made = await house.makes_token()
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "tick"}}

    async with asyncio.timeout(PATIENCE), served(house) as origin:
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {made.value}"}) as http:
            calling = asyncio.create_task(http.post(f"{origin}{MCP}", json=message))
            await has_begun.wait()
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
        await has_ended.wait()
