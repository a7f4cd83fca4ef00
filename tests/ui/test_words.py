"""The types of the names in gradioapp. mypy reads this file like an author's own."""

import ast
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import gradio as gr
import pytest

import gradioapp
from gradioapp import (
    Page,
    Session,
    State,
    User,
    current_session,
    current_user,
    injected,
    redirect,
    remember,
    requires,
    visible_to,
)
from gradioapp.testing import File, Person, Served, serving


@requires("editor")
def save(note: str, *, user: User = injected, session: Session = injected) -> str:
    assert_type(user, User)
    assert_type(user.email, str)
    assert_type(session, Session)
    return note


def count(*, state: State = injected) -> int:
    assert_type(state, State)
    state["count"] = state.get("count", 0) + 1
    return int(state["count"])


def who() -> str:
    assert_type(current_user(), User)
    assert_type(current_session(), Session)
    return current_user().name


def leave() -> None:
    redirect("/gradio/")


def build() -> Page:
    with gr.Blocks() as demo:
        note = gr.Textbox()
        gr.Button().click(save, note, note).then(leave)

        @visible_to("editor")
        def more() -> None:
            gr.Button()

        remember(note, key="note", scope="account")
    return Page(demo, title="Notes", roles={"editor"}, order=1, csp={"img-src": "https://a.b"})


if TYPE_CHECKING:
    assert_type(save("a"), str)
    assert_type(build().title, str)

    def use() -> None:
        with serving(build()) as served:
            assert_type(served, Served)
            ada = served.signed_in("ada@example.org", roles={"editor"})
            assert_type(ada, Person)
            assert_type(File(path="/a", name="a").name, str)


def _imported_here() -> set[str]:
    tree = ast.parse(Path(__file__).read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in imports if node.module == "gradioapp" for alias in node.names}


def test_every_public_name_is_used_in_this_file() -> None:
    assert _imported_here() == set(gradioapp.__all__)


def test_dir_lists_exactly_the_public_names() -> None:
    assert set(dir(gradioapp)) == _imported_here()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'gradioapp' has no attribute 'current_usr'"):
        getattr(gradioapp, "current_usr")  # noqa: B009 -- A type checker would refuse the attribute.
