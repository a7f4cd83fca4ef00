"""Ask for a second click before an action that cannot be undone, and say what it will do and to whom."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from entrypoints.ui.pages.quiet import QUIET


class Confirmation:
    """The question below a button. The action applies to the choice at the time of the question."""

    def __init__(self, act: str) -> None:
        """`act` is the text of the confirming button."""
        with gr.Column(visible=False, elem_classes="confirmation") as self._shown:
            self._question = gr.Markdown()
            self._about = gr.Textbox(visible=False)
            with gr.Row():
                self._yes = gr.Button(act, variant="stop", scale=0, min_width=220)
                self._no = gr.Button("Cancel", scale=0, min_width=120)

    def asks(
        self,
        button: gr.Button,
        question: Callable[..., Any],
        inputs: Component | None = None,
    ) -> None:
        """Show the question after a click on `button`. `question` takes the input and returns the text, in Markdown, and a
        string that names the subject of the action. It may raise a DomainError."""

        async def ask(*values: Any) -> tuple[gr.Column, str, str]:
            text, about = await question(*values)
            return gr.Column(visible=True), text, about

        outputs = [self._shown, self._question, self._about]
        button.click(ask, inputs, outputs, **QUIET)
        self._no.click(self._closed, None, self._shown, **QUIET)

    def acts(
        self, fn: Callable[..., Any], inputs: Sequence[Component], outputs: Sequence[Component]
    ) -> Dependency:
        """Run `fn` after a click on the confirming button, with the subject and the inputs. It returns the outputs."""
        done: Dependency = self._yes.click(fn, [self._about, *inputs], list(outputs), **QUIET)
        self._yes.click(self._closed, None, self._shown, **QUIET)
        return done

    @staticmethod
    def _closed() -> gr.Column:
        return gr.Column(visible=False)
