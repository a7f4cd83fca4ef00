"""The content security policy of an app's pages, and sources that are refused in it."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from entrypoints.ui import Page, PageRefused
from entrypoints.ui.apps.launch_options import note_options
from entrypoints.ui.delivery.csp import (
    ALWAYS,
    NONCE,
    OWN_FILES,
    OWN_SCRIPTS,
    SourceRefused,
    own_sources,
    policy_of,
)
from entrypoints.ui.delivery.front_end import assets_folder
from gradioapp import visible_to
from tests.ui.conftest import GRADIO, Mounts

FOLDERS_OF_SCRIPTS: Final = (assets_folder(), "static", "gradio_api/custom_component")
"""Not `assets`: a browser may still have the unchanged scripts of another release there."""
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
async def test_an_app_with_plain_components_may_not_evaluate_scripts(
    subtests: pytest.Subtests,
) -> None:
    for component in [
        *(gr.Textbox, gr.Image, gr.Audio, gr.Video, gr.Chatbot, gr.Dataframe, gr.Code, gr.Gallery),
        *(gr.Markdown, gr.MultimodalTextbox, gr.AnnotatedImage, gr.Timer, gr.File, gr.JSON),
    ]:
        with subtests.test(component=component):
            assert sources(blocks(component)) == (OWN_SCRIPTS, NONCE)


async def test_a_chat_may_not_evaluate_scripts() -> None:
    assert "'unsafe-eval'" not in sources(gr.ChatInterface(lambda message, history: message))


async def test_an_app_with_a_component_that_evaluates_scripts_may_do_so(
    subtests: pytest.Subtests,
) -> None:
    evaluating: list[Callable[[], Any]] = [
        *(gr.HTML, lambda: gr.HTML("x", js_on_load=None)),
        *(gr.ImageEditor, gr.Sketchpad, gr.Paint, gr.ImageMask),
        *(gr.LinePlot, gr.BarPlot, gr.ScatterPlot),
    ]

    for component in evaluating:
        with subtests.test(component=component):
            assert "'unsafe-eval'" in sources(blocks(component))


async def test_a_model_may_run_webassembly_but_no_evaluated_scripts() -> None:
    assert sources(blocks(gr.Model3D))[2:] == ("'wasm-unsafe-eval'",)


async def test_an_event_with_a_script_needs_evaluation() -> None:
    with gr.Blocks() as demo:
        gr.Button().click(None, None, gr.Textbox(), js="() => 'x'")

    assert "'unsafe-eval'" in sources(demo)


async def test_a_flagging_interface_needs_evaluation() -> None:
    assert "'unsafe-eval'" in sources(gr.Interface(str, "text", "text"))


async def test_an_app_that_renders_later_may_evaluate_scripts() -> None:
    with gr.Blocks() as rendered:
        gr.render()(gr.Textbox)
    with gr.Blocks() as for_some:
        visible_to("admin")(gr.Textbox)

    assert "'unsafe-eval'" in sources(rendered)
    assert "'unsafe-eval'" in sources(for_some)


async def test_an_author_who_sets_script_src_decides_for_rendered_components() -> None:
    with gr.Blocks() as rendered:
        gr.render()(gr.Textbox)

    assert sources(rendered, script_src="'self'") == (OWN_SCRIPTS, NONCE)
    assert "'unsafe-eval'" in sources(blocks(gr.HTML), script_src="'self'")


@pytest.mark.parametrize("library", ["altair", "plotly"])
async def test_a_plot_may_evaluate_scripts_if_a_library_that_needs_it_is_installed(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "'unsafe-eval'" not in sources(blocks(gr.Plot))
    (tmp_path / f"{library}.py").write_text("raise RuntimeError('only asked whether it is there')")
    monkeypatch.syspath_prepend(tmp_path)

    assert "'unsafe-eval'" in sources(blocks(gr.Plot))
    assert "'unsafe-eval'" not in sources(blocks(gr.Textbox))
    assert sources(blocks(gr.Plot), script_src="'self'") == (OWN_SCRIPTS, NONCE)


# Sources that an author adds


async def test_a_page_is_widened_by_one_source_or_several() -> None:
    one = sources(blocks(), "img-src", img_src="https://images.example.com")
    several = sources(blocks(), "connect-src", connect_src=["https://a.example", "wss://b.example"])

    assert one == (*ALWAYS["img-src"], "https://images.example.com")
    assert several == ("'self'", "https://a.example", "wss://b.example")


async def test_the_source_none_is_dropped_when_another_is_added() -> None:
    shown = sources(
        blocks(), "frame-ancestors", frame_ancestors=["'self'", "https://portal.example.com"]
    )

    assert shown == ("'self'", "https://portal.example.com")
    assert sources(blocks(), "frame-src", frame_src="https://maps.example") == (
        OWN_FILES,
        "https://maps.example",
    )


async def test_child_src_and_default_src_also_apply_to_frames() -> None:
    assert "https://a.example" in sources(blocks(), "frame-src", child_src="https://a.example")
    assert "https://a.example" in sources(blocks(), "frame-src", default_src="https://a.example")


@pytest.mark.asvs("3.4.3", "3.2.1")
async def test_a_policy_names_the_folders_of_scripts_instead_of_self(
    subtests: pytest.Subtests,
) -> None:
    for origin, mount in [
        ("https://app.example.org", "https://app.example.org/gradio/a/"),
        ("http://localhost:8080", "http://localhost:8080/gradio/a/"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1/gradio/a/"),
    ]:
        with subtests.test(origin=origin):
            before, after = policy_of(blocks(), {}, reporting={}).below("/gradio/a").at(origin)
            policy = directives(before + b"x" + after)

            own = [f"{mount}{name}/" for name in FOLDERS_OF_SCRIPTS]
            assert policy["script-src"] == [*own, "'nonce-x'"]
            assert policy["worker-src"] == [*own, "blob:"]
            assert policy["frame-src"] == [f"{mount}gradio_api/"]
            assert policy["form-action"] == [f"{origin}/logout"]


async def test_an_origin_that_a_policy_cannot_name_is_written_as_self(
    subtests: pytest.Subtests,
) -> None:
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
            assert policy["frame-src"] == policy["form-action"] == ["'self'"]


async def test_a_path_in_a_policy_is_percent_encoded() -> None:
    assert own_sources("https://a.example", "/gráfico", "assets") == (
        "https://a.example/gr%C3%A1fico/assets/"
    )


@pytest.mark.asvs("3.4.3")
async def test_self_in_script_src_means_only_the_folders_of_scripts() -> None:
    for directive in ("script-src", "worker-src"):
        widened = policy_of(blocks(), {directive: ["'self'", "https://a.example"]}, reporting={})

        assert "'self'" not in widened.directives[directive]
        assert widened.directives[directive].count(OWN_SCRIPTS) == 1
        assert "https://a.example" in widened.directives[directive]


async def test_a_source_that_names_a_host_or_a_hash_is_accepted(subtests: pytest.Subtests) -> None:
    for source in [
        *("'unsafe-eval'", "https://cdn.example.com/lib/a.js", "https://*.example.com:8443"),
        *("cdn.example.com", "http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:1"),
        *("blob:", "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"),
    ]:
        with subtests.test(source=source):
            assert source in sources(blocks(), script_src=source)


@pytest.mark.asvs("3.4.3")
async def test_a_source_that_is_too_wide_or_invalid_is_refused(
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


async def test_a_page_with_a_refused_policy_is_named(mounted: Mounts) -> None:
    page = Page(demo=blocks(), title="Maps", csp={"script-src": "*"})

    with pytest.raises(
        PageRefused, match=r"csp= of the page 'Maps': '\*' in script-src would allow"
    ):
        await mounted(blocks(), others=[page])


# Response headers


async def test_a_page_sends_its_policy_and_the_address_for_reports(mounted: Mounts) -> None:
    wide = Page(demo=blocks(gr.HTML), title="Wide", csp={"img-src": "https://images.example.com"})
    ada = await (await mounted(blocks(), others=[wide])).signed_in()

    narrow = await ada.http.get(f"{GRADIO}/")
    widened = await ada.http.get(f"{GRADIO}/wide/")

    policy = narrow.headers["content-security-policy"]
    assert "unsafe-eval" not in policy
    assert policy.endswith("; report-uri /csp-reports")
    assert "reporting-endpoints" not in narrow.headers
    policy = widened.headers["content-security-policy"]
    own = " ".join(f"http://localhost{GRADIO}/wide/{name}/" for name in FOLDERS_OF_SCRIPTS)
    assert re.search(rf"script-src {own} 'nonce-[\w-]{{43,}}' 'unsafe-eval';", policy)
    assert "img-src 'self' data: blob: https://images.example.com;" in policy


@pytest.mark.asvs("3.4.7")
async def test_a_page_over_https_names_an_endpoint_for_reports(mounted: Mounts) -> None:
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
async def test_a_page_that_may_be_framed_sends_no_x_frame_options(mounted: Mounts) -> None:
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
async def test_a_script_in_the_values_of_an_app_gets_no_nonce(mounted: Mounts) -> None:
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


async def test_only_scripts_and_styles_in_the_head_of_an_app_are_allowed(
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


async def test_an_app_with_a_start_script_may_evaluate_scripts(mounted: Mounts) -> None:
    with pytest.warns(UserWarning, match="js"):
        demo = blocks(js="() => 1")
    ada = await (await mounted(demo)).signed_in()

    page = await ada.http.get(f"{GRADIO}/")

    assert "'unsafe-eval'" in page.headers["content-security-policy"]
    assert (await ada.http.get(f"{GRADIO}/config")).json()["js"] == "() => 1"


# What a theme and css= name

BACKGROUND: Final = "https://pictures.example.com/back ground.jpg?size=1"
CSS: Final = """
/* url(https://comment.example.com/x.png) */
@import url('https://fonts.googleapis.com/css2?family=Lora:wght@400;600&display=swap');
@import "https://styles.example.com/more.css";
@font-face { font-family: Own; src: url("https://files.example.com/own.woff2") format("woff2"), url(own.woff2); }
body { background: url(//img.example.com/a.png); cursor: url('data:image/png;base64,AA') }
"""


async def policy_at(mounted: Mounts, **options: Any) -> dict[str, Any]:
    """Return the policy of an app that is launched with these options."""
    demo = blocks()
    note_options(demo, options, of=gr.Blocks.launch)
    ada = await (await mounted(demo)).signed_in()
    page = await ada.http.get(f"{GRADIO}/")
    return directives(page.headers["content-security-policy"].encode())


async def test_the_google_fonts_of_a_theme_are_allowed_and_nothing_wider(mounted: Mounts) -> None:
    google = gr.themes.GoogleFont("Pacifico")
    plain = await policy_at(mounted)

    policy = await policy_at(
        mounted, theme=gr.themes.Soft(font=[google, "Arial"], font_mono=[google])
    )

    added = {name: set(found) - set(plain[name]) for name, found in policy.items()}
    assert {name: found for name, found in added.items() if found and name != "script-src"} == {
        "style-src": {"https://fonts.googleapis.com/css2"},
        "font-src": {"https://fonts.gstatic.com"},
    }


async def test_a_theme_whose_fonts_gradio_brings_adds_nothing(mounted: Mounts) -> None:
    lora = gr.themes.GoogleFont("Lora")

    policy = await policy_at(mounted, theme=gr.themes.Default(font=[lora]))

    assert policy["style-src"] == ["'self'", "'unsafe-inline'"]
    assert policy["font-src"] == ["'self'", "data:"]


async def test_the_pictures_and_fonts_that_a_theme_and_css_name_are_allowed(
    mounted: Mounts,
) -> None:
    theme = gr.themes.Default().set(body_background_fill=f"url('{BACKGROUND}')")

    policy = await policy_at(mounted, theme=theme, css=CSS)

    assert policy["img-src"][3:] == [
        "https://pictures.example.com/back%20ground.jpg",
        "img.example.com/a.png",
    ]
    assert policy["style-src"][2:] == [
        "https://fonts.googleapis.com/css2",
        "https://styles.example.com/more.css",
    ]
    assert policy["font-src"][2:] == [
        "https://fonts.gstatic.com",
        "https://files.example.com/own.woff2",
    ]


async def test_google_fonts_in_the_head_are_allowed_with_their_files(mounted: Mounts) -> None:
    link = "<link rel='stylesheet' href='https://fonts.googleapis.com/css?family=Pacifico'>"

    policy = await policy_at(mounted, head=link)

    assert policy["style-src"][2:] == ["https://fonts.googleapis.com/css"]
    assert policy["font-src"][2:] == ["https://fonts.gstatic.com"]


async def test_an_address_of_a_theme_that_stays_blocked_is_one_line_at_start(
    mounted: Mounts, lines: list[Any]
) -> None:
    theme = gr.themes.Default().set(
        body_background_fill="url('http://plain.example.com/a.jpg')",
        body_background_fill_dark="url('http://plain.example.com/a.jpg')",
    )

    policy = await policy_at(mounted, theme=theme)

    assert "plain.example.com" not in str(policy)
    [line] = [line for line in lines if line["event"].startswith("page names what its content")]
    assert (line["directive"], line["source"]) == ("img-src", "http://plain.example.com/a.jpg")
    assert line["why"].startswith("is unencrypted; write https://")
