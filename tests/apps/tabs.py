"""Tabs, a sidebar and steps."""

import gradio as gr

with gr.Blocks() as demo:
    with gr.Sidebar(open=True):
        seen = gr.Textbox("nothing", label="Seen")
    with gr.Tabs() as tabs:
        with gr.Tab("One", id=1):
            go = gr.Button("Go to the second")
        with gr.Tab("Table", id=4):
            gr.Dataframe([[1, 2]])
        with gr.Tab("Two", id=2) as two, gr.Accordion("More", open=False):
            gr.Markdown("what was hidden")
        with gr.Tab("Steps", id=3), gr.Walkthrough(selected=1) as walk:
            with gr.Step("Begin", id=1):
                on = gr.Button("On")
            with gr.Step("End", id=2):
                gr.Markdown("the end of it")
    go.click(lambda: gr.Tabs(selected=2), outputs=tabs, api_name="second")
    on.click(lambda: gr.Walkthrough(selected=2), outputs=walk, api_name="on")
    two.select(lambda: "two", outputs=seen, api_name="see")

if __name__ == "__main__":
    demo.launch()
