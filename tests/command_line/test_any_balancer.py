"""Three real processes behind a balancer that sends every request to the next one."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from tests.replicas import Visitor, replicas
from tests.servers import FreshDatabase

pytestmark = pytest.mark.server

APP: Final = """
import time

import gradio as gr


def counts(kept):
    kept = kept + 1
    return kept, kept


def streams():
    for number in range(5):
        yield number
        time.sleep(0.05)


with gr.Blocks(title="Kept") as demo:
    kept = gr.State(0)
    text = gr.Textbox()
    gr.Button().click(counts, kept, [text, kept], api_name="counts")
    gr.Button().click(streams, None, text, api_name="streams")
"""
PATH: Final = "/gradio/kept"


@pytest.fixture(scope="module")
def three(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgres: FreshDatabase
) -> Iterator[Sequence[str]]:
    folder: Path = tmp_path_factory.mktemp("replicas")
    with replicas(3, fresh_postgres(), folder, APP, REPLICA_URL="http://127.0.0.1:0") as origins:
        yield origins


def test_every_request_of_a_tab_may_go_to_another_replica(three: Sequence[str]) -> None:
    turns = cycle(three)
    john = Visitor(three[0], PATH)

    for _ in range(10):
        assert john.runs(next(turns), "streams") == "4"
