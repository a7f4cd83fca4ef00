"""Events that follow one another, are checked first, or listen to keys."""

import gradio as gr


def is_even(number: float) -> dict[str, object]:
    return gr.validate(number % 2 == 0, "not even")  # type: ignore[no-any-return]


def halve(number: float) -> float:
    return number / 2


def refuse() -> None:
    raise gr.Error("not today")


with gr.Blocks() as demo:
    number, half = gr.Number(4, label="Number"), gr.Number(label="Half")
    log = gr.Textbox(label="Log")
    gr.on(
        [gr.Button("Halve").click, number.submit],
        halve,
        number,
        half,
        validator=is_even,
        api_name="halve",
    ).success(lambda: "halved", outputs=log).then(lambda said: f"{said}, done", log, log)
    gr.Button("Refuse").click(refuse, api_name="refuse").failure(lambda: "refused", outputs=log)
    letters = gr.Dropdown(["a", "b"], label="Letters", allow_custom_value=True)
    letters.key_up(lambda key: key, letters, log, api_visibility="private")

if __name__ == "__main__":
    demo.launch()
