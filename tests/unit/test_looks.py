"""The colours of our own pages: enough contrast for everybody, in light and dark (WCAG 1.4.3, 1.4.11)."""

from typing import Final

import pytest

from entrypoints.looks import DARK, LIGHT, Colours

TEXTS: Final = {
    "ink": ("paper", "card", "field", "hint-paper"),
    "soft": ("paper", "card", "field", "hint-paper"),
    "link": ("paper", "card", "hint-paper"),
    "refusal": ("refusal-paper", "card"),
    "on-accent": ("accent", "accent-strong"),
    "on-danger": ("danger", "danger-strong"),
    "get": ("card",),
    "patch": ("card",),
}
CONTROLS: Final = {"field-line": ("field", "card", "paper"), "accent": ("card", "paper")}


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("pairs", "least"), [(TEXTS, 4.5), (CONTROLS, 3.0)], ids=["texts", "controls"]
)
def test_a_colour_stands_out_from_what_lies_behind_it(
    colours: Colours, pairs: dict[str, tuple[str, ...]], least: float
) -> None:
    faint = [
        (front, behind)
        for front, all_behind in pairs.items()
        for behind in all_behind
        if contrast(colours[front], colours[behind]) < least
    ]

    assert faint == []


def test_light_and_dark_have_the_same_names() -> None:
    assert LIGHT.keys() == DARK.keys()


def test_black_on_white_has_the_contrast_that_wcag_names() -> None:
    assert round(contrast("#000000", "#ffffff")) == 21


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """As WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
