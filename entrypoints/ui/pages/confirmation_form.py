"""Ask the user to prove again who they are, before an act that needs it. What was typed for the act stays."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import count
from typing import Any

import gradio as gr
from gradio.components import Component

from application.use_cases.confirmations import Confirmation
from domain.errors import ConfirmationNeeded
from domain.model.password import LONGEST_TYPED
from entrypoints.access import sign_in_again
from entrypoints.ui.calls.call import current_call
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import plain

Form = tuple[gr.Column, gr.Markdown, gr.Textbox, gr.Button, str]
"""Updates of the form, its text, the password, the confirming button, and the number of the act that waits."""


class ConfirmationForm:
    """A form below the buttons of some acts. After the confirmation, the act goes on with what is typed then."""

    def __init__(self) -> None:
        with gr.Column(visible=False, elem_classes="confirmation") as self._shown:
            self._text = gr.Markdown()
            self._password = gr.Textbox(
                label="Your password",
                type="password",
                max_length=LONGEST_TYPED,
                autofocus=True,
                html_attributes=gr.InputHTMLAttributes(autocomplete="current-password"),
            )
            self._act = gr.Textbox(visible=False)
            with gr.Row():
                self._yes = gr.Button("Confirm", variant="primary", scale=0, min_width=220)
                no = gr.Button("Cancel", scale=0, min_width=120)
        self._numbers = count(1)
        no.click(_closed, None, self._parts, **QUIET)
        self._confirmed = gr.on(
            [self._yes.click, self._password.submit],
            confirm,
            self._password,
            [self._shown, self._password],
            **QUIET,
        )

    @property
    def _parts(self) -> list[Any]:
        return [self._shown, self._text, self._password, self._yes, self._act]

    def guards(
        self,
        triggers: Sequence[Any],
        fn: Callable[..., Any],
        inputs: Sequence[Component],
        outputs: Sequence[Any],
    ) -> None:
        """Run `fn` after the triggers, and once more after a confirmation if it needed one. `fn` is a coroutine that
        returns a value for each output."""
        act, all_outputs = str(next(self._numbers)), [*outputs, *self._parts]
        guarded = _guarded(fn, act, len(outputs))
        gr.on(list(triggers), guarded, list(inputs), all_outputs, **QUIET)
        goes_on = _only_for(act, guarded, len(all_outputs))
        self._confirmed.success(goes_on, [self._act, *inputs], all_outputs, **QUIET)


async def confirm(password: str) -> tuple[gr.Column, str]:
    """Confirm with the password. Without one, the session must have been confirmed at the provider meanwhile."""
    call = current_call()
    if password:
        await call.use_cases.confirm_by_password(call.caller, password)
    elif (await call.use_cases.read_confirmation(call.caller)).until is None:
        raise ConfirmationNeeded("This is not confirmed yet. Do first what the form asks for.")
    return gr.Column(visible=False), ""


def _guarded(fn: Callable[..., Any], act: str, size: int) -> Callable[..., Any]:
    """Show the form, and leave all outputs as they are, if `fn` needs a confirmation."""

    @wraps(fn)
    async def guarded(*values: Any) -> tuple[Any, ...]:
        try:
            shown = await fn(*values)
        except ConfirmationNeeded:
            return (*(gr.skip() for _ in range(size)), *await _opened(act))
        return (*shown, *_closed())

    return guarded


def _only_for(act: str, guarded: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Do nothing if another act waits for the confirmation."""

    @wraps(guarded)
    async def goes_on(waiting: str, *values: Any) -> tuple[Any, ...]:
        if waiting != act:
            return tuple(gr.skip() for _ in range(size))
        done: tuple[Any, ...] = await guarded(*values)
        return done

    # Gradio reads the parameters, to find out where it has to put its request.
    signature = inspect.signature(guarded)
    first = inspect.Parameter("waiting", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [first, *signature.parameters.values()]
    goes_on.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return goes_on


async def _opened(act: str) -> Form:
    call = current_call()
    ways = await call.use_cases.read_confirmation(call.caller)
    links = [
        f"[Sign in again at {plain(one.label)}]({call.base.outside(sign_in_again(one.name))})"
        for one in ways.providers
    ]
    return (
        gr.Column(visible=True),
        gr.Markdown(value=_text(ways, links)),
        gr.Textbox(value="", visible=ways.takes_password),
        gr.Button(visible=ways.takes_password or bool(links)),
        act,
    )


def _text(ways: Confirmation, links: Sequence[str]) -> str:
    why = "**Confirm that it is you.** You last proved it more than 10 minutes ago. What you have typed stays."
    if not ways.takes_password and not links:
        return (
            "**This needs a confirmation, which your account cannot give:** it has no password that is good here, and "
            "is linked to no provider. Sign out and in again, or ask an admin."
        )
    if not links:
        return why
    there = " or ".join(links)
    then = "in the new tab, then come back and press Confirm."
    return f"{why}\n\n{'Type your password, or: ' if ways.takes_password else ''}{there} {then}"


def _closed() -> Form:
    return gr.Column(visible=False), gr.Markdown(), gr.Textbox(value=""), gr.Button(), ""
