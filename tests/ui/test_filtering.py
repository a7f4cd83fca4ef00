"""Headers to and from a mounted app are filtered, and its files are sent with safe media types."""

import asyncio
import itertools
import mimetypes
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr
import httpx
import pytest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapters.system.clock import StoppedClock
from entrypoints.access import FOUND
from entrypoints.ui import Page
from entrypoints.ui.addresses import ASSET, DESCRIPTION, FILE, Found, Kind, get
from entrypoints.ui.delivery.headers import CREDENTIALS, LEAVING, OF_A_FILE, FilteredHeaders
from entrypoints.ui.delivery.media_types import FilePolicies, is_document, safe_type
from tests.identity_proxy import HEADER, settings_of, token_for
from tests.lying_provider import lying_provider
from tests.ui.attacks import API, uploads
from tests.ui.conftest import GRADIO, Browser, Mounts, completed
from tests.ui.test_addresses import JUDGEMENTS, sample

MARK: Final = "planted-by-the-client"
PLANTED: Final = {
    "accept-ranges": MARK,
    "access-control-allow-origin": f"https://{MARK}.example",
    "cache-control": f"public, max-age=31536000, {MARK}",
    "clear-site-data": f'"{MARK}"',
    "content-disposition": f"inline; filename={MARK}.html",
    "content-encoding": f"gzip, {MARK}",
    "content-language": MARK,
    "content-range": f"bytes {MARK}",
    "content-security-policy": f"default-src * 'unsafe-inline' {MARK}",
    "content-type": f"text/html; {MARK}",
    "etag": f'"{MARK}"',
    "last-modified": MARK,
    "link": f"<https://{MARK}.example>; rel=preload",
    "location": f"https://{MARK}.example",
    "refresh": f"0; url=https://{MARK}.example",
    "service-worker-allowed": MARK,
    "set-cookie": f"gradioapp-session={MARK}",
    "sourcemap": MARK,
    "vary": MARK,
    "www-authenticate": f"Basic realm={MARK}",
    "x-anything": MARK,
}
"""Headers that a client sends in the hope to get them back."""
OURS: Final = frozenset(
    {
        *("cache-control", "content-security-policy", "cross-origin-opener-policy"),
        *("cross-origin-resource-policy", "permissions-policy", "referrer-policy"),
        *("x-content-type-options", "x-frame-options", "x-request-id"),
    }
)
RANGES: Final = (
    "bytes=0-3",
    "bytes=1-1",
    "bytes=2-",
    "bytes=-3",
    "bytes=0-0,2-3",
    "bytes=900-999",
    "x",
    "",
)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


def app_with(outputs: Path) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.File()
    vars(demo)["_gradioapp_launched"] = {"allowed_paths": [str(outputs)]}
    return demo


