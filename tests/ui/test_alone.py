"""An author's file also runs without the service; the injected objects are then stand-ins."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

APP: Final = """
import os
import sys

import gradio as gr

from gradioapp import Session, State, User, current_session, current_user, injected, redirect, remember, requires, visible_to


def summarize(text, *, user: User = injected, state: State = injected, session: Session = injected):
    state["runs"] = state.get("runs", 0) + 1
    state.update("again", lambda n: (n or 0) + 1)
    session.data["text"] = text
    redirect("/gradio/")
    return f"{user.name}, run {state['runs']}, {state['again']}: {current_session().data['text']}"


@requires("admin")
def retrain():
    return f"retrained by {current_user().email} {'anything' in current_user().roles}"


with gr.Blocks() as demo:
    text, out = gr.Textbox(label="Text"), gr.Textbox(label="Summary")
    gr.Button("Go").click(summarize, text, out, api_name="summarize")
    gr.Button("Retrain").click(retrain, outputs=out, api_name="retrain")
    remember(text)

    @visible_to("admin")
    def tools():
        gr.Markdown("Tools")

if __name__ == "__main__":
    demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    from gradio_client import Client

    client = Client(demo.local_url, verbose=False)
    print(client.predict("hello", api_name="/summarize"))
    print(client.predict("again", api_name="/summarize"))
    print(client.predict(api_name="/retrain"))
    sys.stdout.flush()
    os._exit(0)
"""


@pytest.mark.server
def test_a_file_that_uses_the_whole_sdk_runs_without_the_service(tmp_path: Path) -> None:
    (tmp_path / "my_demo.py").write_text(APP)

    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "my_demo.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GRADIO_ANALYTICS_ENABLED": "False"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Local user, run 1, 1: hello",
        "Local user, run 2, 2: again",
        "retrained by local@localhost True",
    ]
