"""The kit that authors test their apps with, used as they use it: plain functions, one app for many tests."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Final

import gradio as gr
import pytest

from domain.errors import RoleInvalid, SessionEnded, StateInvalid
from entrypoints.testing import Failed, File, Refused, Served, refused, serving
from entrypoints.ui.sdk import (
    Page,
    PageRefused,
    State,
    User,
    current_session,
    current_user,
    injected,
    requires,
)

ROOT: Final = Path(__file__).parents[2]

held = threading.Event()
stopped = threading.Event()


def summarize(text: str, *, user: User = injected, state: State = injected) -> str:
    state["runs"] = state.get("runs", 0) + 1
    return f"{user.name}, run {state['runs']}: {text}"


@requires("analyst")
def retrain() -> str:
    return "trained"


def count(upto: float) -> Iterator[list[int]]:
    for number in range(int(upto)):
        yield list(range(number + 1))


def endless() -> Iterator[int]:
    number = 0
    try:
        while True:
            yield (number := number + 1)
            held.wait(0.01)
    finally:
        stopped.set()


def clicks(so_far: int, step: float, *, user: User = injected) -> tuple[int, str, str]:
    now = so_far + int(step)
    return now, f"{now} clicks", user.email


def divide_all(numbers: list[float]) -> list[list[float]]:
    return [[1 / number for number in numbers]]


def divide() -> float:
    return 1 / 0


def object_to(text: str) -> str:
    raise gr.Error(f"I do not like {text}", title="Objection")


def never_empty(text: str) -> Any:
    return gr.validate(text != "", "Say something")


def whisper() -> str:
    data = current_session().data
    data["whispers"] = data.get("whispers", 0) + 1
    return str(data["whispers"])


def both(files: list[str]) -> tuple[list[str], None]:
    return [Path(file).read_text() for file in files], None


def _build() -> gr.Blocks:
    demo = gr.Blocks(title="Kit", analytics_enabled=False)
    with demo:
        text, said, out = gr.Textbox(label="Text"), gr.Textbox(), gr.Textbox()
        number, step = gr.Number(), gr.Number(value=2)
        seen, files, one = gr.State(0), gr.File(file_count="multiple"), gr.File()
        listed = gr.JSON()
        button = gr.Button()
        button.click(summarize, text, said, api_name="summarize")
        button.click(retrain, None, said, api_name="retrain")
        button.click(count, number, listed, api_name="count")
        button.click(endless, None, number, api_name="endless")
        button.click(clicks, [seen, step], [seen, said, out], api_name="clicks")
        button.click(divide, None, number, api_name="divide")
        button.click(divide_all, number, number, api_name="divide_all", batch=True)
        button.click(object_to, text, said, api_name="object_to")
        button.click(lambda text: text, text, said, api_name="say", validator=never_empty)
        button.click(whisper, None, said, api_name="whisper", queue=False)
        button.click(both, files, [listed, said], api_name="both")
        button.click(lambda file: file, one, one, api_name="copy")
        button.click(lambda: None, None, None, api_name="nothing")
        button.click(lambda: None, None, None, api_visibility="private", api_name="hidden")
    return demo


def made(build: Callable[[], gr.Blocks]) -> gr.Blocks:
    """Outside of an event loop Gradio makes one for each app, and leaves it open."""

    async def make() -> gr.Blocks:
        return build()

    return asyncio.run(make())


@pytest.fixture(scope="module")
def demo() -> gr.Blocks:
    return made(_build)


@pytest.fixture
def app(demo: gr.Blocks) -> Iterator[Served]:
    with serving(demo) as app:
        yield app


def test_each_has_their_own_state_and_can_be_asked_for_it(app: Served) -> None:
    ada, bob = app.signed_in("ada@example.com"), app.signed_in("bob@example.com", name="Robert")

    assert ada.call("/summarize", "hello") == "ada, run 1: hello"
    assert ada.call("summarize", text="again") == "ada, run 2: again"
    assert bob.call("/summarize", "hello") == "Robert, run 1: hello"
    assert (ada.state["runs"], bob.state["runs"]) == (2, 1)


@pytest.mark.parametrize("_", ["first", "second"])
def test_nothing_is_left_of_the_test_before(app: Served, _: str) -> None:
    assert app.signed_in("ada@example.com").call("/summarize", "hello") == "ada, run 1: hello"


def test_state_is_arranged_before_and_is_of_the_account(app: Served) -> None:
    laptop, phone = app.signed_in("ada@example.com"), app.signed_in("ada@example.com")
    laptop.state["runs"] = 41
    laptop.state.update(other=[1], gone=2)
    del laptop.state["gone"]

    assert phone.call("/summarize", "hello") == "ada, run 42: hello"
    assert dict(phone.state) == {"runs": 42, "other": [1]}
    with pytest.raises(StateInvalid, match="not JSON"):
        laptop.state["runs"] = object()


def test_session_data_is_of_the_sign_in(app: Served) -> None:
    laptop, phone = app.signed_in("ada@example.com"), app.signed_in("ada@example.com")
    laptop.session_data["whispers"] = 5

    assert (laptop.call("/whisper"), phone.call("/whisper")) == ("6", "1")
    assert dict(laptop.session_data) == {"whispers": 6}


def test_roles_are_asked_for_and_can_come_and_go(app: Served) -> None:
    ada = app.signed_in("ada@example.com", roles={"analyst"})
    bob = app.signed_in("bob@example.com")

    assert ada.call("/retrain") == "trained"
    with refused("needs the role analyst, which bob@example.com does not have"):
        bob.call("/retrain")
    bob.gains("analyst")
    ada.loses("analyst")
    assert bob.call("/retrain") == "trained"
    with refused("needs the role"):
        ada.call("/retrain")


def test_roles_of_a_later_sign_in_are_those_of_the_account(app: Served) -> None:
    ada = app.signed_in("ada@example.com", roles={"analyst"})
    app.signed_in("ada@example.com")
    assert ada.call("/retrain") == "trained"

    app.signed_in("ada@example.com", roles={"reader"})

    with refused("needs the role analyst"):
        ada.call("/retrain")


def test_a_role_that_is_a_text_or_none_is_refused(app: Served) -> None:
    with pytest.raises(TypeError, match=r'write roles=\{"analyst"\}'):
        app.signed_in("ada@example.com", roles="analyst")
    with pytest.raises(RoleInvalid):
        app.signed_in("ada@example.com", roles={"Not A Role"})


def test_a_refusal_of_the_app_has_title_and_text(app: Served) -> None:
    with pytest.raises(Refused) as said:
        app.signed_in("ada@example.com").call("/object_to", "this")

    assert (said.value.title, said.value.text) == ("Objection", "I do not like this")


def test_a_validators_sentence_is_a_refusal(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    assert ada.call("/say", "hello") == "hello"
    with refused("Say something"):
        ada.call("/say", "")


def test_a_fault_of_the_app_has_its_cause(app: Served) -> None:
    with pytest.raises(Failed, match=r"/divide\(\) raised ZeroDivisionError") as failed:
        app.signed_in("ada@example.com").call("/divide")

    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    assert "report the number" in str(failed.value)
    assert [line["event"] for line in app.log].count("event failed") == 1


def test_a_fault_of_a_batch_has_its_cause(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    assert ada.call("/divide_all", 4) == 0.25
    with pytest.raises(Failed, match=r"/divide_all\(numbers\) raised ZeroDivisionError") as failed:
        ada.call("/divide_all", 0)

    assert isinstance(failed.value.__cause__, ZeroDivisionError)


def test_refused_is_not_content_with_anything(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    with pytest.raises(AssertionError, match="Nothing was refused"), refused():
        ada.call("/nothing")
    with pytest.raises(AssertionError, match="not with 'other': Objection: "), refused("other"):
        ada.call("/object_to", "this")


def test_files_are_sent_and_fetched_by_their_owner_alone(app: Served) -> None:
    ada, bob = app.signed_in("ada@example.com"), app.signed_in("bob@example.com")
    notes, more = ada.upload("notes.txt", b"one"), ada.upload("more.txt", b"two")

    copied = ada.call("/copy", notes)

    assert isinstance(copied, File)
    assert (copied.name, ada.download(copied)) == ("notes.txt", b"one")
    assert ada.call("/both", [notes, more]) == (["one", "two"], None)
    with refused("Not found"):
        bob.download(copied)
    with refused("no such file of yours"):
        bob.call("/copy", notes)


def test_steps_of_a_generator_come_one_by_one_and_a_call_answers_the_last(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    assert list(ada.stream("/count", 3)) == [[0], [0, 1], [0, 1, 2]]
    assert ada.call("/count", 2) == [0, 1]
    assert list(ada.stream("/summarize", "x")) == ["ada, run 1: x"]


def test_who_stops_listening_stops_the_event(app: Served) -> None:
    stopped.clear()
    ada = app.signed_in("ada@example.com")
    steps = ada.stream("/endless")
    assert [next(steps), next(steps)] == [1, 2]
    began = monotonic()

    steps.close()  # type: ignore[attr-defined]

    assert stopped.wait(10)
    assert monotonic() - began < 4  # Told so, not cut off after five.
    assert ada.call("/say", "hello") == "hello"


def test_a_tab_listens_to_one_stream_at_a_time(app: Served) -> None:
    ada = app.signed_in("ada@example.com")
    steps = ada.stream("/endless")
    next(steps)

    with pytest.raises(RuntimeError, match=r"/say\(text\) in a tab that still .*in_a_new_tab"):
        ada.call("/say", "hello")
    assert ada.in_a_new_tab().call("/say", "hello") == "hello"
    assert next(steps) == 2


def test_a_stream_nobody_finished_does_not_hold_up_the_end(
    demo: gr.Blocks, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(demo) as app:
        steps = app.signed_in("ada@example.com").stream("/endless")
        next(steps)
        began = monotonic()

    assert monotonic() - began < 4
    assert not caplog.records


def test_several_outputs_are_a_tuple_without_what_a_client_does_not_see(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    assert ada.call("/clicks") == ("2 clicks", "ada@example.com")
    assert ada.call("/clicks", 3) == ("5 clicks", "ada@example.com")
    assert ada.in_a_new_tab().call("/clicks", step=1) == ("1 clicks", "ada@example.com")
    assert ada.call("/nothing") is None


def test_an_event_that_is_not_there_names_those_that_are(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    with pytest.raises(LookupError, match=r"no event /sumarize\. There are: /summarize\(text\), "):
        ada.call("/sumarize", "hello")
    with pytest.raises(LookupError, match=r"/clicks\(.*=…\)"):
        ada.call("/hidden")


def test_wrong_inputs_name_those_there_are(app: Served, subtests: pytest.Subtests) -> None:
    for inputs, named, says in [
        (("a", "b"), {}, r"/summarize\(text\) was called with 2 inputs"),
        ((), {}, r"/summarize\(text\) was called without text"),
        ((), {"txt": "a"}, r"/summarize\(text\) has no input txt"),
        (("a",), {"text": "b"}, r"/summarize\(text\) was given text twice"),
    ]:
        with subtests.test(inputs=inputs, named=named), pytest.raises(TypeError, match=says):
            app.signed_in("ada@example.com").call("/summarize", *inputs, **named)


def test_a_sign_in_ends_when_its_time_is_over(app: Served) -> None:
    ada = app.signed_in("ada@example.com")
    app.passes(minutes=29)
    ada.call("/whisper")
    app.passes(minutes=29)
    assert ada.call("/whisper") == "2"

    app.passes(minutes=31)

    with pytest.raises(Refused) as said:
        ada.call("/whisper")
    assert said.value.status == 401
    with pytest.raises(SessionEnded):
        ada.session_data["whispers"] = 1


def test_whoever_signs_out_is_out_on_that_device_alone(app: Served) -> None:
    laptop, phone = app.signed_in("ada@example.com"), app.signed_in("ada@example.com")

    laptop.signs_out()

    with refused("Your session has ended"):
        laptop.call("/whisper")
    assert phone.call("/whisper") == "1"
    assert laptop.state == {}


def test_anonymous_callers_stand_before_the_gate(app: Served) -> None:
    nobody = app.anonymous()

    with pytest.raises(Refused) as said:
        nobody.call("/whisper")
    assert said.value.status == 401
    assert nobody.get("/gradio/").status_code == 401
    assert nobody.get("/login").status_code == 200
    with refused():
        nobody.upload("notes.txt", b"")
    with pytest.raises(SessionEnded, match="Nobody is signed in"):
        nobody.state["runs"] = 1


def test_pages_have_their_address_and_their_roles() -> None:
    def other() -> gr.Blocks:
        demo = gr.Blocks()
        with demo:
            gr.Button().click(lambda: "theirs", None, gr.Textbox(), api_name="whisper")
        return demo

    page = Page(made(other), title="Theirs", roles={"analyst"})
    with serving(made(_build), page) as app:
        ada = app.signed_in("ada@example.com", roles={"analyst"})
        bob = app.signed_in("bob@example.com")

        assert [who.get("/gradio/theirs/").status_code for who in (ada, bob)] == [200, 403]
        assert ada.on("Theirs").call("/whisper") == "theirs"
        assert ada.on("Kit").call("/whisper") == "1"
        with pytest.raises(LookupError, match=r"Kit and Theirs both have an event /whisper"):
            ada.call("/whisper")
        with refused("needs the role analyst"):
            bob.on("Theirs").call("/whisper")
        with pytest.raises(LookupError, match=r"There are: Home, Kit, Theirs\."):
            ada.on("Nowhere")


def test_a_file_is_loaded_as_it_is_served(tmp_path: Path) -> None:
    file = tmp_path / "kit_demo.py"
    file.write_text(
        "import gradio as gr\n"
        "with gr.Blocks() as demo:\n"
        "    gr.Button().click(lambda: 'hello', None, gr.Textbox(), api_name='hello')\n"
        "demo.launch()\n"
    )

    with serving(f"{file}:demo") as app:
        assert app.signed_in("ada@example.com").call("/hello") == "hello"
    with pytest.raises(PageRefused, match="has no other"), serving(f"{file}:other"):
        pass
    sys.path.remove(str(tmp_path))


def test_settings_are_those_of_the_service(demo: gr.Blocks) -> None:
    with serving(demo, session_idle_minutes=5, public_url="https://app.example.com") as app:
        ada = app.signed_in("ada@example.com")
        assert ada.call("/whisper") == "1"
        app.passes(minutes=6)
        with refused():
            ada.call("/whisper")


def test_afterwards_the_app_runs_alone_again(demo: gr.Blocks) -> None:
    with serving(demo), pytest.raises(RuntimeError, match="Nobody is signed in here"):
        current_user()

    assert current_user().name == "Local user"
    assert summarize("hello").startswith("Local user, run ")
    assert not demo.has_launched


def test_who_still_waits_when_the_service_ends_is_told(demo: gr.Blocks) -> None:
    said: list[str] = []

    def listen(steps: Iterator[Any]) -> None:
        try:
            list(steps)
        except Refused as refusal:
            said.append(refusal.title)

    for _ in range(2):
        with serving(demo) as app:
            ada = app.signed_in("ada@example.com")
            running, waiting = ada.stream("/endless"), ada.in_a_new_tab().stream("/endless")
            assert next(running) == 1
            thread = threading.Thread(target=listen, args=[waiting])
            thread.start()
            assert next(running) == 2
        thread.join(20)

    assert said == ["Connection closed"] * 2


def test_a_callback_that_uses_the_kit_is_told_rather_than_left_waiting() -> None:
    async def ask() -> str:
        return str(people[0].in_a_new_tab().call("/ask"))

    def asking() -> gr.Blocks:
        demo = gr.Blocks()
        with demo:
            gr.Button().click(ask, None, gr.Textbox(), api_name="ask")
        return demo

    with serving(made(asking)) as app:
        people = [app.signed_in("ada@example.com")]
        with pytest.raises(Failed, match="cannot be called from the event loop thread"):
            people[0].call("/ask")


def test_two_services_at_once_know_nothing_of_each_other(demo: gr.Blocks) -> None:
    with serving(demo) as here, serving(made(_build)) as there:
        here.signed_in("ada@example.com").call("/summarize", "hello")

        assert there.signed_in("ada@example.com").call("/summarize", "x") == "ada, run 1: x"


async def test_it_works_inside_an_async_test(demo: gr.Blocks) -> None:
    with serving(demo) as app:
        assert app.signed_in("ada@example.com").call("/summarize", "x") == "ada, run 1: x"


def test_several_callers_at_once_are_threads(app: Served) -> None:
    people = [app.signed_in(f"user{n}@example.com") for n in range(5)]
    answers: list[str] = []

    threads = [
        threading.Thread(target=lambda who=who: answers.append(who.call("/summarize", "x")))
        for who in people
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [f"user{n}, run 1: x" for n in range(5)]


def test_serving_nothing_says_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"serving\(demo\)"), serving():
        pass


def test_neither_pytest_nor_the_services_own_modules_are_in_each_others_way() -> None:
    code = (
        "import sys, entrypoints.app; assert 'entrypoints.testing' not in sys.modules\n"
        "sys.modules['pytest'] = None\n"
        "import entrypoints.testing"
    )

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
