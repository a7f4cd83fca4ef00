"""The Sessions tab: where one is signed in, and ending that elsewhere."""

from uuid import UUID

import gradio as gr

from domain.errors import SessionNotFound
from domain.model.session import Session, SessionId
from entrypoints.ui.calling import Call, current_call
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import device, moment


async def show() -> tuple[str, gr.Radio]:
    """This device in words, and the others to choose from."""
    call = current_call()
    user_id = call.signed_in.user.id
    live = await call.app.list_sessions(call.caller, user_id)
    others = [(_words(session), str(session.id)) for session in live if session.id != _mine(call)]
    here = _words(call.signed_in.session)
    label = "Other devices" if others else "Other devices: none, you are signed in only here"
    return here, gr.Radio(choices=others, value=None, label=label)


async def end_one(chosen: str | None) -> tuple[str, gr.Radio]:
    call = current_call()
    if not chosen:
        raise SessionNotFound("Choose a device first.")
    await call.app.revoke_session(call.caller, SessionId(_uuid(chosen)))
    gr.Info("Signed out there.")
    return await show()


async def end_others() -> tuple[str, gr.Radio]:
    call = current_call()
    ended = await call.app.revoke_other_sessions(call.caller)
    gr.Info("One session ended." if ended == 1 else f"{ended} sessions ended.")
    return await show()


def tab(devices: gr.Tab) -> None:
    here = gr.Textbox(label="This device", interactive=False)
    others = gr.Radio(choices=[], label="Other devices")
    with gr.Row():
        end = gr.Button("Sign out there")
        end_all = gr.Button("Sign out all others", variant="stop")
        again = gr.Button("Refresh")
    shown = [here, others]
    gr.on([devices.select, again.click], show, None, shown, **QUIET)
    end.click(end_one, others, shown, **QUIET)
    end_all.click(end_others, None, shown, **QUIET)


def _mine(call: Call) -> SessionId:
    return call.signed_in.session.id


def _words(session: Session) -> str:
    seen = session.device
    return (
        f"{device(seen.agent)} at {seen.address}, since {moment(session.created_at)}, "
        f"last used {moment(session.seen_at)}"
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise SessionNotFound from error
