"""What happens by itself: at the start, and again and again."""

import gradio as gr

with gr.Blocks() as demo:
    ticks = gr.Number(0, label="Ticks", precision=0)
    timer = gr.Timer(0.2)
    timer.tick(lambda number: number + 1, ticks, ticks, api_name="tick")
    gr.Button("Stop").click(lambda: gr.Timer(active=False), outputs=timer, api_name="stop")
    gr.Textbox(lambda: "ready", label="Loaded")

if __name__ == "__main__":
    demo.launch()
