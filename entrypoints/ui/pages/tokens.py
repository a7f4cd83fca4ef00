"""Access tokens in the Account tab: made, shown once, listed and revoked."""

from uuid import UUID

import gradio as gr

from domain.errors import AccessTokenInvalid, AccessTokenNotFound
from domain.model.access_token import (
    LONGEST_LIFE,
    LONGEST_NAME,
    PER_ACCOUNT,
    SHORTEST_LIFE,
    USUAL_LIFE,
    AccessToken,
    AccessTokenId,
)
from entrypoints.ui.calling import Call, current_call
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import day, moment

COLUMNS = ["Name", "Ends in", "Roles", "Created", "Expires", "Last used"]

_ABOUT = (
    "### Access tokens\n"
    "With one a program works in your name, with your roles, without your password: "
    "`Authorization: Bearer …`, for the JSON API and for Gradio's own client. It ends when it expires, when you revoke "
    "it here, and when your account is disabled. Changing your password does **not** end it."
)

Shown = tuple[gr.Dataframe, gr.Dropdown, gr.CheckboxGroup]


async def show() -> tuple[gr.Dataframe, gr.Dropdown, gr.CheckboxGroup, gr.Textbox]:
    """What was made before is not shown again."""
    return *await _listed(current_call()), gr.Textbox(value="", visible=False)


async def _listed(call: Call) -> Shown:
    if call.signed_in.token is not None:  # A program that opens the page: the list is not for it.
        return gr.Dataframe(), gr.Dropdown(), gr.CheckboxGroup()
    tokens = await call.app.list_tokens(call.caller)
    label = f"{len(tokens)} of at most {PER_ACCOUNT}" if tokens else "No access token yet"
    choices = [(f"{token.name} (…{token.hint})", str(token.id)) for token in tokens]
    roles = sorted(call.signed_in.user.roles)
    return (
        gr.Dataframe(value=[_row(token) for token in tokens], label=label, visible=bool(tokens)),
        gr.Dropdown(choices=choices, value=None, visible=bool(tokens)),
        gr.CheckboxGroup(choices=roles, value=[], visible=bool(roles)),
    )


async def create(
    name: str, days: float | None, roles: list[str]
) -> tuple[str, gr.Textbox, gr.Dataframe, gr.Dropdown, gr.CheckboxGroup]:
    call = current_call()
    if days is None or days != int(days):
        raise AccessTokenInvalid("A token expires after a whole number of days.")
    made = await call.app.create_token(call.caller, name=name, days=int(days), roles=roles or None)
    info = f"Copy it now: it is not shown again. It expires on {moment(made.token.expires_at)}."
    shown = gr.Textbox(value=made.value, info=info, visible=True)
    return "", shown, *await _listed(call)


async def revoke(
    chosen: str | None,
) -> tuple[gr.Dataframe, gr.Dropdown, gr.CheckboxGroup, gr.Textbox]:
    call = current_call()
    if not chosen:
        raise AccessTokenNotFound("Choose a token first.")
    await call.app.revoke_token(call.caller, AccessTokenId(_uuid(chosen)))
    gr.Info("Revoked. Programs that use it are turned away from now on.")
    return await show()


def section(demo: gr.Blocks) -> None:
    gr.Markdown(_ABOUT)
    table = gr.Dataframe(
        headers=COLUMNS,
        column_widths=[260, 90, 160, 120, 120, 190],
        interactive=False,
        wrap=True,
        visible=False,
    )
    with gr.Row(equal_height=True):
        chosen = gr.Dropdown(choices=[], label="Access token", value=None, visible=False)
        end = gr.Button("Revoke", variant="stop", scale=0, min_width=160, visible=False)
    with gr.Row(equal_height=True):
        name = gr.Textbox(
            label="Name of the program", max_length=LONGEST_NAME, placeholder="Nightly job"
        )
        days = gr.Number(
            label="Expires after days",
            value=USUAL_LIFE,
            minimum=SHORTEST_LIFE,
            maximum=LONGEST_LIFE,
            precision=0,
        )
    roles = gr.CheckboxGroup(
        choices=[],
        label="Only these roles",
        info="None chosen: all that you have when it is used.",
        visible=False,
    )
    add = gr.Button("Create access token", variant="primary")
    made = gr.Textbox(
        label="New access token", lines=2, buttons=["copy"], interactive=False, visible=False
    )

    listed = [table, chosen, roles]
    demo.load(show, None, [*listed, made], **QUIET)
    gr.on([add.click, name.submit], create, [name, days, roles], [name, made, *listed], **QUIET)
    chosen.change(_may_revoke, chosen, end, **QUIET)
    end.click(revoke, chosen, [*listed, made], **QUIET)


def _may_revoke(chosen: str | None) -> gr.Button:
    return gr.Button(visible=bool(chosen))


def _row(token: AccessToken) -> list[str]:
    used = "never" if token.last_used_at is None else moment(token.last_used_at)
    roles = "all" if token.roles is None else ", ".join(sorted(token.roles)) or "none"
    hint = f"…{token.hint}"
    return [token.name, hint, roles, day(token.created_at), day(token.expires_at), used]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise AccessTokenNotFound from error