async def gets(ada: Browser, path: object, *, at: str = "file=", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await ada.http.get(f"{API}/{at}{path}", headers=named)


# Headers to the app


CREDENTIALS_SENT: Final = {
    "authorization": "Basic aHVudGVyMg==",
    "proxy-authorization": "Basic aHVudGVyMg==",
    "cookie": "other=hunter2",
}


def _curious() -> gr.Blocks:
    def see(request: gr.Request) -> dict[str, Any]:
        inner: Any = request.request
        return {
            "headers": dict(request.headers),
            "cookies": dict(request.cookies),
            "all": repr([inner.scope, vars(request), inner.headers.raw]),
        }

    async def see_slowly(request: gr.Request) -> dict[str, Any]:
        await asyncio.sleep(0)
        return see(request)

    with gr.Blocks() as demo:
        shown = gr.JSON()
        button = gr.Button()
        button.click(see, None, shown, api_name="see")
        button.click(see_slowly, None, shown, api_name="see_slowly")
        button.click(see, None, shown, api_name="see_at_once", queue=False)
    return demo  # type: ignore[no-any-return]


async def _seen(who: Browser) -> list[str]:
    """Return what a callback sees of its request, for each way to call it."""
    http = who.http
    direct = [
        (await http.post(f"{API}/{way}/see_at_once", json={"data": []})).text
        for way in ("run", "api")
    ]
    called = []
    for way in ("call", "call/v2"):
        body: dict[str, Any] = {"data": []} if way == "call" else {}
        event_id = (await http.post(f"{API}/{way}/see", json=body)).json()["event_id"]
        called.append((await http.get(f"{API}/{way}/see/{event_id}")).text)
    queued = [str(completed(await who.runs(name))) for name in ("see", "see_slowly")]
    return [*direct, *called, *queued]


async def _seen_by_a_tool(who: Browser) -> str:
    call = {"name": "see", "arguments": {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    return (await who.http.post(f"{API}/mcp", json=message)).text


@pytest.mark.asvs("14.2.1", "3.3.4", "13.2.2")
async def test_a_callback_sees_neither_cookie_nor_token(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    house = await mounted(_curious(), mcp=True)
    ada = await house.signed_in()
    made = await house.makes_token()
    program = house.program(made)
    ada.http.headers.update(CREDENTIALS_SENT | {"x-tenant": "blue"})
    ada.http.headers["cookie"] += f"; gradioapp-session={ada.http.cookies['gradioapp-session']}"
    program.http.headers.update({"cookie": "other=hunter2", "x-tenant": "blue"})

    for who, secret in ((ada, ada.http.cookies["gradioapp-session"]), (program, made.value)):
        seen = [*await _seen(who), await _seen_by_a_tool(who)]
        assert len(seen) == 7
        for number, told in enumerate(seen):
            with subtests.test(who=who, number=number):
                assert "x-tenant" in told  # Other headers are passed.
                assert "headers" in told
                assert secret not in told
                assert "hunter2" not in told
                assert "aHVudGVyMg" not in told
                for name in CREDENTIALS:
                    assert f"{name.decode()}'" not in told.lower().replace('\\"', "'").replace(
                        '"', "'"
                    )


@pytest.mark.asvs("4.1.3", "14.2.1")
async def test_a_callback_sees_no_header_that_names_a_person(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    with lying_provider(StoppedClock()) as provider:
        settings = settings_of(provider, proxy_identity_create=True)
        house = await mounted(_curious(), mcp=True, **settings)
        provider.clock = house.clock
        browser = house.anonymous()
        token = token_for(provider, "ada")
        browser.http.headers.update({HEADER: token, "x-tenant": "blue"})
        await browser.http.get("/login")
        for name in ("X_Forwarded_Email", "X-Forwarded-User", "x_proxy_jwt", "Remote_User"):
            browser.http.headers[name] = "root@example.org"
        await house.has("bob@example.org")
        program = house.program(await house.makes_token("bob@example.org"))
        program.http.headers.update(
            {HEADER: token, "x_forwarded_email": "root@example.org", "x-tenant": "blue"}
        )

        for who, email in ((browser, "ada@example.org"), (program, "bob@example.org")):
            seen = [*await _seen(who), await _seen_by_a_tool(who)]
            assert len(seen) == 7
            for number, told in enumerate(seen):
                with subtests.test(email=email, number=number):
                    assert "x-tenant" in told
                    assert email in told
                    assert token not in told
                    assert "root@example.org" not in told
                    assert "x_proxy_jwt" not in told
                    assert "Profile(" not in told


async def test_the_username_is_known_without_a_cookie(mounted: Mounts) -> None:
    def who(request: gr.Request) -> str:
        return f"{request.username} {request.cookies}"

    with gr.Blocks() as demo:
        gr.Button().click(who, None, gr.Textbox(), api_name="who")
    ada = await (await mounted(demo)).signed_in()

    assert await ada.gets("who") == "ada@example.org {}"


# Headers from the app


@pytest.mark.asvs("3.4.3", "4.1.3", "14.3.2", "3.3.4")
async def test_a_file_response_repeats_no_header_of_the_request(
    mounted: Mounts, outputs: Path, subtests: pytest.Subtests
) -> None:
    house = await mounted(app_with(outputs))
    ada = await house.signed_in()
    (outputs / "a.txt").write_text("allowed by its author")
    own = await uploads(ada)
    secret = ada.http.cookies["gradioapp-session"]
    addresses = [
        f"{API}/{at}{path}" for at in ("file=", "file/") for path in (own, outputs / "a.txt")
    ]

    statuses = set()
    for address, content_range in itertools.product(addresses, RANGES):
        for method in ("GET", "HEAD"):
            if "file/" in address and method == "HEAD":
                continue  # Gradio has no HEAD route for these.
            with subtests.test(method=method, address=address, range=content_range):
                headers = PLANTED | {"range": content_range}
                answer = await ada.http.request(method, address, headers=headers)

                statuses.add(answer.status_code)
                assert MARK not in str(answer.headers)
                assert secret not in str(answer.headers)
                assert set(answer.headers) <= {n.decode() for n in LEAVING} | OURS - {
                    "x-frame-options"
                }
                assert len(answer.headers.get_list("content-type")) == 1
                assert answer.headers["content-type"].startswith(("text/plain", "application/json"))
                assert answer.headers["cache-control"] == "private, no-store"

    assert statuses == {200, 206, 416}


@pytest.mark.asvs("4.1.3")
async def test_no_route_of_gradio_repeats_headers_of_the_request(
    mounted: Mounts, subtests: pytest.Subtests
) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(str, gr.Textbox(), gr.Textbox(), api_name="thing")
    house = await mounted(demo)
    ada = await house.signed_in()
    planted = {k: v for k, v in PLANTED.items() if k not in {"content-type", "content-encoding"}}

    for method, pattern, verdict in JUDGEMENTS:
        if verdict != "closed" and "heartbeat" not in pattern:
            with subtests.test(method=method, pattern=pattern):
                headers = planted | {"range": "bytes=0-1", "content-length": "0"}
                answer = await ada.http.request(
                    method, f"{GRADIO}{sample(pattern)}", headers=headers
                )

                assert MARK not in str(answer.headers)
                assert "set-cookie" not in answer.headers
                assert not 300 <= answer.status_code < 400


@pytest.mark.asvs("3.4.2", "4.1.3")
async def test_a_header_that_a_release_of_gradio_adds_is_removed(subtests: pytest.Subtests) -> None:
    paths = (
        *("/", "/config", "/assets/a.js", "/static/a.js", "/theme.css", "/gradio_api/info"),
        *("/gradio_api/file=a.txt", "/gradio_api/file/a.txt", "/gradio_api/stream/a/b/c/d.ts"),
        *("/gradio_api/upload", "/gradio_api/queue/data", "/gradio_api/unheard-of"),
    )
    for path, status in itertools.product(paths, (200, 201, 206, 301, 304, 307, 404, 416, 500)):
        with subtests.test(path=path, status=status):
            answer = await _filtered(Talkative(status), path)

            assert answer.status_code == status
            assert set(answer.headers) - {"content-security-policy"} <= {
                n.decode() for n in LEAVING
            }
            assert MARK not in answer.headers.get("content-security-policy", "")


@pytest.mark.parametrize("sent", ["bytes=0-3", "bytes=5-", "bytes=-5"])
async def test_a_single_range_is_passed_to_gradio(sent: str) -> None:
    asked = Talkative(206)
    await _filtered(asked, "/gradio_api/file=a.txt", range=sent)

    assert asked.headers[b"range"] == sent.encode()


@pytest.mark.parametrize(
    "sent",
    ["bytes=0-1,3-4", "bytes=0-1, 3-4", "items=0-1", "bytes=-", "bytes=²-3", "bytes=a-b", ""],
)
async def test_any_other_range_is_removed(sent: str) -> None:
    asked = Talkative(200)
    await _filtered(asked, "/gradio_api/file=a.txt", range=sent)

    assert b"range" not in asked.headers


async def test_a_file_request_reaches_gradio_with_only_the_headers_that_it_uses() -> None:
    for path in ("file=a.txt", "file/a.txt", "stream/a/b/c/playlist-file"):
        asked = Talkative(200)
        await _filtered(asked, f"/gradio_api/{path}", range="bytes=0-1", **PLANTED)

        assert asked.headers.keys() == OF_A_FILE - {b"if-range"}


class Talkative:
    """Replace Gradio's application: respond with all headers that a later release might send."""

    routes: Sequence[Route] = ()

    def __init__(self, status: int) -> None:
        self._status = status
        self.headers: dict[bytes, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = dict(scope["headers"])
        await Response("x", self._status, headers=PLANTED)(scope, receive, send)


def _kind_of(path: str) -> Kind:
    if path in {"/", "/assets/a.js", "/static/a.js", "/theme.css"}:
        return ASSET
    return FILE if re.match(r"/gradio_api/(file|stream/)", path) else DESCRIPTION


async def _no_handler(_: Any) -> None: ...


async def _filtered(gradio: Talkative, path: str, **headers: str) -> httpx.Response:
    app = FilteredHeaders(gradio, policies=FilePolicies.framed_by(()))
    sent = [(b"host", b"localhost"), (b"accept-encoding", b"br")]
    sent += [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    start: dict[str, Any] = {}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    row = get(".+", _kind_of(path), _no_handler)
    state = {FOUND: Found(address=row, path=path)}
    scope = {"type": "http", "method": "GET", "path": path, "headers": sent, "state": state}
    await app(scope, receive, send)
    return httpx.Response(start["status"], headers=start["headers"])


# Ranges


async def test_a_file_is_sent_in_ranges(mounted: Mounts, outputs: Path) -> None:
    ada = await (await mounted(app_with(outputs))).signed_in()
    (outputs / "a.mp4").write_bytes(b"0123456789")

    parts = [
        await gets(ada, outputs / "a.mp4", range=part)
        for part in ("bytes=2-4", "bytes=7-", "bytes=-2", "bytes=20-", "bytes=20-30")
    ]

    assert [part.status_code for part in parts] == [206, 206, 206, 416, 416]
    assert [part.content for part in parts[:3]] == [b"234", b"789", b"89"]
    assert parts[0].headers["content-range"] == "bytes 2-4/10"
    assert {part.headers["content-type"] for part in parts[:3]} == {"video/mp4"}
    assert parts[3].headers["content-range"] == "bytes */10"


# Media types of files


KEPT: Final = (
    *(
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/vnd.microsoft.icon",
    ),
    *("audio/mpeg", "audio/x-wav", "video/mp4", "video/mp2t", "font/woff2", "model/gltf-binary"),
    *(
        "text/plain",
        "text/plain; charset=utf-8",
        "text/csv; charset=utf-8",
        "text/markdown",
        "text/vtt",
    ),
    *("application/json", "application/pdf", "application/zip", "application/octet-stream"),
    *("text/event-stream; charset=utf-8", "application/vnd.apple.mpegurl"),
)
SANDBOXED: Final = (
    *(
        "text/html",
        "text/html; charset=utf-8",
        "TEXT/HTML",
        " text/html ;x=y",
        "application/xhtml+xml",
    ),
    *(
        "image/svg+xml",
        "Image/SVG+XML; charset=utf-8",
        "text/xml",
        "application/xml",
        "application/xslt+xml",
    ),
    *("application/mathml+xml", "application/rdf+xml", "application/rss+xml", "model/x3d+xml"),
)
AS_TEXT: Final = (
    *("text/javascript", "text/javascript; charset=utf-8", "application/javascript", "text/css"),
    *("text/css; charset=utf-8", "text/jscript", "text/ecmascript", "text/livescript", "text/xsl"),
    *("text/x-python", "text/javascript1.5", "text/x-component", "text/cache-manifest"),
)
AS_BYTES: Final = (
    *("application/wasm", "application/ecmascript", "application/x-javascript", "message/rfc822"),
    *(
        "application/manifest+json",
        "application/importmap+json",
        "application/speculationrules+json",
    ),
    *(
        "application/x-shockwave-flash",
        "application/java-archive",
        "multipart/x-mixed-replace; boundary=a",
    ),
    *(
        "multipart/related",
        "application/x-x509-ca-cert",
        "application/json+javascript",
        "",
        "nonsense",
    ),
    *("imagesvg", "application/hta", "application/dart", "chemical/x-pdb"),
)


@pytest.mark.asvs("3.2.1", "3.4.4")
def test_every_media_type_is_kept_sandboxed_or_replaced_by_a_passive_one(
    subtests: pytest.Subtests,
) -> None:
    for kind in KEPT:
        with subtests.test(kept=kind):
            assert (safe_type(kind.encode()), is_document(kind.encode())) == (kind.encode(), False)
    for kind in SANDBOXED:
        with subtests.test(sandboxed=kind):
            assert (safe_type(kind.encode()), is_document(kind.encode())) == (kind.encode(), True)
    for kind in AS_TEXT:
        with subtests.test(text=kind):
            assert safe_type(kind.encode()) == b"text/plain; charset=utf-8"
    for kind in AS_BYTES:
        with subtests.test(bytes=kind):
            assert safe_type(kind.encode()) == b"application/octet-stream"


def test_no_media_type_that_python_knows_runs_as_a_script_or_a_style() -> None:
    known = {*mimetypes.types_map.values(), *mimetypes.common_types.values()}
    sent = {safe_type(kind.encode()).decode() for kind in known}

    runs = {
        kind for kind in sent if any(word in kind for word in ("script", "css", "wasm", "+json"))
    }
    assert "text/javascript" in known
    assert runs <= {"model/gltf+json"}


FILES: Final = {
    "x.js": "text/plain; charset=utf-8",
    "x.mjs": "text/plain; charset=utf-8",
    "x.css": "text/plain; charset=utf-8",
    "x.wasm": "application/octet-stream",
    "x.webmanifest": "application/octet-stream",
    "x": "application/octet-stream",
    "x.csv": "text/csv; charset=utf-8",
    "x.png": "image/png",
    "x.pdf": "application/pdf",
    "x.json": "application/json",
}
DOCUMENTS: Final = {
    "x.html": "text/html; charset=utf-8",
    "x.htm": "text/html; charset=utf-8",
    "x.xhtml": "application/xhtml+xml",
    "x.svg": "image/svg+xml",
}


@pytest.mark.asvs("3.2.1", "3.4.3", "3.4.4", "5.3.1")
async def test_a_file_that_an_author_allows_is_never_a_script_of_this_service(
    mounted: Mounts, outputs: Path, subtests: pytest.Subtests
) -> None:
    ada = await (await mounted(app_with(outputs))).signed_in()

    for name, kind in (FILES | DOCUMENTS).items():
        (outputs / name).write_text("alert(1)")
        for at, extra in itertools.product(
            ("file=", "file/"),
            ({}, {"range": "bytes=0-3"}, {"range": "bytes=1-"}, {"accept-encoding": "br, gzip"}),
        ):
            with subtests.test(name=name, at=at, extra=extra):
                answer = await gets(ada, outputs / name, at=at, **extra)
                policy = answer.headers.get_list("content-security-policy")

                assert answer.status_code in {200, 206}
                # For a range Gradio leaves the charset out.
                assert answer.headers["content-type"].partition(";")[0] == kind.partition(";")[0]
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert len(policy) == 1
                assert policy[0].startswith("sandbox allow-scripts ") == (name in DOCUMENTS)
                assert ("sandbox" in policy[0]) == (name in DOCUMENTS)
                assert "allow-same-origin" not in policy[0]
                assert policy[0].endswith("; frame-ancestors 'self'")
                assert ("cross-origin-opener-policy" in answer.headers) == (name not in DOCUMENTS)


@pytest.mark.asvs("5.3.1", "3.2.1")
async def test_an_upload_is_sent_as_bytes(mounted: Mounts, outputs: Path) -> None:
    ada = await (await mounted(app_with(outputs))).signed_in()

    for name in ("x.html", "x.svg", "x.js", "x.css", "x.pdf"):
        answer = await gets(ada, await uploads(ada, b"<script>alert(1)</script>", name))

        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_gradios_own_scripts_keep_their_type_and_need_no_policy(mounted: Mounts) -> None:
    ada = await (await mounted(gr.Blocks())).signed_in()

    theme = await ada.http.get(f"{GRADIO}/theme.css")
    script = await ada.http.get(f"{GRADIO}/static/ffmpeg/ffmpeg-core.js")

    assert theme.headers["content-type"].startswith("text/css")
    assert "javascript" in script.headers["content-type"]
    assert "content-security-policy" not in script.headers


@pytest.mark.asvs("3.4.6")
async def test_a_file_is_framed_by_its_app_and_by_the_origins_that_may_frame_the_app(
    mounted: Mounts, outputs: Path
) -> None:
    portal = "https://portal.example.org"
    page = Page(demo=app_with(outputs), title="Framed", csp={"frame-ancestors": portal})
    ada = await (await mounted(gr.Blocks(), others=[page])).signed_in()
    (outputs / "map.html").write_text("a map")

    answer = await ada.http.get(f"{GRADIO}/framed/gradio_api/file={outputs / 'map.html'}")

    policy = answer.headers["content-security-policy"]
    assert policy.endswith(f"; frame-ancestors 'self' {portal}")
    assert "x-frame-options" not in answer.headers
