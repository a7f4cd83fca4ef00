"""The Users tab, for admins: who has an account and what they may do. Every use case asks again who is asking."""

from uuid import UUID

import gradio as gr

from domain.errors import UserNotFound
from domain.model.password import LONGEST, SHORTEST
from domain.model.user import User, UserId
from entrypoints.ui.calling import current_call
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import moment

COLUMNS = ["E-mail", "Name", "Roles", "Active", "Since"]
SHOWN = 100

Shown = tuple[gr.Dataframe, gr.Dropdown]


async def reveal() -> gr.Tab:
    return gr.Tab(visible=current_call().signed_in.user.is_admin)


async def show(search: str, chosen: str | None = None) -> Shown:
    call = current_call()
    users = await call.app.list_users(call.caller, limit=SHOWN + 1, search=search)
    more = " (more: search to narrow)" if len(users) > SHOWN else ""
    users = users[:SHOWN]
    counted = "1 account" if len(users) == 1 else f"{len(users)} accounts"
    label = f"{counted}{more}" if users else "Nobody matches this search"
    choices = [(user.email, str(user.id)) for user in users]
    kept = chosen if chosen in {value for _, value in choices} else None
    return (
        gr.Dataframe(value=[_row(user) for user in users], label=label),
        gr.Dropdown(choices=choices, value=kept),
    )


async def create(
    email: str, name: str, password: str, roles: str, search: str
) -> tuple[str, str, str, str, gr.Dataframe, gr.Dropdown]:
    call = current_call()
    user = await call.app.create_user(
        call.caller, email=email, name=name, password=password, roles=_roles(roles)
    )
    gr.Info(f"{user.email} can sign in now.")
    return "", "", "", "", *await show(search, str(user.id))


async def disable(chosen: str | None, search: str) -> Shown:
    call = current_call()
    user = await call.app.disable_user(call.caller, _chosen(chosen))
    gr.Info(f"{user.email} is disabled and signed out everywhere.")
    return await show(search, chosen)


async def enable(chosen: str | None, search: str) -> Shown:
    call = current_call()
    user = await call.app.enable_user(call.caller, _chosen(chosen))
    gr.Info(f"{user.email} may sign in again.")
    return await show(search, chosen)


async def sign_out(chosen: str | None, search: str) -> Shown:
    call = current_call()
    ended = await call.app.revoke_all_sessions(call.caller, _chosen(chosen))
    gr.Info(f"Sessions ended: {ended}.")
    return await show(search, chosen)


async def grant(chosen: str | None, role: str, search: str) -> Shown:
    call = current_call()
    user = await call.app.grant_role(call.caller, _chosen(chosen), role.strip())
    gr.Info(f"{user.email} has the role {role.strip()}.")
    return await show(search, chosen)


async def revoke(chosen: str | None, role: str, search: str) -> Shown:
    call = current_call()
    user = await call.app.revoke_role(call.caller, _chosen(chosen), role.strip())
    gr.Info(f"{user.email} no longer has the role {role.strip()}.")
    return await show(search, chosen)


def tab(demo: gr.Blocks, people: gr.Tab) -> None:
    with gr.Row(equal_height=True):
        search = gr.Textbox(label="Find", placeholder="Part of a name or an e-mail", max_length=254)
        again = gr.Button("Refresh", scale=0, min_width=120)
    table = gr.Dataframe(headers=COLUMNS, interactive=False, wrap=True, label="Accounts")
    chosen = gr.Dropdown(choices=[], label="Account", value=None)
    with gr.Row():
        off = gr.Button("Disable", variant="stop")
        on = gr.Button("Enable")
        out = gr.Button("Sign out everywhere")
    with gr.Row(equal_height=True):
        role = gr.Textbox(label="Role", max_length=50, placeholder="admin, analyst, …")
        give = gr.Button("Grant role", scale=0, min_width=120)
        take = gr.Button("Revoke role", scale=0, min_width=120)
    with gr.Accordion("New account", open=False):
        with gr.Row():
            email = gr.Textbox(label="E-mail", max_length=254)
            name = gr.Textbox(
                label="Name", max_length=200, info="Without one: the e-mail's part before @."
            )
        with gr.Row():
            password = gr.Textbox(
                label="First password",
                type="password",
                max_length=LONGEST,
                info=f"At least {SHORTEST} characters; they can change it in their Account tab.",
                html_attributes=gr.InputHTMLAttributes(autocomplete="new-password"),
            )
            roles = gr.Textbox(label="Roles", placeholder="analyst, admin", max_length=500)
        add = gr.Button("Create", variant="primary")

    shown = [table, chosen]
    demo.load(reveal, None, people, **QUIET)
    gr.on(
        [people.select, again.click, search.submit],
        show,
        [search, chosen],
        shown,
        **QUIET,
    )
    for button, act in ((off, disable), (on, enable), (out, sign_out)):
        button.click(act, [chosen, search], shown, **QUIET)
    give.click(grant, [chosen, role, search], shown, **QUIET)
    take.click(revoke, [chosen, role, search], shown, **QUIET)
    form = [email, name, password, roles]
    add.click(create, [*form, search], [*form, *shown], **QUIET)


def _row(user: User) -> list[str]:
    active = "yes" if user.is_active else "no"
    return [user.email, user.name, ", ".join(sorted(user.roles)), active, moment(user.created_at)]


def _roles(text: str) -> list[str]:
    return [role.strip() for role in text.split(",") if role.strip()]


def _chosen(text: str | None) -> UserId:
    if not text:
        raise UserNotFound("Choose an account first.")
    try:
        return UserId(UUID(text))
    except ValueError as error:
        raise UserNotFound from error
