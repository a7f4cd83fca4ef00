"""Make the Gradio theme of this service's own pages, from the colours of the sign-in page and the bar."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.themes.utils.fonts import Font

from entrypoints import looks

_CSS: Final = Path(__file__).with_name("pages.css")

_VALUES: Final = {
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "soft",
    "background_fill_primary": "card",
    "background_fill_secondary": "paper",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "border_color_accent_subdued": "hint-line",
    "color_accent": "accent",
    "color_accent_soft": "hint-paper",
    "link_text_color": "link",
    "link_text_color_active": "link",
    "link_text_color_hover": "link",
    "link_text_color_visited": "link",
    "code_background_fill": "paper",
    "block_background_fill": "card",
    "block_border_color": "line",
    "block_info_text_color": "soft",
    "block_label_background_fill": "card",
    "block_label_border_color": "line",
    "block_label_text_color": "soft",
    "block_title_text_color": "ink",
    "panel_background_fill": "card",
    "panel_border_color": "line",
    "accordion_text_color": "ink",
    "table_text_color": "ink",
    "table_border_color": "line",
    "table_even_background_fill": "card",
    "table_odd_background_fill": "card",
    "table_row_focus": "hint-paper",
    "checkbox_background_color": "field",
    "checkbox_background_color_focus": "field",
    "checkbox_background_color_hover": "field",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color": "field-line",
    "checkbox_border_color_focus": "accent",
    "checkbox_border_color_hover": "accent",
    "checkbox_border_color_selected": "accent",
    "checkbox_label_background_fill": "card",
    "checkbox_label_background_fill_hover": "paper",
    "checkbox_label_background_fill_selected": "hint-paper",
    "checkbox_label_border_color": "line",
    "checkbox_label_border_color_hover": "field-line",
    "checkbox_label_border_color_selected": "accent",
    "checkbox_label_text_color": "ink",
    "checkbox_label_text_color_selected": "ink",
    "error_background_fill": "refusal-paper",
    "error_border_color": "refusal-line",
    "error_text_color": "refusal",
    "error_icon_color": "refusal",
    "input_background_fill": "field",
    "input_background_fill_focus": "field",
    "input_background_fill_hover": "field",
    "input_border_color": "field-line",
    "input_border_color_focus": "accent",
    "input_border_color_hover": "field-line",
    "input_placeholder_color": "soft",
    "loader_color": "accent",
    "slider_color": "accent",
    "stat_background_fill": "accent",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent-strong",
    "button_primary_border_color": "accent",
    "button_primary_border_color_hover": "accent-strong",
    "button_primary_text_color": "on-accent",
    "button_primary_text_color_hover": "on-accent",
    "button_secondary_background_fill": "card",
    "button_secondary_background_fill_hover": "paper",
    "button_secondary_border_color": "field-line",
    "button_secondary_border_color_hover": "ink",
    "button_secondary_text_color": "ink",
    "button_secondary_text_color_hover": "ink",
    "button_cancel_background_fill": "danger",
    "button_cancel_background_fill_hover": "danger-strong",
    "button_cancel_border_color": "danger",
    "button_cancel_border_color_hover": "danger-strong",
    "button_cancel_text_color": "on-danger",
    "button_cancel_text_color_hover": "on-danger",
}
"""Maps Gradio's colour variables to the names of our colours."""

_SHAPES: Final = {
    "block_border_width": "1px",
    "block_border_width_dark": "1px",
    "block_label_text_size": "*text_sm",
    "block_title_text_size": "*text_sm",
    "block_title_text_weight": "550",
    "block_shadow": "none",
    "block_shadow_dark": "none",
    "button_border_width": "1px",
    "button_border_width_dark": "1px",
    "button_large_radius": "8px",
    "button_large_text_size": "15px",
    "button_large_text_weight": "600",
    "button_large_padding": "10px 18px",
    "button_medium_radius": "8px",
    "button_medium_text_weight": "600",
    "button_small_radius": "8px",
    "button_transform_hover": "none",
    "button_primary_shadow": "none",
    "button_primary_shadow_hover": "none",
    "button_primary_shadow_active": "none",
    "button_secondary_shadow": "none",
    "button_secondary_shadow_hover": "none",
    "button_secondary_shadow_active": "none",
    "button_cancel_shadow": "none",
    "button_cancel_shadow_hover": "none",
    "button_cancel_shadow_active": "none",
    "input_border_width": "1px",
    "input_border_width_dark": "1px",
    "input_radius": "8px",
    "input_shadow": "none",
    "input_shadow_focus": "0 0 0 2px *color_accent_soft",
    "input_shadow_focus_dark": "0 0 0 2px *color_accent_soft",
    "block_info_text_size": "13px",
    "block_radius": "12px",
    "prose_header_text_weight": "650",
}


class _Family(Font):
    """A font family that Gradio writes without quotes. In quotes, `system-ui` would be the name of a font."""

    def __str__(self) -> str:
        return self.name


def our_looks() -> Mapping[str, Any]:
    """Return the mount options for one of our own pages."""
    return {"theme": _theme(), "css": _CSS.read_text()}


def _theme() -> gr.themes.Base:
    theme = gr.themes.Base(
        primary_hue="indigo",
        secondary_hue="indigo",
        neutral_hue="slate",
        radius_size="md",
        font=[_Family(name) for name in looks.FONT],
        font_mono=[_Family(name) for name in looks.MONO],
    )
    light = {name: looks.LIGHT[ours] for name, ours in _VALUES.items()}
    dark = {f"{name}_dark": looks.DARK[ours] for name, ours in _VALUES.items()}
    del dark["color_accent_dark"]  # Gradio has only one value for both; pages.css adds the other.
    return theme.set(**light, **dark, **_SHAPES)
