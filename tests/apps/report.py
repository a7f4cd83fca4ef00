"""Make a report from a table, step by step, as a file to take away."""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import pandas as pd  # type: ignore[import-untyped]


@dataclass
class Report:
    """What the app does, as methods of an object."""

    title: str

    def make(
        self,
        table: pd.DataFrame,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[str, str]:
        rows = [f"<tr><td>{name}</td><td>{n}</td></tr>" for name, n in progress.tqdm(table.values)]
        text = f"<h2>{self.title}</h2><table>{''.join(rows)}</table>"
        file = Path(tempfile.mkdtemp()) / f"{self.title} {len(rows)}.html"
        file.write_text(text)
        return text, str(file)

    def page(self) -> gr.Blocks:
        page = gr.Blocks(title=self.title)
        with page:
            table = gr.Dataframe([["Ada", 36], ["Cy", 41]], headers=["Name", "Age"], label="Table")
            preview = gr.HTML(label="Preview")
            file = gr.DownloadButton("Take it")
            gr.Button("Make").click(self.make, table, [preview, file], api_name="make")
        return page


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--title", default="Report")
    Report(parser.parse_args().title).page().launch(css="h2 { color: rgb(4, 5, 6) }")


if __name__ == "__main__":
    main()
