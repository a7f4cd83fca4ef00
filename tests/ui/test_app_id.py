"""A page notices another release, and none where there are only other replicas."""

from collections.abc import Callable

import gradio as gr
import pytest

from entrypoints.ui.delivery.app_id import app_id_of


def built(*, text: str = "Text", events: int = 1, number: bool = False) -> gr.Blocks:
    demo: gr.Blocks
    with gr.Blocks() as demo:
        box = gr.Number(label=text) if number else gr.Textbox(label=text)
        for _ in range(events):
            gr.Button().click(lambda said: said, box, box)
    return demo


def numbered(build: Callable[[], gr.Blocks]) -> int:
    """Build an app as a new process would, which counts its components from one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gr.context.Context, "id", 0)
        return app_id_of([build()])


def test_two_replicas_of_a_release_have_the_same_number() -> None:
    assert numbered(built) == numbered(built)


def test_another_text_keeps_the_number_because_pages_go_on_working() -> None:
    assert numbered(built) == numbered(lambda: built(text="Words"))


@pytest.mark.parametrize("other", [{"events": 2}, {"number": True}])
def test_another_event_or_component_changes_the_number(other: dict[str, int]) -> None:
    assert numbered(built) != numbered(lambda: built(**other))  # type: ignore[arg-type]


def test_the_number_is_exact_in_javascript() -> None:
    assert 0 <= numbered(built) < 2**53
