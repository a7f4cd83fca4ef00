"""The Account tab: one's name, password and access tokens."""

import gradio as gr

from domain.errors import PasswordInvalid
from domain.model.password import LONGEST, SHORTEST
from entrypoints.ui.calling import current_call
from entrypoints.ui.pages import tokens
from entrypoints.ui.pages.quiet import QUIET


async def show() -> tuple[str, str]:
    user = current_call().signed_in.user
    return user.email, user.name


async def rename(name: str) -> str:
    call = current_call()
    user = await call.app.rename_user(call.caller, call.signed_in.user.id, name)
    gr.Info("Name changed.")
    return user.name


async def change_password(current: str, new: str, again: str) -> tuple[str, str, str]:
    call = current_call()
    if new != again:
        raise PasswordInvalid("The two new passwords are not the same.")
    address = call.signed_in.session.device.address
    ended = await call.app.change_password(call.caller, current=current, new=new, address=address)
    others = {0: "", 1: " One other session was ended."}.get(
        ended, f" {ended} other sessions were ended."
    )
    gr.Info(f"Password changed.{others}")
    return "", "", ""


def tab(demo: gr.Blocks) -> None:
    email = gr.Textbox(label="E-mail", interactive=False)
    with gr.Row(equal_height=True):
        name = gr.Textbox(label="Name", max_length=200, html_attributes=_autocomplete("name"))
        save = gr.Button("Change name", scale=0, min_width=160)
    gr.Markdown(
        "### Password\nChanging it ends your sessions on all other devices. Access tokens stay."
    )
    current = _password("Current password", "current-password")
    new = _password(
        "New password", "new-password", f"At least {SHORTEST} characters; 15 or more are better."
    )
    again = _password("New password, again", "new-password")
    change = gr.Button("Change password", variant="primary")
    demo.load(show, None, [email, name], **QUIET)
    gr.on([save.click, name.submit], rename, name, name, **QUIET)
    boxes = [current, new, again]
    gr.on([change.click, again.submit], change_password, boxes, boxes, **QUIET)
    tokens.section(demo)


def _password(label: str, autocomplete: str, info: str | None = None) -> gr.Textbox:
    return gr.Textbox(
        label=label,
        type="password",
        max_length=LONGEST,
        info=info,
        html_attributes=_autocomplete(autocomplete),
    )


def _autocomplete(value: str) -> gr.InputHTMLAttributes:
    return gr.InputHTMLAttributes(autocomplete=value)
