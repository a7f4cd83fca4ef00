"""Parts that are made while the app is used."""

import gradio as gr

with gr.Blocks() as demo:
    count = gr.Slider(0, 5, value=2, step=1, label="How many")
    total = gr.Textbox(label="All")

    @gr.render(inputs=count)  # type: ignore[untyped-decorator]
    def boxes(count: float) -> None:
        made = [gr.Textbox(key=number, label=f"Part {number}") for number in range(int(count))]
        gr.Button("Join").click(lambda *parts: "+".join(parts), made, total)

    count.release(lambda count: count * 2, count, count, api_name="double")

if __name__ == "__main__":
    demo.launch()
