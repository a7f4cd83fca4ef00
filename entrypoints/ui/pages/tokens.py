"""Access tokens in the Account tab: made, shown once, listed and revoked."""

from datetime import datetime
from uuid import UUID

import gradio as gr
from gradio.events import Dependency

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
from entrypoints.ui.calls.call import Call, current_call
from entrypoints.ui.pages.confirmation_form import ConfirmationForm
from entrypoints.ui.pages.confirming import Confirmation
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import day, moment, plain

COLUMNS = ["Name", "Ends in", "Roles", "Created", "Expires", "Last used"]

_ABOUT = (
    "## Access tokens\n"
    "With one a program works in your name, with your roles, without your password: "
    "`Authorization: Bearer …`, for the JSON API and for Gradio's own client. It ends when it expires, when you revoke "
    "it here, when you change your password and do not keep your tokens, and when an admin revokes it or disables your account."
)

Shown = tuple[gr.Dataframe, gr.Dropdown, gr.CheckboxGroup]
New = tuple[gr.Textbox, str, str, gr.Column, gr.Column]
"""Updates of the new token, two lines of programs that use it, its frame, and the form that the frame replaces."""


async def show() -> Shown:
    return await _listed(current_call())


def _nothing_new() -> New:
    """Show the form again, and forget the new token."""
    return gr.Textbox(value=""), "", "", gr.Column(visible=False), gr.Column(visible=True)


def _new(value: str, expires_at: datetime, request: gr.Request) -> New:
    info = f"Copy it now: it is not shown again. It expires on {moment(expires_at)}."
    call = current_call()
    assert request.request is not None  # noqa: S101 -- Only Gradio's own tests have none.
    url = request.request.url
    origin = f"{url.scheme}://{url.netloc}"
    apps = call.offered(call.signed_in.user)
    app = f"{origin}{call.base.outside(apps[0].address if apps else call.place + '/')}"
    header = f"Authorization: Bearer {value}"
    return (
        gr.Textbox(value=value, info=info),
        f'client = gradio_client.Client("{app}", headers={{"Authorization": "Bearer {value}"}})',
        f'curl -H "{header}" {origin}{call.base.outside("/api/v1/me")}',
        gr.Column(visible=True),
        gr.Column(visible=False),
    )


async def _listed(call: Call) -> Shown:
    if call.signed_in.token is not None:  # A program that opens the page: the list is not for it.
        return gr.Dataframe(), gr.Dropdown(), gr.CheckboxGroup()
    tokens = await call.use_cases.list_tokens(call.caller)
    label = f"{len(tokens)} of at most {PER_ACCOUNT}" if tokens else "No access token yet"
    choices = [(f"{token.name} (…{token.hint})", str(token.id)) for token in tokens]
    roles = sorted(call.signed_in.user.roles)
    return (
        gr.Dataframe(value=[row(token) for token in tokens], label=label, visible=bool(tokens)),
        gr.Dropdown(choices=choices, value=None, visible=bool(tokens)),
        gr.CheckboxGroup(choices=roles, value=[], visible=bool(roles)),
    )


async def create(
    name: str, days: float | None, roles: list[str], request: gr.Request
) -> tuple[
    str,
    gr.Textbox,
    str,
    str,
    gr.Column,
    gr.Column,
    gr.Dataframe,
    gr.Dropdown,
    gr.CheckboxGroup,
]:
    call = current_call()
    if days is None or days != int(days):
        raise AccessTokenInvalid("A token expires after a whole number of days.")
    made = await call.use_cases.create_token(
        call.caller, name=name, days=int(days), roles=roles or None
    )
    new = _new(made.value, made.token.expires_at, request)
    return "", *new, *await _listed(call)


async def ask_to_revoke(chosen: str | None) -> tuple[str, str]:
    if not chosen:
        raise AccessTokenNotFound("Choose a token first.")
    tokens = await current_call().use_cases.list_tokens(current_call().caller)
    token = next((one for one in tokens if str(one.id) == chosen), None)
    if token is None:
        raise AccessTokenNotFound
    return (
        f"Revoke **{plain(token.name)}** (…{plain(token.hint)})? Programs that use it stop working.",
        chosen,
    )


async def revoke(
    chosen: str | None,
) -> tuple[gr.Dataframe, gr.Dropdown, gr.CheckboxGroup, gr.Textbox, str, str, gr.Column, gr.Column]:
    call = current_call()
    if not chosen:
        raise AccessTokenNotFound("Choose a token first.")
    await call.use_cases.revoke_token(
        call.caller, AccessTokenId(uuid_of(chosen)), of=call.signed_in.user.id
    )
    gr.Info("Revoked. Programs that use it are turned away from now on.")
    return *await _listed(call), *_nothing_new()


def section(demo: gr.Blocks, password_changed: Dependency) -> None:
    gr.Markdown(_ABOUT)
    with gr.Column() as form:
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
        form_of_confirmation = ConfirmationForm()
    with gr.Column(visible=False, elem_classes="new-token") as frame:
        made = gr.Textbox(label="New access token", buttons=["copy"], interactive=False)
        client = gr.Textbox(label="With gradio_client", buttons=["copy"], interactive=False)
        curl = gr.Textbox(label="With curl", buttons=["copy"], interactive=False)
        done = gr.Button("I have copied it", scale=0)
    table = gr.Dataframe(
        headers=COLUMNS,
        column_widths=[260, 90, 160, 120, 120, 190],
        interactive=False,
        wrap=True,
        visible=False,
        elem_classes="listed",
    )
    with gr.Row(elem_classes="beside"):
        chosen = gr.Dropdown(choices=[], label="Access token", value=None, visible=False)
        end = gr.Button("Revoke", scale=0, min_width=160, visible=False)
    confirmation = Confirmation("Revoke token")

    listed, new = [table, chosen, roles], [made, client, curl, frame, form]
    demo.load(show, None, listed, **QUIET)
    password_changed.success(show, None, listed, **QUIET)
    form_of_confirmation.guards(
        [add.click, name.submit], create, [name, days, roles], [name, *new, *listed]
    )
    done.click(_nothing_new, None, new, **QUIET)
    chosen.change(_may_revoke, chosen, end, **QUIET)
    confirmation.asks(end, ask_to_revoke, chosen)
    confirmation.acts(revoke, [], [*listed, *new])


def _may_revoke(chosen: str | None) -> gr.Button:
    return gr.Button(visible=bool(chosen))


def row(token: AccessToken) -> list[str]:
    used = "never" if token.last_used_at is None else moment(token.last_used_at)
    roles = "all" if token.roles is None else ", ".join(sorted(token.roles)) or "none"
    hint = f"…{token.hint}"
    return [token.name, hint, roles, day(token.created_at), day(token.expires_at), used]


def uuid_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise AccessTokenNotFound from error
