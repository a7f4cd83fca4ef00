"""Find the caller of the event that is running: the account, the session and the state."""

import sys
import types

from entrypoints.ui.calls.call import current_call, is_served, nobody_calls
from entrypoints.ui.calls.kept_values import State
from entrypoints.ui.calls.views import Session, User, session_view, user_view
from entrypoints.ui.sdk import standalone


def current_user() -> User:
    if not is_served():
        return standalone.USER
    if needs_first_value():
        return standalone.NOBODY
    return user_view(current_call().signed_in.user)


def current_session() -> Session:
    if not is_served():
        return standalone.SESSION
    if needs_first_value():
        return standalone.session()
    call = current_call()
    return session_view(call.signed_in.session, call.data)


def current_state() -> State:
    if not is_served():
        return standalone.STATE
    return State({}) if needs_first_value() else current_call().loaded_state()


def needs_first_value() -> bool:
    """Return whether an app is being built, and Gradio calls a function for the first value of a component. False
    for other code of the app: it has no caller then."""
    if not nobody_calls():
        return False
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 -- Python has no other name for it.
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == "gradio":
            return True
        frame = frame.f_back
    return False
