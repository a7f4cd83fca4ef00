"""Build the content security policy of an app's pages: what Gradio always needs, what this app uses, and what its
author adds."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from html.parser import HTMLParser
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import gradio as gr
from gradio.blocks import Block
from gradio.components.native_plot import NativePlot

from entrypoints.ui.delivery.front_end import assets_folder

Sources = tuple[str, ...]
Widening = Mapping[str, str | Sequence[str]]

SELF: Final = "'self'"
EVAL: Final = "'unsafe-eval'"
WASM: Final = "'wasm-unsafe-eval'"
NONCE: Final = "'nonce-{}'"
OWN_SCRIPTS: Final = "{scripts}"
OWN_FILES: Final = "{files}"
"""Placeholders for addresses below the page's mount. A policy must name them with the request's origin."""

SIGN_OUT: Final = "{sign_out}"
"""Placeholder for the address to which the bar's one form goes. A text of a user may contain other forms."""

ALWAYS: Final[Mapping[str, Sources]] = {
    "default-src": ("'none'",),
    "script-src": (OWN_SCRIPTS, NONCE),
    "style-src": ("'self'", "'unsafe-inline'"),
    "img-src": ("'self'", "data:", "blob:"),
    "font-src": ("'self'", "data:"),
    "connect-src": ("'self'",),
    "media-src": ("'self'", "blob:", "data:"),
    "worker-src": (OWN_SCRIPTS, "blob:"),
    "frame-src": (OWN_FILES,),
    "manifest-src": ("'self'",),
    "base-uri": ("'self'",),
    "form-action": (SIGN_OUT,),
    "frame-ancestors": ("'none'",),
    "object-src": ("'none'",),
}
"""The policy with which all components work that are not in NEEDS. Tried in Chromium, among others with Audio, Video,
Image, Gallery, Code, Dataframe, Markdown and Chatbot with formulas and diagrams, MultimodalTextbox, Timer."""

NEEDS: Final[Mapping[type[Block], str]] = {
    gr.HTML: EVAL,  # Compiles its template to a function, even if it has no script.
    gr.ImageEditor: EVAL,  # pixi.js compiles code for shaders. Also Sketchpad, Paint and ImageMask.
    NativePlot: EVAL,  # Vega compiles its expressions: LinePlot, BarPlot, ScatterPlot.
    gr.Model3D: WASM,  # Gaussian splats are sorted in WebAssembly; meshes need nothing.
}
"""Components that do not work without a further source, tried in the same way. Their subclasses need the same."""

DRAWN_BY_EVAL: Final = ("altair", "plotly")
"""Libraries whose figures in a gr.Plot may need EVAL: all of Altair's, and Plotly's that use WebGL."""

WIDENED: Final = frozenset(ALWAYS.keys() - {"base-uri"} | {"child-src"})
_STRICT: Final = frozenset(
    {"script-src", "default-src", "object-src", "worker-src", "child-src", "frame-ancestors"}
)
"""Directives in which `*` or a whole scheme would make the policy useless."""
_RUN: Final = frozenset({"script-src", "worker-src"})
"""Directives in which `'self'` means only Gradio's own scripts. Everything else that this service sends is data."""
_FOR_FRAMES_TOO: Final = frozenset({"child-src", "default-src"})
"""Directives that browsers apply to frames if a policy has no `frame-src`. Ours always has one, so it is widened
too."""
_NAMEABLE: Final = re.compile(
    r"https?://[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]+)?", re.ASCII | re.IGNORECASE
)
"""Origins that a policy can name. The syntax has no IPv6 addresses."""

_KEYWORDS: Final = frozenset({SELF, EVAL, WASM, "'unsafe-inline'"})
_HASH: Final = re.compile(r"'sha(256|384|512)-[A-Za-z0-9+/]{43,86}={0,2}'")
_SCHEMES: Final = frozenset({"data:", "blob:", "mediastream:", "https:", "wss:"})
_HOST: Final = re.compile(
    r"((?P<scheme>https?|wss?)://)?(?P<host>(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
    r"(:([0-9]{1,5}|\*))?(/[A-Za-z0-9._~%/+@=-]*)?",
    re.ASCII,
)

_GOOGLE_STYLES: Final = "fonts.googleapis.com"
_GOOGLE_FONTS: Final = "https://fonts.gstatic.com"
"""Where the files are that Google's style sheets for fonts name."""
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_IMPORT: Final = re.compile(r"""@import\s+(?:url\([^)]*\)|"[^"]*"|'[^']*')[^;]*;?""", re.IGNORECASE)
_FONT_FACE: Final = re.compile(r"@font-face\s*\{[^}]*\}", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"""url\(([^)]*)\)|@import\s+["']([^"']*)["']""", re.IGNORECASE)


