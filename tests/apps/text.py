"""Text, with examples and flags."""

import gradio as gr


def greet(name: str, is_loud: bool, times: float) -> tuple[str, int]:  # noqa: FBT001 -- A checkbox.
    said = f"Hello {name}!" * int(times)
    return (said.upper() if is_loud else said), len(said)


gr.Interface(
    greet,
    [gr.Textbox(label="Name"), gr.Checkbox(label="Loud"), gr.Slider(1, 3, step=1, label="Times")],
    [gr.Textbox(label="Greeting"), gr.Number(label="Length")],
    examples=[["Ada", True, 1], ["Bob", False, 2]],
    cache_examples=True,
    api_name="greet",
).launch()
