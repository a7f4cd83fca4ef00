"""Looks and elements of the author's own, with a script of theirs."""

import gradio as gr

CSS = ".stars { color: rgb(1, 2, 3) }"
HEAD = "<script>window.fromHead = 'ran'</script>"
TEMPLATE = """<div class="stars">
    ${Array.from({length: 3}, (_, i) => `<button>${i < value ? "★" : "☆"}</button>`).join("")}
</div>"""
SCRIPT = """element.addEventListener("click", event => {
    const number = [...element.querySelectorAll("button")].indexOf(event.target);
    if (number >= 0) props.value = number + 1;
});"""

with gr.Blocks() as demo:
    stars = gr.HTML(1, label="Stars", html_template=TEMPLATE, js_on_load=SCRIPT)
    said, shout = gr.Textbox("quiet", label="Said"), gr.Textbox(label="Shouted")
    gr.Button("Shout").click(None, said, shout, js="text => text.toUpperCase()")
    gr.Button("Rate").click(lambda value: f"{value} stars", stars, shout, api_name="rate")

if __name__ == "__main__":
    demo.launch(css=CSS, head=HEAD, theme=gr.themes.Soft())
