"""Importing the service writes no type stubs for Gradio. The test uses a process that has not imported Gradio yet."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.processes import ROOT

SAYS_WHAT_IT_OPENS: Final = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import entrypoints.ui
import gradio_mine
print(*(name for name in opened if name.endswith(".pyi")), sep="\\n")
"""
A_COMPONENT: Final = """
import gradio as gr


class Mine(gr.Textbox):
    EVENTS = ["change"]
"""


def test_importing_the_service_writes_type_stubs_only_for_components_of_authors(
    tmp_path: Path,
) -> None:
    (tmp_path / "gradio_mine.py").write_text(A_COMPONENT)
    done = subprocess.run(
        [sys.executable, "-c", SAYS_WHAT_IT_OPENS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == {str(tmp_path / "gradio_mine.pyi")}
    assert "def change(self," in (tmp_path / "gradio_mine.pyi").read_text()
