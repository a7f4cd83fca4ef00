"""A model in three dimensions, made of splats."""

import gradio as gr

with gr.Blocks() as demo:
    sent, shown = gr.Model3D(label="Sent"), gr.Model3D(label="Shown")
    gr.Button("Show").click(lambda path: path, sent, shown, api_name="show")

if __name__ == "__main__":
    demo.launch()
