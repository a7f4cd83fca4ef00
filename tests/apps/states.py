"""What a tab keeps for itself."""

import gradio as gr


def add(item: str, kept: list[str]) -> tuple[str, list[str]]:
    kept = [*kept, item]
    return ", ".join(kept), kept


with gr.Blocks() as demo:
    item, kept, shown = gr.Textbox(label="Item"), gr.State([]), gr.Textbox(label="Kept")
    last = gr.BrowserState("", storage_key="last")
    gr.Button("Add").click(add, [item, kept], [shown, kept], api_name="add").then(
        lambda text: text, item, last, api_visibility="private"
    )
    demo.load(lambda text: text, last, item, api_visibility="private")

if __name__ == "__main__":
    demo.launch()