class SourceRefused(ValueError):
    """A source must not be in a policy. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    directives: Mapping[str, Sources]

    def allowing(self, directive: str, sources: Iterable[str]) -> Self:
        before = self.directives.get(directive, ())
        both = tuple(dict.fromkeys((*before, *sources)))
        kept = tuple(source for source in both if source != "'none'") or both
        return type(self)(directives={**self.directives, directive: kept})

    def below(self, path: str, *, sign_out: str = "/logout") -> "PagePolicy":
        """Return the policy of the mount at `path`. `sign_out` is the path of the sign-out."""
        text = "; ".join(" ".join((name, *sources)) for name, sources in self.directives.items())
        return PagePolicy(text=text, path=path, sign_out=sign_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePolicy:
    """The policy of an app's pages at their address."""

    text: str
    path: str
    """The mount's path."""
    sign_out: str

    def at(self, origin: str) -> tuple[bytes, bytes]:
        """Return the header's value before and after the nonce, so that each request only has to insert its own.
        `origin` is this service's origin, as the gate has set it."""
        return _around_nonce(self.text, self.path, self.sign_out, origin)


@lru_cache(maxsize=1024)
def _around_nonce(text: str, path: str, sign_out: str, origin: str) -> tuple[bytes, bytes]:
    # Not "assets": a browser may still have the unchanged scripts at the addresses below Gradio's own folder.
    scripts = own_sources(origin, path, assets_folder(), "static", "gradio_api/custom_component")
    text = text.replace(OWN_SCRIPTS, scripts)
    text = text.replace(OWN_FILES, own_sources(origin, path, "gradio_api"))
    is_named = _NAMEABLE.fullmatch(origin)
    text = text.replace(SIGN_OUT, f"{origin}{quote(sign_out)}" if is_named else SELF)
    before, _, after = text.partition("{}")
    return before.encode("ascii"), after.encode("ascii")


def own_sources(origin: str, path: str, *folders: str) -> str:
    """Return folders of the mount at `path` as sources of a policy, or `'self'` if a policy cannot name the origin."""
    if not _NAMEABLE.fullmatch(origin):
        return SELF
    return " ".join(f"{origin}{quote(path)}/{folder}/" for folder in folders)


def policy_of(demo: gr.Blocks, csp: Widening, *, reporting: Mapping[str, Sources]) -> Policy:
    """Build the policy of an app that Gradio has mounted. `reporting` has the directives for reports of violations.
    Raises SourceRefused."""
    policy = Policy(directives={**ALWAYS, **reporting})
    widened = {name: _in_place(name, _checked(name, sources)) for name, sources in csp.items()}
    policy = policy.allowing("script-src", sorted(_needed(demo)))
    # Components that are built or drawn later may need EVAL. A blank page would be harder to understand for the author
    # than a policy that is too wide. An author who sets script-src has decided.
    if "script-src" not in widened and _may_need_eval(demo):
        policy = policy.allowing("script-src", [EVAL])
    for directive, source in _named_by(demo):
        if not _refused(directive, source):
            policy = policy.allowing(directive, [source])
    for directive, sources in widened.items():
        policy = policy.allowing(directive, sources)
        if directive in _FOR_FRAMES_TOO:
            policy = policy.allowing("frame-src", sources)
    return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """An address that an app's own head=, theme or css= names, and that its policy does not allow."""

    directive: str
    source: str
    reason: str


def stopped_by_policy(demo: gr.Blocks) -> Sequence[Stopped]:
    """Return the addresses that no page of this app can load, for example unencrypted ones."""
    return [
        Stopped(directive=directive, source=source, reason=reason)
        for directive, source in _named_by(demo)
        if (reason := _refused(directive, source))
    ]


def _needed(demo: gr.Blocks) -> Iterator[str]:
    if getattr(demo, "js", None) or any(fn.js for fn in demo.fns.values()):
        yield EVAL
    for block in demo.blocks.values():
        yield from (source for kind, source in NEEDS.items() if isinstance(block, kind))


def _may_need_eval(demo: gr.Blocks) -> bool:
    if demo.renderables:
        return True
    has_plot = any(isinstance(block, gr.Plot) for block in demo.blocks.values())
    return has_plot and any(find_spec(library) is not None for library in DRAWN_BY_EVAL)


