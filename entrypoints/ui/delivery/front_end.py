"""Stop Gradio's front end from running the scripts of an app that somebody's HTML names.

`<gradio-app src=…>` fetches the description of an app and runs the scripts in it. An app may show what a user has written
in a gr.HTML, and the address may be a file of that user: no source of the page's policy would stop it.
"""

import gzip
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import brotli  # type: ignore[import-untyped]
import gradio as gr

FRONT_END: Final = Path(gr.__file__).parent / "templates" / "frontend"
_ENTRY: Final = re.compile(r'<script type="module" crossorigin src="\.(/assets/[\w.-]+\.js)">')
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


@dataclass(frozen=True, slots=True)
class EntryScript:
    """The script with which each page begins. A body is made once for each encoding."""

    bodies: Mapping[bytes, bytes]
    """By Content-Encoding; empty for none."""


@cache
def entry_scripts() -> Mapping[str, EntryScript]:
    """Return the scripts by their path, as they are sent."""
    page = (FRONT_END / "index.html").read_text(encoding="utf-8")
    return {path: _changed(FRONT_END / path[1:]) for path in _ENTRY.findall(page)}


def entry_script_at(path: str) -> EntryScript | None:
    """Return the script at this path, however it is spelled; None for all other files."""
    return entry_scripts().get(posixpath.normpath(path))


def _changed(script: Path) -> EntryScript:
    text = _BEFORE + script.read_bytes()
    return EntryScript(
        {b"": text, b"br": brotli.compress(text, quality=9), b"gzip": gzip.compress(text, mtime=0)}
    )
