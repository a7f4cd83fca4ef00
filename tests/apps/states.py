"""What a tab keeps for itself."""

import gradio as gr


def add(item: str, kept: list[str]) -> tuple[str, list[str]]:
    kept = [*kept, item]
    return ", ".join(kept), kept


with gr.Blocks() as demo:
    item, kept, shown = gr.Textbox(label="Item"), gr.State([]), gr.Textbox(label="Kept")
    before = gr.Textbox("...", label="Last time")
    last = gr.BrowserState("", storage_key="last")
    gr.Button("Add").click(add, [item, kept], [shown, kept], api_name="add").then(
        lambda text: (text, text), item, [last, before], api_visibility="private"
    )
    demo.load(lambda text: text or "nothing", last, before, api_visibility="private")

if __name__ == "__main__":
    demo.launch()