# What an author's head=, theme and css= name


def _named_by(demo: gr.Blocks) -> Sequence[tuple[str, str]]:
    """Return directives and sources, each pair once."""
    return list(dict.fromkeys((*_in_heads(demo), *_in_styles(demo))))


def _in_styles(demo: gr.Blocks) -> Iterator[tuple[str, str]]:
    """Yield directives and sources for the fonts and pictures of the theme and of css=."""
    for address in getattr(demo, "stylesheets", ()):
        yield from _elsewhere("style-src", address)
    for css in (getattr(demo, "theme_css", ""), demo.css):
        yield from _in_css(_COMMENT.sub("", css or ""))


def _in_css(css: str) -> Iterator[tuple[str, str]]:
    for directive, rule in (("style-src", _IMPORT), ("font-src", _FONT_FACE)):
        for found in rule.findall(css):
            yield from _addresses(directive, found)
        css = rule.sub("", css)
    yield from _addresses("img-src", css)


def _addresses(directive: str, css: str) -> Iterator[tuple[str, str]]:
    for url, text in _ADDRESS.findall(css):
        yield from _elsewhere(directive, url.strip("\"' ") or text)


def _elsewhere(directive: str, address: str) -> Iterator[tuple[str, str]]:
    """Yield the source of a file on another host."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return
    if not parts.netloc:
        return
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    path = quote(parts.path, safe="/%@+=~")
    yield directive, f"{scheme}{parts.netloc.lower()}{path}"
    if directive == "style-src" and parts.netloc.lower() == _GOOGLE_STYLES:
        yield "font-src", _GOOGLE_FONTS


def _in_heads(demo: gr.Blocks) -> Iterator[tuple[str, str]]:
    """Yield directives and sources for the elements in head=. Gradio's front end makes new elements of them, without a
    nonce, so inline scripts are allowed by their hash and files of other hosts by their address."""
    heads = [demo.head, *(getattr(block, "head", None) for block in demo.blocks.values())]
    for head in dict.fromkeys(heads):
        if isinstance(head, str) and head:
            parser = _Head()
            parser.feed(head)
            parser.close()
            yield from parser.found


class _Head(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[str, str]] = []
        self._script: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            source = given.get("src")
            if source is None:
                self._script = []
            else:
                self._allow("script-src", source)
        elif tag == "link" and "stylesheet" in (given.get("rel") or "").lower().split():
            self._allow("style-src", given.get("href") or "")

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._script is not None:
            text = "".join(self._script).replace("\r\n", "\n").replace("\r", "\n")
            hashed = b64encode(sha256(text.encode()).digest()).decode()
            self.found.append(("script-src", f"'sha256-{hashed}'"))
            self._script = None

    def _allow(self, directive: str, address: str) -> None:
        self.found += _elsewhere(directive, address)


# Sources that an author adds with csp=


def _checked(directive: str, sources: Any) -> Sources:
    if directive not in WIDENED:
        known = ", ".join(sorted(WIDENED))
        raise SourceRefused(f"{directive!r} cannot be widened; these directives can: {known}")
    listed = tuple(sources) if isinstance(sources, list | tuple | set | frozenset) else (sources,)
    for source in listed:
        reason = _refused(directive, source)
        if reason:
            raise SourceRefused(f"{source!r} in {directive} {reason}")
    return listed


def _in_place(directive: str, sources: Sources) -> Sources:
    if directive not in _RUN:
        return sources
    return tuple(OWN_SCRIPTS if source == SELF else source for source in sources)


def _refused(directive: str, source: Any) -> str:
    if not isinstance(source, str):
        return "is not a string"
    if source == "'unsafe-inline'" and directive != "style-src":
        return "would allow any script; put an inline script into Blocks(head=…)"
    if source in _KEYWORDS or _HASH.fullmatch(source):
        return ""
    if source == "*" or source in _SCHEMES:
        is_open = directive in _STRICT and source != "blob:"
        return "would allow all hosts; name the hosts" if is_open else ""
    if source in {"http:", "ws:"}:
        return "would allow all hosts, unencrypted; name the hosts, with https://"
    parts = _HOST.fullmatch(source)
    if parts is None:
        return "is not a source: write one keyword, scheme or host each, without ; , or white space"
    if parts["scheme"] in {"http", "ws"} and not _is_loopback(parts["host"]):
        return "is unencrypted; write https:// (http:// is for this machine only)"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
