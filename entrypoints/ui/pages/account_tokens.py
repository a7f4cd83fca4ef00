"""The access tokens of the account that an admin has chosen in the Users tab: listed and revoked."""

import gradio as gr

from domain.errors import AccessTokenNotFound
from domain.model.access_token import AccessTokenId
from domain.model.user import UserId
from entrypoints.ui.calls.call import current_call
from entrypoints.ui.pages.chosen_account import chosen_id, find_chosen
from entrypoints.ui.pages.confirming import Confirmation
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import plain
from entrypoints.ui.pages.tokens import COLUMNS, row, uuid_of

Shown = tuple[gr.Column, gr.Markdown, gr.Dataframe, gr.Row, gr.Dropdown, gr.Button]
"""Updates of the section, its heading, the tokens, the row that acts on them, the choice, and the button to revoke it."""


async def show(account: str | None) -> Shown:
    return await _listed(chosen_id(account))


async def _listed(user_id: UserId) -> Shown:
    call = current_call()
    user = await call.use_cases.get_user(call.caller, user_id)
    tokens = await call.use_cases.list_tokens_of(call.caller, user_id)
    choices = [(f"{token.name} (…{token.hint})", str(token.id)) for token in tokens]
    none = "" if tokens else "\nThis account has no access token."
    return (
        gr.Column(visible=True),
        gr.Markdown(value=f"## Access tokens of {plain(user.email)}{none}"),
        gr.Dataframe(value=[row(token) for token in tokens], visible=bool(tokens)),
        gr.Row(visible=bool(tokens)),
        gr.Dropdown(choices=choices, value=None),
        gr.Button(interactive=False),
    )


async def ask_to_revoke(token: str | None) -> tuple[str, str]:
    if not token:
        raise AccessTokenNotFound("Choose a token first.")
    return "Revoke this access token? Programs that use it stop working.", token


async def revoke(token: str) -> Shown:
    call = current_call()
    revoked = await call.use_cases.revoke_token(call.caller, AccessTokenId(uuid_of(token)))
    gr.Info("Revoked. Programs that use it are turned away from now on.")
    return await _listed(revoked.user_id)


async def ask_to_revoke_all(account: str | None) -> tuple[str, str]:
    user = await find_chosen(account)
    return (
        f"Revoke all access tokens of **{plain(user.email)}**? Programs that use them stop working.",
        str(user.id),
    )


async def revoke_all(account: str) -> Shown:
    call, user_id = current_call(), chosen_id(account)
    revoked = await call.use_cases.revoke_all_tokens(call.caller, user_id)
    gr.Info(f"Access tokens revoked: {revoked}.")
    return await _listed(user_id)


def section(account: gr.Dropdown, button: gr.Button) -> None:
    """Show the tokens of the chosen account after a click on `button`."""
    with gr.Column(visible=False) as frame:
        heading = gr.Markdown()
        table = gr.Dataframe(
            headers=COLUMNS,
            column_widths=[260, 90, 160, 120, 120, 190],
            interactive=False,
            wrap=True,
            visible=False,
            label="Access tokens",
            elem_classes="listed",
        )
        with gr.Row(visible=False, elem_classes="beside") as acts:
            token = gr.Dropdown(choices=[], label="Token", value=None)
            end = gr.Button("Revoke", scale=0, min_width=150, interactive=False)
            end_all = gr.Button("Revoke all", scale=0, min_width=150)
        revoking, revoking_all = Confirmation("Revoke token"), Confirmation("Revoke all tokens")
    shown = [frame, heading, table, acts, token, end]
    button.click(show, account, shown, **QUIET)
    account.change(_hidden, None, frame, **QUIET)
    token.change(_may_revoke, token, end, **QUIET)
    revoking.asks(end, ask_to_revoke, token)
    revoking.acts(revoke, [], shown)
    revoking_all.asks(end_all, ask_to_revoke_all, account)
    revoking_all.acts(revoke_all, [], shown)


def _hidden() -> gr.Column:
    return gr.Column(visible=False)


def _may_revoke(token: str | None) -> gr.Button:
    return gr.Button(interactive=bool(token))
