"""What a text says: marked words, guesses, and examples whose results are kept."""

import re
from typing import Any

import gradio as gr

KINDS = {"Ada": "person", "Paris": "place", "1843": "year"}


def read(text: str) -> tuple[list[tuple[str, str | None]], dict[str, float], dict[str, Any], str]:
    parts = [(part, KINDS.get(part)) for part in re.split(r"(\W+)", text) if part]
    found = [kind for _, kind in parts if kind]
    total = max(len(found), 1)
    guesses = {kind: found.count(kind) / total for kind in found}
    return parts, guesses, {"found": found}, f"# {len(found)} found\nprint({found})"


demo = gr.Interface(
    read,
    gr.Textbox(label="Text", lines=3),
    [
        gr.HighlightedText(label="Marked", combine_adjacent=True, show_legend=True),
        gr.Label(label="Kinds", num_top_classes=3),
        gr.JSON(label="Found"),
        gr.Code(label="Code", language="python"),
    ],
    examples=[["Ada was in Paris in 1843"], ["Nobody was there"]],
    cache_examples=True,
    cache_mode="lazy",
    flagging_mode="never",
    title="Words",
    article="Made of *parts*.",
    api_name="read",
)

if __name__ == "__main__":
    demo.launch(show_error=True)
