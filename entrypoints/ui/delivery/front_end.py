"""Change scripts of Gradio's front end that would run what a user has written. No source of a page's policy would stop it.

`<gradio-app src=…>` fetches the description of an app and runs the scripts in it. An app may show what a user has written
in a gr.HTML, and the address may be a file of that user.

A template of a gr.HTML is filled in twice: Handlebars puts values in the place of `{{value}}`, and the result is then run
as the text of a JavaScript template. So a `${…}` in a value would run.

Vega, which draws charts, makes functions of the expressions in them, such as the filter of a chart, and these reach all of
JavaScript. It has an interpreter for them, too, which does not.

Browsers keep the files of the front end for a year and do not ask again, and a changed script has the name that Gradio gave
to the original. So pages load the whole front end from a folder whose name changes with our changes.
"""

import gzip
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import brotli  # type: ignore[import-untyped]
import gradio as gr

FRONT_END: Final = Path(gr.__file__).parent / "templates" / "frontend"
_ENTRY: Final = re.compile(r'<script type="module" crossorigin src="\.(/assets/[\w.-]+\.js)">')
FOLDERS: Final = "assets(?:_[0-9a-f]{8})?"
"""A pattern for Gradio's folder of scripts, and for the same folder under our name, of any release. No page's address can
have an underscore."""
_STYLES: Final = re.compile(rb"(?<==`\./)assets(?=/index-[\w-]+\.css`)")
_SAME_FOLDER: Final = rb'${import.meta.url.split("/").at(-2)}'
"""The folder from which the script was loaded. The front end compares this address of its style sheet with the one in the
page, and would otherwise load it again."""
_BEFORE: Final = b"""{const define = customElements.define;
customElements.define = function (name, element, options) {
  const own = name === "gradio-app" ? class extends element {
    static get observedAttributes() { return []; }
    constructor() { super(); this.src = this.space = this.host = null; }
    connectedCallback() {
      const isPage = location.protocol !== "about:" && document.querySelector("gradio-app") === this;
      return isPage ? super.connectedCallback() : undefined;
    }
  } : element;
  return define.call(this, name, own, options);
};}
"""
"""Runs first in the script that defines the element: only the first one of a page is an app, and only the page's own."""

_FILLED: Final = re.compile(
    rb"(?P<compiled>[\w.$]+\.compile\(\w+\))\((?P<values>\w+)\)"
    rb"(?=,\w+=Object\.keys\((?P=values)\),\w+=Object\.values\((?P=values)\),\w+=Function\()"
)
"""Where a template is filled in by Handlebars, just before its result is run."""
_LITERAL: Final = b"""const literally = value =>
  typeof value === "string" ? value.replace(/[\\\\`{]/g, "\\\\$&")
  : Array.isArray(value) ? value.map(literally)
  : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(pair => pair.map(literally)))
  : value;
"""
"""Writes a value so that it is itself again when it is run as the text of a JavaScript template. The brace is written
differently, and not the `$`, which may be the author's: a price may be `${{price}}`."""


_COMPILES: Final = re.compile(rb"let\{ast:(\w+)\}=\w+(?=,\w+=\w+\.parse\()")
"""Where Vega is told whether to interpret expressions, by its caller or by the chart."""


@dataclass(frozen=True, slots=True)
class ChangedScript:
    """A script as it is sent. A body is made once for each encoding."""

    bodies: Mapping[bytes, bytes]
    """By Content-Encoding; empty for none."""


@cache
def changed_scripts() -> Mapping[str, ChangedScript]:
    """Return the scripts by their path. Raises RuntimeError for a release of Gradio whose scripts are others."""
    texts = dict([_entry(), _filling(), _drawing("AltairPlot"), _drawing("embed")])
    return {path: _compressed(text) for path, text in texts.items()}


@cache
def assets_folder() -> str:
    """Return the name of the folder from which pages load the front end. It is the same on all replicas of a release."""
    whole = sha256(gr.__version__.encode())
    for path, script in sorted(changed_scripts().items()):
        whole.update(path.encode() + sha256(script.bodies[b""]).digest())
    return f"assets_{whole.hexdigest()[:8]}"


def changed_script_at(path: str) -> ChangedScript | None:
    """Return the script at this path, however it is spelled; None for all other files."""
    return changed_scripts().get(posixpath.normpath(path))


def _entry() -> tuple[str, bytes]:
    """Return the path and the new text of the script with which each page begins."""
    paths = _ENTRY.findall((FRONT_END / "index.html").read_text(encoding="utf-8"))
    if len(paths) != 1:
        raise RuntimeError("The pages of this release of Gradio begin with another script.")
    text, found = _STYLES.subn(_SAME_FOLDER, (FRONT_END / paths[0][1:]).read_bytes())
    if found != 1:
        raise RuntimeError("This release of Gradio loads the style sheet of its pages differently.")
    return paths[0], _BEFORE + text


def _filling() -> tuple[str, bytes]:
    """Return the path and the new text of the script that fills in the templates of gr.HTML."""
    path, text = _changed_at("HTML", _FILLED, rb"\g<compiled>(literally(\g<values>))")
    return path, _LITERAL + text


def _drawing(name: str) -> tuple[str, bytes]:
    """Return the path and the new text of one of the two scripts that draw charts."""
    return _changed_at(name, _COMPILES, rb"let \1=!0")


def _changed_at(name: str, place: re.Pattern[bytes], by: bytes) -> tuple[str, bytes]:
    """Return the path and the new text of the script of this name. Raises RuntimeError unless it has the one place."""
    found = [
        (f"/assets/{script.name}", place.sub(by, text))
        for script in (FRONT_END / "assets").glob(f"{name}-*.js")
        for text in [script.read_bytes()]
        if len(place.findall(text)) == 1
    ]
    if len(found) != 1:
        raise RuntimeError(f"The script {name} of this release of Gradio is another one.")
    return found[0]


def _compressed(text: bytes) -> ChangedScript:
    return ChangedScript(
        {b"": text, b"br": brotli.compress(text, quality=9), b"gzip": gzip.compress(text, mtime=0)}
    )
