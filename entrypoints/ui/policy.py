"""The content security policy of an app's pages: what Gradio always needs, what this app uses, what its author adds."""

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

Sources = tuple[str, ...]
Widening = Mapping[str, str | Sequence[str]]

SELF: Final = "'self'"
EVAL: Final = "'unsafe-eval'"
WASM: Final = "'wasm-unsafe-eval'"
NONCE: Final = "'nonce-{}'"
OWN_SCRIPTS: Final = "{scripts}"
OWN_FILES: Final = "{files}"
"""Stand for addresses below the page's mount, which a policy can only name with the origin that a request came to."""

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
    "form-action": ("'self'",),
    "frame-ancestors": ("'none'",),
    "object-src": ("'none'",),
}
"""What every component not named below comes up and works with, tried in Chromium: among them Audio, Video, Image,
Gallery, Code, Dataframe, Markdown and Chatbot with formulas and diagrams, MultimodalTextbox, Timer."""

NEEDS: Final[Mapping[type[Block], str]] = {
    gr.HTML: EVAL,  # Makes a function of its template, also of one without a script.
    gr.ImageEditor: EVAL,  # pixi.js compiles its shaders' setters. Sketchpad, Paint and ImageMask are of its kind.
    NativePlot: EVAL,  # Vega compiles its expressions: LinePlot, BarPlot, ScatterPlot.
    gr.Model3D: WASM,  # Splats are sorted in WebAssembly; meshes need nothing.
}
"""What breaks without it, tried in the same way; kinds made from these need the same."""

DRAWN_BY_EVAL: Final = ("altair", "plotly")
"""Libraries whose figures in a gr.Plot may need it: Altair's all, Plotly's those that draw with WebGL."""

WIDENED: Final = frozenset(ALWAYS.keys() - {"base-uri"} | {"child-src"})
_STRICT: Final = frozenset(
    {"script-src", "default-src", "object-src", "worker-src", "child-src", "frame-ancestors"}
)
"""Where a source for everybody would be no policy any more."""
_RUN: Final = frozenset({"script-src", "worker-src"})
"""Where `'self'` means Gradio's own scripts: what else this service gives out is data."""
_FOR_FRAMES_TOO: Final = frozenset({"child-src", "default-src"})
"""What a browser takes for frames where a policy has no `frame-src`; ours always have one."""
_NAMEABLE: Final = re.compile(
    r"https?://[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]+)?", re.ASCII | re.IGNORECASE
)
"""Origins that a policy can name: there is no way to write an IPv6 address."""

_KEYWORDS: Final = frozenset({SELF, EVAL, WASM, "'unsafe-inline'"})
_HASH: Final = re.compile(r"'sha(256|384|512)-[A-Za-z0-9+/]{43,86}={0,2}'")
_SCHEMES: Final = frozenset({"data:", "blob:", "mediastream:", "https:", "wss:"})
_HOST: Final = re.compile(
    r"((?P<scheme>https?|wss?)://)?(?P<host>(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
    r"(:([0-9]{1,5}|\*))?(/[A-Za-z0-9._~%/+@=-]*)?",
    re.ASCII,
)


class SourceRefused(ValueError):
    """What must not stand in a policy; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    directives: Mapping[str, Sources]

    def allowing(self, directive: str, sources: Iterable[str]) -> Self:
        before = self.directives.get(directive, ())
        both = tuple(dict.fromkeys((*before, *sources)))
        kept = tuple(source for source in both if source != "'none'") or both
        return type(self)(directives={**self.directives, directive: kept})

    def below(self, path: str) -> "PagePolicy":
        text = "; ".join(" ".join((name, *sources)) for name, sources in self.directives.items())
        return PagePolicy(text=text, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePolicy:
    """The policy of an app's pages at their place."""

    text: str
    path: str
    """Of the mount."""

    def at(self, origin: str) -> tuple[bytes, bytes]:
        """The header's value, before and after the nonce: a request only puts its own in between. `origin` is ours, as the
        gate has it."""
        return _around_nonce(self.text, self.path, origin)


@lru_cache(maxsize=1024)
def _around_nonce(text: str, path: str, origin: str) -> tuple[bytes, bytes]:
    text = text.replace(OWN_SCRIPTS, own_sources(origin, path, "assets", "static"))
    text = text.replace(OWN_FILES, own_sources(origin, path, "gradio_api"))
    before, _, after = text.partition("{}")
    return before.encode("ascii"), after.encode("ascii")


def own_sources(origin: str, path: str, *folders: str) -> str:
    """Folders of the mount at `path` as sources of a policy. Where no policy can name the origin, all of it."""
    if not _NAMEABLE.fullmatch(origin):
        return SELF
    return " ".join(f"{origin}{quote(path)}/{folder}/" for folder in folders)


def policy_of(demo: gr.Blocks, csp: Widening, *, reporting: Mapping[str, Sources]) -> Policy:
    """Once Gradio has mounted the app. `reporting`: directives that say where violations are told.
    Raises SourceRefused."""
    policy = Policy(directives={**ALWAYS, **reporting})
    widened = {name: _in_place(name, _checked(name, sources)) for name, sources in csp.items()}
    policy = policy.allowing("script-src", sorted(_needed(demo)))
    # What is only built or drawn later may need what any component needs, and a blank page would tell its author less
    # than a policy that is too wide; whoever names script-src has decided.
    if "script-src" not in widened and _may_need_eval(demo):
        policy = policy.allowing("script-src", [EVAL])
    for directive, source in _in_heads(demo):
        policy = policy.allowing(directive, [source])
    for directive, sources in widened.items():
        policy = policy.allowing(directive, sources)
        if directive in _FOR_FRAMES_TOO:
            policy = policy.allowing("frame-src", sources)
    return policy


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


# What an author writes into head=


def _in_heads(demo: gr.Blocks) -> Iterator[tuple[str, str]]:
    """Gradio's front end makes new elements of them, which have no nonce: scripts within are allowed by their hash,
    files of other hosts by their address."""
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
        parts = urlsplit(address.strip())
        scheme = f"{parts.scheme}://" if parts.scheme else ""
        source = f"{scheme}{parts.netloc.lower()}{parts.path}"
        if parts.netloc and not _refused(directive, source):
            self.found.append((directive, source))


# What an author adds


def _checked(directive: str, sources: Any) -> Sources:
    if directive not in WIDENED:
        known = ", ".join(sorted(WIDENED))
        raise SourceRefused(f"there is no directive {directive!r} to widen; there are {known}")
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
        return "is not a text"
    if source == "'unsafe-inline'" and directive != "style-src":
        return "would let any script in; an inline script belongs into Blocks(head=…)"
    if source in _KEYWORDS or _HASH.fullmatch(source):
        return ""
    if source == "*" or source in _SCHEMES:
        is_open = directive in _STRICT and source != "blob:"
        return "would let everything in; name the hosts" if is_open else ""
    if source in {"http:", "ws:"}:
        return "would let everything in, unencrypted; name the hosts, with https://"
    parts = _HOST.fullmatch(source)
    if parts is None:
        return "is no source: one keyword, scheme or host each, without ; , or white space"
    if parts["scheme"] in {"http", "ws"} and not _is_loopback(parts["host"]):
        return "is unencrypted; say https:// (http:// is for this machine only)"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
