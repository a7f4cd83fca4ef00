"""The Account tab: one's name, password and access tokens."""

import gradio as gr

from domain.errors import PasswordInvalid
from domain.model.event_time import MINUTE, EventQuota
from domain.model.password import LONGEST, SHORTEST
from entrypoints.ui.calls.call import current_call
from entrypoints.ui.pages import tokens
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import hello


async def show() -> tuple[str, str, gr.Markdown]:
    call = current_call()
    user = call.signed_in.user
    found = await call.use_cases.find_event_quota(call.caller)
    return user.email, user.name, gr.Markdown(_said_of(found), visible=found is not None)


def _said_of(found: EventQuota | None) -> str:
    if found is None:
        return ""
    used, quota = found.used // MINUTE, found.quota // MINUTE
    return f"Computing: {used} of {quota} minutes used in the last hour."


async def rename(name: str) -> tuple[str, str]:
    """Change the name, also in the greeting and in the bar."""
    call = current_call()
    user = await call.use_cases.rename_user(call.caller, call.signed_in.user.id, name)
    call.new_name = user.name
    gr.Info("Name changed.")
    return user.name, hello(user.name)


async def change_password(
    current: str,
    new: str,
    again: str,
    revokes: bool,  # noqa: FBT001 -- The value of a checkbox.
) -> tuple[str, str, str]:
    call = current_call()
    if new != again:
        raise PasswordInvalid("The two new passwords are not the same.")
    ended = await call.use_cases.change_password(
        call.caller, current=current, new=new, revokes_tokens=revokes
    )
    others = _counted(ended.sessions, "other session was", "other sessions were", "ended")
    revoked = _counted(ended.tokens, "access token was", "access tokens were", "revoked")
    gr.Info(f"Password changed.{others}{revoked}")
    return "", "", ""


def _counted(number: int, one: str, many: str, done: str) -> str:
    if number == 0:
        return ""
    return f" One {one} {done}." if number == 1 else f" {number} {many} {done}."


def tab(demo: gr.Blocks, greeting: gr.Markdown) -> None:
    gr.Markdown("# Account")
    email = gr.Textbox(label="E-mail", interactive=False)
    with gr.Row(elem_classes="beside"):
        name = gr.Textbox(label="Name", max_length=200, html_attributes=_autocomplete("name"))
        save = gr.Button("Change name", scale=0, min_width=160)
    quota = gr.Markdown(visible=False)
    gr.Markdown("## Password\nChanging it ends your sessions on all other devices.")
    current = _password("Current password", "current-password")
    new = _password(
        "New password", "new-password", f"At least {SHORTEST} characters; 15 or more are better."
    )
    again = _password("New password, again", "new-password")
    revokes = gr.Checkbox(
        value=True,
        label="Revoke all my access tokens too",
        info="Somebody who knew the old password may have made one. Programs that use one stop working.",
    )
    change = gr.Button("Change password", variant="primary")
    demo.load(show, None, [email, name, quota], **QUIET)
    gr.on([save.click, name.submit], rename, name, [name, greeting], **QUIET)
    boxes = [current, new, again]
    changed = gr.on(
        [change.click, again.submit], change_password, [*boxes, revokes], boxes, **QUIET
    )
    tokens.section(demo, changed)


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
