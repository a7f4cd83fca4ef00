"""Files sent up, made into one, and brought down."""

import tempfile
from pathlib import Path
from zipfile import ZipFile

import gradio as gr


def pack(paths: list[str]) -> tuple[str, str]:
    packed = Path(tempfile.mkdtemp()) / "packed.zip"
    with ZipFile(packed, "w") as archive:
        for path in paths:
            archive.write(path, Path(path).name)
    return str(packed), f"{len(paths)} in {packed.name}"


with gr.Blocks(title="Files") as demo:
    files = gr.File(label="Files", file_count="multiple")
    packed, said = gr.DownloadButton("Packed"), gr.Textbox(label="Said")
    gr.Button("Pack").click(pack, files, [packed, said], api_name="pack")

if __name__ == "__main__":
    demo.launch()
