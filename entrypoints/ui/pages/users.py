"""The Users tab, for admins: who has an account and what they may do. Every use case asks again who is asking."""

import gradio as gr

from domain.model.password import LONGEST, SHORTEST
from domain.model.user import User
from entrypoints.ui.calls.call import current_call
from entrypoints.ui.pages import account_tokens
from entrypoints.ui.pages.chosen_account import chosen_id, find_chosen
from entrypoints.ui.pages.confirmation_form import ConfirmationForm
from entrypoints.ui.pages.confirming import Confirmation
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import moment, plain

COLUMNS = ["E-mail", "Name", "Roles", "Active", "Since"]
SHOWN = 100

Shown = tuple[gr.Dataframe, gr.Dropdown, *tuple[gr.Button, ...]]
"""Updates of the accounts, the choice, and the buttons that act on the chosen account."""


async def reveal() -> gr.Tab:
    return gr.Tab(visible=current_call().signed_in.user.is_admin)


async def show(search: str, chosen: str | None = None) -> Shown:
    call = current_call()
    users = await call.use_cases.list_users(call.caller, limit=SHOWN + 1, search=search)
    more = " (more: search to narrow)" if len(users) > SHOWN else ""
    users = users[:SHOWN]
    counted = "1 account" if len(users) == 1 else f"{len(users)} accounts"
    label = f"{counted}{more}" if users else "Nobody matches this search"
    choices = [(user.email, str(user.id)) for user in users]
    kept = next((user for user in users if str(user.id) == chosen), None)
    return (
        gr.Dataframe(value=[_row(user) for user in users], label=label),
        gr.Dropdown(choices=choices, value=str(kept.id) if kept else None),
        *_acts_on(kept),
    )


def _acts_on(user: User | None) -> tuple[gr.Button, ...]:
    """Return the buttons disable, enable, end everything, access tokens, grant and revoke. Only those that have an effect
    are active."""
    is_active = user is not None and user.is_active
    is_disabled = user is not None and not user.is_active
    is_chosen = user is not None
    may = (is_active, is_disabled, is_active, is_chosen, is_chosen, is_chosen)
    return tuple(gr.Button(interactive=active) for active in may)


async def choose(chosen: str | None) -> tuple[gr.Button, ...]:
    if not chosen:
        return _acts_on(None)
    call = current_call()
    return _acts_on(await call.use_cases.get_user(call.caller, chosen_id(chosen)))


async def create(
    email: str, name: str, password: str, roles: str, search: str
) -> tuple[str, str, str, str, *Shown]:
    call = current_call()
    user = await call.use_cases.create_user(
        call.caller, email=email, name=name, password=password, roles=_roles(roles)
    )
    gr.Info(f"{user.email} can sign in now.")
    return "", "", "", "", *await show(search, str(user.id))


async def ask_to_disable(chosen: str | None) -> tuple[str, str]:
    user = await find_chosen(chosen)
    return (
        f"Disable **{plain(user.email)}**? All sessions of the account end, what runs in them stops, and its access "
        "tokens are revoked.",
        str(user.id),
    )


async def ask_to_end_everything(chosen: str | None) -> tuple[str, str]:
    user = await find_chosen(chosen)
    return (
        f"End everything of **{plain(user.email)}**? All sessions of the account end, what runs in them stops, and its "
        "access tokens are revoked. The account itself stays.",
        str(user.id),
    )


async def disable(chosen: str | None, search: str) -> Shown:
    call = current_call()
    user = await call.use_cases.disable_user(call.caller, chosen_id(chosen))
    gr.Info(f"{user.email} is disabled and signed out everywhere.")
    return await show(search, chosen)


async def enable(chosen: str | None, search: str) -> Shown:
    call = current_call()
    user = await call.use_cases.enable_user(call.caller, chosen_id(chosen))
    gr.Info(f"{user.email} may sign in again.")
    return await show(search, chosen)


async def end_everything(chosen: str | None, search: str) -> Shown:
    call = current_call()
    ended = await call.use_cases.revoke_all_sessions(call.caller, chosen_id(chosen))
    gr.Info(f"Sessions ended: {ended.sessions}. Access tokens revoked: {ended.tokens}.")
    return await show(search, chosen)


async def grant(chosen: str | None, role: str, search: str) -> Shown:
    call = current_call()
    user = await call.use_cases.grant_role(call.caller, chosen_id(chosen), role.strip())
    gr.Info(f"{user.email} has the role {role.strip()}.")
    return await show(search, chosen)


async def revoke(chosen: str | None, role: str, search: str) -> Shown:
    call = current_call()
    user = await call.use_cases.revoke_role(call.caller, chosen_id(chosen), role.strip())
    gr.Info(f"{user.email} no longer has the role {role.strip()}.")
    return await show(search, chosen)


def tab(demo: gr.Blocks, people: gr.Tab) -> None:
    gr.Markdown("# Users\nWho has an account here, and what they may do.")
    with gr.Row(elem_classes="beside"):
        search = gr.Textbox(label="Find", placeholder="Name or e-mail", max_length=254)
        again = gr.Button("Refresh", scale=0, min_width=120)
    table = gr.Dataframe(
        headers=COLUMNS,
        column_widths=[300, 230, 150, 80, 200],
        interactive=False,
        wrap=True,
        label="Accounts",
        elem_classes="listed",
    )
    chosen = gr.Dropdown(choices=[], label="Account", value=None)
    with gr.Row():
        off = gr.Button("Disable", interactive=False)
        on = gr.Button("Enable", interactive=False)
        out = gr.Button("End everything", interactive=False)
        keys = gr.Button("Access tokens", interactive=False)
    disabling, ending = Confirmation("Disable account"), Confirmation("End everything")
    account_tokens.section(chosen, keys)
    with gr.Row(elem_classes="beside"):
        role = gr.Textbox(label="Role", max_length=50, placeholder="admin, analyst, …")
        give = gr.Button("Grant role", scale=0, min_width=150, interactive=False)
        take = gr.Button("Revoke role", scale=0, min_width=150, interactive=False)
    changing = ConfirmationForm()
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
        creating = ConfirmationForm()

    buttons = [off, on, out, keys, give, take]
    shown = [table, chosen, *buttons]
    demo.load(reveal, None, people, **QUIET)
    gr.on(
        [people.select, again.click, search.submit],
        show,
        [search, chosen],
        shown,
        **QUIET,
    )
    chosen.input(choose, chosen, buttons, **QUIET)
    changing.guards([on.click], enable, [chosen, search], shown)
    disabling.asks(off, ask_to_disable, chosen)
    disabling.acts(disable, [search], shown)
    ending.asks(out, ask_to_end_everything, chosen)
    ending.acts(end_everything, [search], shown)
    changing.guards([give.click], grant, [chosen, role, search], shown)
    changing.guards([take.click], revoke, [chosen, role, search], shown)
    form = [email, name, password, roles]
    creating.guards([add.click], create, [*form, search], [*form, *shown])


def _row(user: User) -> list[str]:
    active = "yes" if user.is_active else "no"
    return [user.email, user.name, ", ".join(sorted(user.roles)), active, moment(user.created_at)]


def _roles(text: str) -> list[str]:
    return [role.strip() for role in text.split(",") if role.strip()]
