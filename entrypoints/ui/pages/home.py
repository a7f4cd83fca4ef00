"""The HomePage: a greeting, a note and a counter that last, and the tabs for account, sessions and users."""

from datetime import datetime

import gradio as gr

from domain.model.state import JsonValue
from entrypoints.ui.calling import current_call
from entrypoints.ui.pages import account, sessions, users
from entrypoints.ui.pages.text import moment, plain
from entrypoints.ui.sdk import Page, State, current_session, current_user, injected

NOTE = "note"
VISITS = "home.visits"


def greet(*, state: State = injected) -> tuple[str, gr.Textbox]:
    """Counts the visit; answers the greeting, and the note of this sign-in, which may be changed from then on."""
    seen_at = current_call().signed_in.session.seen_at.isoformat()
    before = state.get(VISITS)
    visits = state.update(VISITS, lambda kept: _one_more(kept, seen_at))
    return _greeting(before, visits), gr.Textbox(
        value=current_session().data.get(NOTE, ""), interactive=True
    )


def _one_more(visits: JsonValue, seen_at: str) -> JsonValue:
    count = visits.get("count") if isinstance(visits, dict) else None
    return {"count": (count if isinstance(count, int) else 0) + 1, "last": seen_at}


def _greeting(before: JsonValue, visits: JsonValue) -> str:
    count = visits["count"] if isinstance(visits, dict) else 1
    lines = [
        f"# Hello, {plain(current_user().name)}",
        f"This is visit number **{count}** of your account.",
    ]
    if isinstance(before, dict) and isinstance(before.get("last"), str):
        lines.append(f"The last one was on {moment(datetime.fromisoformat(str(before['last'])))}.")
    return "\n\n".join(lines)


async def keep_note(note: str) -> str:
    current_session().data[NOTE] = note
    return "Kept until you sign out." if note else "Nothing is kept."


def build() -> Page:
    with gr.Blocks(title="Home", analytics_enabled=False) as demo, gr.Tabs():
        with gr.Tab("Home", id="home"):
            greeting = gr.Markdown("# Hello")
            note = gr.Textbox(
                label="Note",
                lines=4,
                max_length=10_000,
                interactive=False,
                info="Yours alone, and kept for this sign-in.",
            )
            with gr.Row():
                keep = gr.Button("Keep", variant="primary", scale=0)
                kept = gr.Markdown()
            gr.on(
                [keep.click, note.blur],
                keep_note,
                note,
                kept,
                api_name="keep_note",
                show_progress="hidden",
            )
            demo.load(greet, None, [greeting, note], api_name="greet", show_progress="hidden")
        with gr.Tab("Account", id="account"):
            account.tab(demo)
        with gr.Tab("Sessions", id="sessions") as devices:
            sessions.tab(devices)
        with gr.Tab("Users", id="users", visible=False) as people:
            users.tab(demo, people)
    return Page(demo=demo, title="Home")
