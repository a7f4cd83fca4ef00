"""Several pages in one app."""

import gradio as gr

with gr.Blocks() as demo:
    gr.Navbar(main_page_name="First")  # type: ignore[attr-defined]
    name = gr.Textbox(label="Name")
    gr.Button("Greet").click(
        lambda name: f"Hello {name}", name, gr.Textbox(label="Greeting"), api_name="greet"
    )

with demo.route("Second", "/second"):
    gr.Navbar(main_page_name="First")  # type: ignore[attr-defined]
    number = gr.Number(2, label="Number")
    gr.Button("Double").click(
        lambda number: number * 2, number, gr.Number(label="Twice"), api_name="double"
    )

if __name__ == "__main__":
    demo.launch()
