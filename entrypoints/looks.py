"""Define the colours, fonts and logo that all of the service's own pages share: sign-in, bar, HomePage and errors."""

from collections.abc import Mapping
from typing import Final

Colours = Mapping[str, str]

LIGHT: Final[Colours] = {
    "paper": "#f4f5f8",
    "card": "#ffffff",
    "ink": "#14161c",
    "soft": "#565d6d",
    "line": "#d9dce4",
    "field": "#ffffff",
    "field-line": "#7d8494",
    "accent": "#4f46e5",
    "accent-strong": "#4338ca",
    "on-accent": "#ffffff",
    "link": "#4338ca",
    "hint-paper": "#eef0fe",
    "hint-line": "#cdd1fa",
    "refusal": "#a3161d",
    "refusal-paper": "#fdf0f0",
    "refusal-line": "#efc1c3",
    "danger": "#b3261e",
    "danger-strong": "#8f1d17",
    "on-danger": "#ffffff",
    "get": "#0b6b46",
    "patch": "#8a5200",
    "shadow": "0 1px 2px rgb(20 22 28 / 6%), 0 12px 32px rgb(20 22 28 / 8%)",
}
DARK: Final[Colours] = {
    "paper": "#0e1015",
    "card": "#181b22",
    "ink": "#eceef3",
    "soft": "#a2a9b8",
    "line": "#2b303b",
    "field": "#10131a",
    "field-line": "#6b7386",
    "accent": "#5f57ea",
    "accent-strong": "#6760ee",
    "on-accent": "#ffffff",
    "link": "#a9a4ff",
    "hint-paper": "#1b1e3a",
    "hint-line": "#343a73",
    "refusal": "#ffb0b0",
    "refusal-paper": "#321619",
    "refusal-line": "#66292e",
    "danger": "#c5362e",
    "danger-strong": "#cd4037",
    "on-danger": "#ffffff",
    "get": "#5fd3a3",
    "patch": "#f0b65c",
    "shadow": "0 1px 2px rgb(0 0 0 / 40%), 0 16px 40px rgb(0 0 0 / 35%)",
}
"""Has the same names as LIGHT. Every text has a contrast of at least 4.5:1 on what lies behind it, every border of a control
3:1 (WCAG 1.4.3, 1.4.11)."""

FONT: Final = (
    "system-ui",
    "-apple-system",
    '"Segoe UI"',
    "Roboto",
    '"Helvetica Neue"',
    "Arial",
    "sans-serif",
)
MONO: Final = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
"""Fonts of the system, so that no font is loaded."""

LOGO: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
    '<rect width="64" height="64" rx="15" fill="#4f46e5"/>'
    '<path d="M20 56V28a12 12 0 0 1 24 0v28z" fill="#fff"/>'
    '<path d="M25 56V29a7 7 0 0 1 14 0v27z" fill="#4f46e5"/>'
    '<circle cx="35.5" cy="42" r="2" fill="#fff"/>'
    "</svg>"
)


def properties(colours: Colours, *, after: str = "") -> str:
    """Return custom properties for a style sheet. `after` follows each value, for example `!important`."""
    named = {**colours, "font": ", ".join(FONT), "mono": ", ".join(MONO)}
    return "".join(f"--{name}: {value}{after};" for name, value in named.items())


def root_sheet() -> str:
    """Return the colours for a page that follows the browser's preference for light or dark."""
    return (
        f":root{{color-scheme: light dark;{properties(LIGHT)}}}"
        f"@media (prefers-color-scheme: dark){{:root{{{properties(DARK)}}}}}"
    )
