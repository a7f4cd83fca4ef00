"""The Sessions tab: where one is signed in or known, and ending that elsewhere."""

from typing import Final
from uuid import UUID

import gradio as gr

from domain.errors import SessionNotFound
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.model.session import Session, SessionId
from entrypoints.ui.calls.call import Call, current_call
from entrypoints.ui.pages.confirming import Confirmation
from entrypoints.ui.pages.quiet import QUIET
from entrypoints.ui.pages.text import device, host_of, moment

_DEVICE: Final = "device:"
"""Begins the value of a choice that is a known device without a session."""

Shown = tuple[str, gr.Radio, gr.Button, gr.Button]


async def show() -> Shown:
    """Return this device in words, the other devices to choose from, and the buttons that end their sessions."""
    call = current_call()
    user_id = call.signed_in.user.id
    live = await call.use_cases.list_sessions(call.caller, user_id)
    others = [(words_of(session), str(session.id)) for session in live if session.id != _mine(call)]
    seen = {_mine(call), *(session.id for session in live)}
    others += [
        (_signed_out(known), f"{_DEVICE}{known.id}")
        for known in await call.use_cases.list_known_devices(call.caller)
        if known.session_id not in seen
    ]
    here = words_of(call.signed_in.session)
    label = "Other devices" if others else "Other devices: none, you have signed in only here"
    return (
        here,
        gr.Radio(choices=others, value=None, label=label),
        gr.Button(interactive=False),
        gr.Button(interactive=bool(others)),
    )


async def end_one(chosen: str | None) -> Shown:
    call = current_call()
    if not chosen:
        raise SessionNotFound("Choose a device first.")
    if chosen.startswith(_DEVICE):
        device_id = KnownDeviceId(_uuid(chosen.removeprefix(_DEVICE)))
        await call.use_cases.forget_device(call.caller, device_id)
        gr.Info("Device forgotten.")
    else:
        await call.use_cases.revoke_session(call.caller, SessionId(_uuid(chosen)))
        gr.Info("Signed out there, and device forgotten.")
    return await show()


async def ask_about_others() -> tuple[str, str]:
    return (
        "Sign out on all other devices? What is running there stops, and the devices are forgotten.",
        "",
    )


async def end_others(_: str) -> Shown:
    call = current_call()
    ended = await call.use_cases.revoke_other_sessions(call.caller)
    gr.Info("One session ended." if ended == 1 else f"{ended} sessions ended.")
    return await show()


def tab(devices: gr.Tab) -> None:
    gr.Markdown(
        "# Sessions\nThe devices on which you are signed in, or have signed in before. By guessing your password, "
        "strangers cannot keep you out on these devices. Forget a device that is not yours."
    )
    here = gr.Textbox(label="This device", interactive=False)
    others = gr.Radio(choices=[], label="Other devices")
    with gr.Row():
        end = gr.Button("Sign out there", interactive=False)
        end_all = gr.Button("Sign out all others", interactive=False)
        again = gr.Button("Refresh")
    confirmation = Confirmation("Sign out all others")
    shown = [here, others, end, end_all]
    others.input(_may_end, others, end, **QUIET)
    gr.on([devices.select, again.click], show, None, shown, **QUIET)
    end.click(end_one, others, shown, **QUIET)
    confirmation.asks(end_all, ask_about_others)
    confirmation.acts(end_others, [], shown)


def _may_end(chosen: str | None) -> gr.Button:
    return gr.Button(interactive=bool(chosen))


def _mine(call: Call) -> SessionId:
    return call.signed_in.session.id


def words_of(session: Session) -> str:
    """Describe the device of a session for its owner."""
    seen = session.device
    return (
        f"{device(seen.agent)} at {seen.address}, since {moment(session.created_at)}, "
        f"last used {moment(session.seen_at)}"
        + (f", signed in at {host_of(session.origin.issuer)}" if session.origin else "")
        + (f", stays signed in until {moment(session.ends_at)}" if session.is_remembered else "")
    )


def _signed_out(known: KnownDevice) -> str:
    seen = known.device
    return (
        f"{device(seen.agent)} at {seen.address}, signed out, last sign-in {moment(known.seen_at)}"
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise SessionNotFound from error
