"""Which content security policy an app's pages get, and which widening is refused."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from entrypoints.ui import Page, PageRefused
from entrypoints.ui.policy import (
    ALWAYS,
    DRAWN_BY_EVAL,
    NEEDS,
    NONCE,
    OWN_FILES,
    OWN_SCRIPTS,
    SourceRefused,
    own_sources,
    policy_of,
)
from entrypoints.ui.sdk import visible_to
from tests.ui.conftest import GRADIO, Mounts

HOSTILE: Final = "<b>bold</b><script>alert(1)</script>"
INLINE: Final = "window.started = 'ä' < 'z';\nconsole.log(1)"


def blocks(*build: Callable[[], Any], **kwargs: Any) -> gr.Blocks:
    demo = gr.Blocks(**kwargs)
    with demo:
        gr.Button()
        for component in build:
            component()
    return demo


def sources(demo: gr.Blocks, directive: str = "script-src", **csp: Any) -> tuple[str, ...]:
    named = {name.replace("_", "-"): value for name, value in csp.items()}
    return policy_of(demo, named, reporting={}).directives.get(directive, ())


def directives(policy: bytes) -> dict[str, list[str]]:
    named = (part.split() for part in policy.decode().split(";"))
    return {name: sources for name, *sources in named}


@pytest.mark.asvs("3.4.3")
async def test_an_app_that_needs_nothing_may_not_evaluate(subtests: pytest.Subtests) -> None:
    for component in [
        *(gr.Textbox, gr.Image, gr.Audio, gr.Video, gr.Chatbot, gr.Dataframe, gr.Code, gr.Gallery),
        *(gr.Markdown, gr.MultimodalTextbox, gr.AnnotatedImage, gr.Timer, gr.File, gr.JSON),
    ]:
        with subtests.test(component=component):
            assert sources(blocks(component)) == (OWN_SCRIPTS, NONCE)


async def test_a_chat_may_not_evaluate() -> None:
    assert "'unsafe-eval'" not in sources(gr.ChatInterface(lambda message, history: message))


async def test_an_app_with_a_component_that_evaluates_may(subtests: pytest.Subtests) -> None:
    evaluating: list[Callable[[], Any]] = [
        *(gr.HTML, lambda: gr.HTML("x", js_on_load=None)),
        *(gr.ImageEditor, gr.Sketchpad, gr.Paint, gr.ImageMask),
        *(gr.LinePlot, gr.BarPlot, gr.ScatterPlot),
    ]

    for component in evaluating:
        with subtests.test(component=component):
            assert "'unsafe-eval'" in sources(blocks(component))


async def test_a_model_may_run_webassembly_and_no_more() -> None:
    assert sources(blocks(gr.Model3D))[2:] == ("'wasm-unsafe-eval'",)


async def test_a_script_of_an_event_is_evaluated() -> None:
    with gr.Blocks() as demo:
        gr.Button().click(None, None, gr.Textbox(), js="() => 'x'")

    assert "'unsafe-eval'" in sources(demo)


async def test_a_flagging_interface_has_such_scripts() -> None:
    assert "'unsafe-eval'" in sources(gr.Interface(str, "text", "text"))


async def test_what_is_rendered_later_may_need_what_any_component_needs() -> None:
    with gr.Blocks() as rendered:
        gr.render()(gr.Textbox)
    with gr.Blocks() as for_some:
        visible_to("admin")(gr.Textbox)

    assert "'unsafe-eval'" in sources(rendered)
    assert "'unsafe-eval'" in sources(for_some)


async def test_whoever_names_the_scripts_of_a_page_decides_what_is_rendered_later() -> None:
    with gr.Blocks() as rendered:
        gr.render()(gr.Textbox)

    assert sources(rendered, script_src="'self'") == (OWN_SCRIPTS, NONCE)
    assert "'unsafe-eval'" in sources(blocks(gr.HTML), script_src="'self'")


@pytest.fixture
def _altair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "altair.py").write_text("raise RuntimeError('only asked whether it is there')")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("_altair")
async def test_a_plot_may_evaluate_where_a_library_is_that_draws_so() -> None:
    assert "'unsafe-eval'" in sources(blocks(gr.Plot))
    assert "'unsafe-eval'" not in sources(blocks(gr.Textbox))
    assert sources(blocks(gr.Plot), script_src="'self'") == (OWN_SCRIPTS, NONCE)


async def test_the_table_names_kinds_that_exist() -> None:
    assert all(issubclass(kind, gr.blocks.Block) for kind in NEEDS)
    assert DRAWN_BY_EVAL


# What an author adds


async def test_a_page_is_widened_by_one_source_or_several() -> None:
    one = sources(blocks(), "img-src", img_src="https://images.example.com")
    several = sources(blocks(), "connect-src", connect_src=["https://a.example", "wss://b.example"])

    assert one == (*ALWAYS["img-src"], "https://images.example.com")
    assert several == ("'self'", "https://a.example", "wss://b.example")


async def test_nothing_is_not_said_beside_something() -> None:
    shown = sources(
        blocks(), "frame-ancestors", frame_ancestors=["'self'", "https://portal.example.com"]
    )

    assert shown == ("'self'", "https://portal.example.com")
    assert sources(blocks(), "frame-src", frame_src="https://maps.example") == (
        OWN_FILES,
        "https://maps.example",
    )


async def test_what_a_browser_would_take_for_frames_is_for_frames() -> None:
    assert "https://a.example" in sources(blocks(), "frame-src", child_src="https://a.example")
    assert "https://a.example" in sources(blocks(), "frame-src", default_src="https://a.example")


@pytest.mark.asvs("3.4.3", "3.2.1")
async def test_a_policy_names_the_folders_that_scripts_are_in(subtests: pytest.Subtests) -> None:
    for origin, assets in [
        ("https://app.example.org", "https://app.example.org/gradio/a/assets/"),
        ("http://localhost:8080", "http://localhost:8080/gradio/a/assets/"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1/gradio/a/assets/"),
    ]:
        with subtests.test(origin=origin):
            before, after = policy_of(blocks(), {}, reporting={}).below("/gradio/a").at(origin)
            policy = directives(before + b"x" + after)

            own = [assets, assets.replace("assets", "static")]
            assert policy["script-src"] == [*own, "'nonce-x'"]
            assert policy["worker-src"] == [*own, "blob:"]
            assert policy["frame-src"] == [assets.replace("assets", "gradio_api")]


async def test_where_no_policy_can_name_the_origin_it_says_self(subtests: pytest.Subtests) -> None:
    for origin in [
        "http://[::1]:8080",
        "https://my_host",
        "https://a.example;x",
        "https://ä.example",
    ]:
        with subtests.test(origin=origin):
            before, after = policy_of(blocks(), {}, reporting={}).below("/gradio/a").at(origin)
            policy = directives(before + b"x" + after)

            assert policy["script-src"] == ["'self'", "'nonce-x'"]
            assert policy["frame-src"] == ["'self'"]


async def test_a_path_of_any_letters_is_written_as_a_policy_can_have_it() -> None:
    assert own_sources("https://a.example", "/gráfico", "assets") == (
        "https://a.example/gr%C3%A1fico/assets/"
    )


@pytest.mark.asvs("3.4.3")
async def test_self_is_no_more_for_scripts_than_the_folders_they_are_in() -> None:
    for directive in ("script-src", "worker-src"):
        widened = policy_of(blocks(), {directive: ["'self'", "https://a.example"]}, reporting={})

        assert "'self'" not in widened.directives[directive]
        assert widened.directives[directive].count(OWN_SCRIPTS) == 1
        assert "https://a.example" in widened.directives[directive]


async def test_a_source_that_names_something_is_taken(subtests: pytest.Subtests) -> None:
    for source in [
        *("'unsafe-eval'", "https://cdn.example.com/lib/a.js", "https://*.example.com:8443"),
        *("cdn.example.com", "http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:1"),
        *("blob:", "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"),
    ]:
        with subtests.test(source=source):
            assert source in sources(blocks(), script_src=source)


@pytest.mark.asvs("3.4.3")
async def test_what_would_open_the_page_or_is_no_source_is_refused(
    subtests: pytest.Subtests,
) -> None:
    refused: list[tuple[str, Any]] = [
        *(
            ("script-src", s)
            for s in ("*", "'unsafe-inline'", "https:", "data:", "http:", "'none'")
        ),
        *(("script-src", s) for s in ("https://*", "*.*", "'nonce-abc'", "'strict-dynamic'", "")),
        *(("script-src", s) for s in ("a.example;", "a.example, b.example", "a.example b.example")),
        *(
            ("script-src", s)
            for s in ("a.example\n", "\x00", "{}", "https://a.example/x;y", "ä.de")
        ),
        *(("script-src", s) for s in ("http://cdn.example.com", "http://127.0.0.1.example.com", 7)),
        *((name, "*") for name in ("default-src", "object-src", "worker-src", "frame-ancestors")),
        *((name, "'unsafe-inline'") for name in ("default-src", "object-src", "img-src")),
        *(("img-src", s) for s in ("http:", "http://images.example.com", "ftp://a.example")),
        *((name, "'self'") for name in ("base-uri", "report-uri", "script", "Script-Src", "")),
    ]

    for directive, source in refused:
        with subtests.test(directive=directive, source=source), pytest.raises(SourceRefused):
            policy_of(blocks(), {directive: source}, reporting={})


async def test_a_page_is_refused_by_name_for_its_policy(mounted: Mounts) -> None:
    page = Page(demo=blocks(), title="Maps", csp={"script-src": "*"})

    with pytest.raises(PageRefused, match=r"csp= of the page 'Maps': '\*' in script-src would let"):
        await mounted(blocks(), others=[page])


# What leaves


async def test_a_page_says_what_it_may_and_where_to_complain(mounted: Mounts) -> None:
    wide = Page(demo=blocks(gr.HTML), title="Wide", csp={"img-src": "https://images.example.com"})
    ada = await (await mounted(blocks(), others=[wide])).signed_in()

    narrow = await ada.http.get(f"{GRADIO}/")
    widened = await ada.http.get(f"{GRADIO}/wide/")

    policy = narrow.headers["content-security-policy"]
    assert "unsafe-eval" not in policy
    assert policy.endswith("; report-uri /csp-reports")
    assert "reporting-endpoints" not in narrow.headers
    policy = widened.headers["content-security-policy"]
    own = " ".join(f"http://localhost{GRADIO}/wide/{folder}/" for folder in ("assets", "static"))
    assert re.search(rf"script-src {own} 'nonce-[\w-]{{43,}}' 'unsafe-eval';", policy)
    assert "img-src 'self' data: blob: https://images.example.com;" in policy


@pytest.mark.asvs("3.4.7")
async def test_over_https_a_page_names_an_endpoint_for_reports(mounted: Mounts) -> None:
    house = await mounted(blocks(), public_url="https://localhost")
    ada = await house.signed_in()
    token = ada.http.cookies["gradioapp-session"]

    page = await ada.http.get(
        f"https://localhost{GRADIO}/", headers={"cookie": f"__Host-gradioapp-session={token}"}
    )

    assert page.headers["content-security-policy"].endswith(
        "; report-uri /csp-reports; report-to violations"
    )
    assert page.headers["reporting-endpoints"] == 'violations="/csp-reports"'


@pytest.mark.asvs("3.4.6")
async def test_a_page_that_may_be_framed_says_so_in_one_voice(mounted: Mounts) -> None:
    framed = Page(
        demo=blocks(), title="Framed", csp={"frame-ancestors": "https://portal.example.com"}
    )
    ada = await (await mounted(blocks(), others=[framed])).signed_in()

    page, other = (
        await ada.http.get(f"{GRADIO}/framed/"),
        await ada.http.get(f"{GRADIO}/framed/config"),
    )

    assert "frame-ancestors https://portal.example.com;" in page.headers["content-security-policy"]
    assert "x-frame-options" not in page.headers
    assert other.headers["x-frame-options"] == "DENY"
    assert (await ada.http.get(f"{GRADIO}/")).headers["x-frame-options"] == "DENY"


@pytest.mark.asvs("3.4.3", "1.2.1")
async def test_a_script_in_what_an_app_shows_gets_no_nonce(mounted: Mounts) -> None:
    with gr.Blocks(title=HOSTILE) as demo:
        with pytest.warns(UserWarning, match="script"):
            gr.HTML(HOSTILE)
        gr.Textbox(HOSTILE, label=HOSTILE)
    ada = await (await mounted(demo)).signed_in()

    page = (await ada.http.get(f"{GRADIO}/")).text
    config = (await ada.http.get(f"{GRADIO}/config")).json()

    shown = re.findall(r"[^ ]{8}script[^ ]*>alert\(1\)", page)
    assert page.count("alert(1)") >= 4
    assert not re.search(r"<script[^>]*>alert", page)
    assert not [text for text in shown if "nonce" in text]
    assert page.count("nonce=") == len(re.findall(r"<script\b(?![^>]* src=)", page))
    assert config["components"][0]["props"]["value"] == HOSTILE
    assert r"\u003cscript\u003ealert(1)" in page


async def test_what_stands_in_the_head_of_an_app_may_run_and_nothing_beside_it(
    mounted: Mounts,
) -> None:
    head = (
        f"<script>{INLINE}</script><script src='https://cdn.example.com/a/lib.js?v=1'></script>"
        "<link rel='stylesheet' href='//fonts.example.com/one.css'><script src='/gradio/x.js'></script>"
        "<script src='http://plain.example.com/x.js'></script>"
    )
    with pytest.warns(UserWarning, match="head"):
        demo = blocks(head=head)
    ada = await (await mounted(demo)).signed_in()

    page = await ada.http.get(f"{GRADIO}/")

    policy = page.headers["content-security-policy"]
    hashed = b64encode(sha256(INLINE.encode()).digest()).decode()
    assert f"'sha256-{hashed}' https://cdn.example.com/a/lib.js;" in policy
    assert "style-src 'self' 'unsafe-inline' fonts.example.com/one.css;" in policy
    assert "plain.example.com" not in policy
    assert r"window.started" in page.text


async def test_the_script_of_an_app_is_evaluated_when_it_starts(mounted: Mounts) -> None:
    with pytest.warns(UserWarning, match="js"):
        demo = blocks(js="() => 1")
    ada = await (await mounted(demo)).signed_in()

    page = await ada.http.get(f"{GRADIO}/")

    assert "'unsafe-eval'" in page.headers["content-security-policy"]
    assert (await ada.http.get(f"{GRADIO}/config")).json()["js"] == "() => 1"
