"""The test kit for authors, used like they use it: plain functions, one app for many tests."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

import gradio as gr
import httpx
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from PIL import Image

from application.settings import SettingsInvalid
from domain.errors import RoleInvalid, SessionEnded, StateInvalid
from entrypoints.ui.sdk import PageRefused
from gradioapp import Page, State, User, current_session, current_user, injected, requires
from gradioapp.testing import Failed, File, Refused, Served, refused, serving

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
    """Build the app inside an event loop. Outside of one, Gradio opens a loop for each app and leaves it open."""

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


def test_each_caller_has_their_own_state_and_a_test_can_read_it(app: Served) -> None:
    ada, bob = app.signed_in("ada@example.com"), app.signed_in("bob@example.com", name="Robert")

    assert ada.call("/summarize", "hello") == "ada, run 1: hello"
    assert ada.call("summarize", text="again") == "ada, run 2: again"
    assert bob.call("/summarize", "hello") == "Robert, run 1: hello"
    assert (ada.state["runs"], bob.state["runs"]) == (2, 1)


@pytest.mark.parametrize("_", ["first", "second"])
def test_the_state_of_an_earlier_test_is_gone(app: Served, _: str) -> None:
    assert app.signed_in("ada@example.com").call("/summarize", "hello") == "ada, run 1: hello"


def test_a_test_can_prepare_state_which_belongs_to_the_account(app: Served) -> None:
    laptop, phone = app.signed_in("ada@example.com"), app.signed_in("ada@example.com")
    laptop.state["runs"] = 41
    laptop.state.update(other=[1], gone=2)
    del laptop.state["gone"]

    assert phone.call("/summarize", "hello") == "ada, run 42: hello"
    assert dict(phone.state) == {"runs": 42, "other": [1]}
    with pytest.raises(StateInvalid, match="not JSON"):
        laptop.state["runs"] = object()


def test_session_data_belongs_to_the_sign_in(app: Served) -> None:
    laptop, phone = app.signed_in("ada@example.com"), app.signed_in("ada@example.com")
    laptop.session_data["whispers"] = 5

    assert (laptop.call("/whisper"), phone.call("/whisper")) == ("6", "1")
    assert dict(laptop.session_data) == {"whispers": 6}


def test_roles_are_checked_and_can_be_granted_and_revoked(app: Served) -> None:
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


def test_a_later_sign_in_changes_the_roles_of_the_account(app: Served) -> None:
    ada = app.signed_in("ada@example.com", roles={"analyst"})
    app.signed_in("ada@example.com")
    assert ada.call("/retrain") == "trained"

    app.signed_in("ada@example.com", roles={"reader"})

    with refused("needs the role analyst"):
        ada.call("/retrain")


def test_roles_given_as_text_and_invalid_roles_are_refused(app: Served) -> None:
    with pytest.raises(TypeError, match=r'Write roles=\{"analyst"\}'):
        app.signed_in("ada@example.com", roles="analyst")
    with pytest.raises(RoleInvalid):
        app.signed_in("ada@example.com", roles={"Not A Role"})


def test_a_refusal_has_the_title_and_the_text_of_the_app(app: Served) -> None:
    with pytest.raises(Refused) as said:
        app.signed_in("ada@example.com").call("/object_to", "this")

    assert (said.value.title, said.value.text) == ("Objection", "I do not like this")


def test_a_validators_sentence_is_a_refusal(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    assert ada.call("/say", "hello") == "hello"
    with refused("Say something"):
        ada.call("/say", "")


def test_a_fault_has_its_cause(app: Served) -> None:
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


def test_refused_fails_without_a_refusal_and_with_another_one(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    with pytest.raises(AssertionError, match="Nothing was refused"), refused():
        ada.call("/nothing")
    with pytest.raises(AssertionError, match="not with 'other': Objection: "), refused("other"):
        ada.call("/object_to", "this")


def test_files_are_sent_and_fetched_only_by_their_owner(app: Served) -> None:
    ada, bob = app.signed_in("ada@example.com"), app.signed_in("bob@example.com")
    notes, more = ada.upload("notes.txt", b"one"), ada.upload("more.txt", b"two")

    copied = ada.call("/copy", notes)

    assert isinstance(copied, File)
    assert (copied.name, ada.download(copied)) == ("notes.txt", b"one")
    assert ada.call("/both", [notes, more]) == (["one", "two"], None)
    with refused("Not found"):
        bob.download(copied)
    with refused("You have no such file"):
        bob.call("/copy", notes)


def test_a_stream_yields_each_step_and_a_call_returns_the_last(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    assert list(ada.stream("/count", 3)) == [[0], [0, 1], [0, 1, 2]]
    assert ada.call("/count", 2) == [0, 1]
    assert list(ada.stream("/summarize", "x")) == ["ada, run 1: x"]


def test_closing_a_stream_stops_its_event(app: Served) -> None:
    stopped.clear()
    ada = app.signed_in("ada@example.com")
    steps = ada.stream("/endless")
    assert [next(steps), next(steps)] == [1, 2]
    began = monotonic()

    steps.close()  # type: ignore[attr-defined]

    assert stopped.wait(10)
    assert monotonic() - began < 4  # The event ends at once; it is not cut off after five seconds.
    assert ada.call("/say", "hello") == "hello"


def test_a_tab_listens_to_one_stream_at_a_time(app: Served) -> None:
    ada = app.signed_in("ada@example.com")
    steps = ada.stream("/endless")
    next(steps)

    with pytest.raises(
        RuntimeError, match=r"/say\(text\) was called in a tab that still .*in_a_new_tab"
    ):
        ada.call("/say", "hello")
    assert ada.in_a_new_tab().call("/say", "hello") == "hello"
    assert next(steps) == 2


def test_an_unfinished_stream_does_not_delay_the_end(
    demo: gr.Blocks, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(demo) as app:
        steps = app.signed_in("ada@example.com").stream("/endless")
        next(steps)
        began = monotonic()

    assert monotonic() - began < 4
    assert not caplog.records


def test_several_outputs_are_a_tuple_without_states(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    assert ada.call("/clicks") == ("2 clicks", "ada@example.com")
    assert ada.call("/clicks", 3) == ("5 clicks", "ada@example.com")
    assert ada.in_a_new_tab().call("/clicks", step=1) == ("1 clicks", "ada@example.com")
    assert ada.call("/nothing") is None


def test_an_unknown_event_is_refused_with_the_names_of_all_events(app: Served) -> None:
    ada = app.signed_in("ada@example.com")

    with pytest.raises(LookupError, match=r"no event /sumarize\. There are: /summarize\(text\), "):
        ada.call("/sumarize", "hello")
    with pytest.raises(LookupError, match=r"/clicks\(.*=…\)"):
        ada.call("/hidden")


def test_wrong_inputs_are_refused_with_their_names(app: Served, subtests: pytest.Subtests) -> None:
    for inputs, named, says in [
        (("a", "b"), {}, r"/summarize\(text\) was called with 2 inputs"),
        ((), {}, r"/summarize\(text\) was called without text"),
        ((), {"txt": "a"}, r"/summarize\(text\) has no input txt"),
        (("a",), {"text": "b"}, r"/summarize\(text\) was given text twice"),
    ]:
        with subtests.test(inputs=inputs, named=named), pytest.raises(TypeError, match=says):
            app.signed_in("ada@example.com").call("/summarize", *inputs, **named)


def test_a_session_ends_after_its_idle_time(app: Served) -> None:
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


def test_a_sign_out_ends_only_the_session_of_its_device(app: Served) -> None:
    laptop, phone = app.signed_in("ada@example.com"), app.signed_in("ada@example.com")

    laptop.signs_out()

    with refused("Your session has ended"):
        laptop.call("/whisper")
    assert phone.call("/whisper") == "1"
    assert laptop.state == {}


def test_anonymous_callers_are_refused_by_the_gate(app: Served) -> None:
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


def test_pages_have_their_own_address_and_roles() -> None:
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


def test_a_file_is_loaded_like_by_the_service(tmp_path: Path) -> None:
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
    assert str(tmp_path) not in sys.path


def test_settings_of_the_service_can_be_given(demo: gr.Blocks) -> None:
    with serving(demo, session_idle_minutes=5, public_url="https://app.example.com") as app:
        ada = app.signed_in("ada@example.com")
        assert ada.get("/gradio/config").json()["root"] == "https://app.example.com/gradio"
        assert ada.call("/whisper") == "1"
        app.passes(minutes=6)
        with refused():
            ada.call("/whisper")


def test_the_app_runs_alone_again_after_the_service(demo: gr.Blocks) -> None:
    with serving(demo), pytest.raises(RuntimeError, match="Nobody is signed in here"):
        current_user()

    assert current_user().name == "Local user"
    assert summarize("hello").startswith("Local user, run ")
    assert not demo.has_launched


def test_a_waiting_caller_is_refused_when_the_service_ends(demo: gr.Blocks) -> None:
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

    assert len(said) == 2
    assert set(said) <= {"Connection closed", "Session ended"}  # Whichever is noticed first.


def test_a_callback_that_uses_the_kit_fails_instead_of_waiting_for_ever() -> None:
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


def test_two_services_at_once_share_nothing(demo: gr.Blocks) -> None:
    with serving(demo) as here, serving(made(_build)) as there:
        here.signed_in("ada@example.com").call("/summarize", "hello")

        assert there.signed_in("ada@example.com").call("/summarize", "x") == "ada, run 1: x"


async def test_the_kit_works_inside_an_async_test(demo: gr.Blocks) -> None:
    with serving(demo) as app:
        assert app.signed_in("ada@example.com").call("/summarize", "x") == "ada, run 1: x"


def test_several_callers_can_call_from_threads(app: Served) -> None:
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


def test_serving_without_an_app_says_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"serving\(demo\)"), serving():
        pass


def test_the_service_imports_neither_the_kit_nor_pytest() -> None:
    code = (
        "import sys, entrypoints.app; assert 'entrypoints.testing' not in sys.modules\n"
        "sys.modules['pytest'] = None\n"
        "import entrypoints.testing"
    )

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_a_file_that_handles_signals_is_served_without_them(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    file = tmp_path / "handles_signals.py"
    file.write_text(
        "import signal\nimport gradio as gr\nwith gr.Blocks() as demo: gr.Button().click(lambda: 'fine', None, gr.Textbox(), api_name='works')\n"
        "for name in ('SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGWINCH'):\n"
        "    signal.signal(getattr(signal, name), lambda *_: None)\ndemo.launch()\n"
    )
    begun = monotonic()

    with serving(str(file)) as app:
        assert app.signed_in("ada@example.com").call("works") == "fine"
        [line] = [line for line in app.log if "replaces" in line["event"]]

    assert line["replaced"] == "signal handlers: the service handles signals"
    assert signal.getsignal(signal.SIGUSR1) == before
    assert monotonic() - begun < 15  # And not five seconds for each.


def test_an_exit_of_an_app_is_a_failure_and_no_refusal() -> None:
    def ends() -> None:
        sys.exit(2)

    with gr.Blocks() as demo:
        gr.Button().click(ends, api_name="ends")

    with serving(demo) as app, pytest.raises(Failed, match="raised SystemExit") as failed:
        app.signed_in("ada@example.com").call("ends")

    assert isinstance(failed.value.__cause__, SystemExit)


def test_an_app_may_be_launched_after_the_kit_has_served_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gradio.blocks.App", gr.routes.App)
    with gr.Blocks() as demo:
        gr.Button().click(divide, api_name="divide")
    with serving(demo):
        pass

    _, url, _ = demo.launch(prevent_thread_lock=True, server_name="127.0.0.1", quiet=True)
    try:
        assert httpx.get(f"{url}config").status_code == 200
    finally:
        demo.close()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("session_idle_minuts", "Write session_idle_minutes"),
        ("SESSION_IDLE_MINUTES", "Write session_idle_minutes"),
        ("GRADIOAPP_MCP", "Write mcp"),
        ("colour_of_the_sky", "docs/operating.md"),
        ("oidc_corp_issuer", "Set the environment variable GRADIOAPP_OIDC_CORP_ISSUER"),
        ("env_file", "docs/operating.md"),
    ],
)
def test_an_unknown_setting_is_named_with_the_closest_one(name: str, says: str) -> None:
    wrong: dict[str, Any] = {name: 1}

    with pytest.raises(TypeError) as refusal, serving(gr.Blocks(), **wrong):
        pass

    assert str(refusal.value).startswith(f"{name} is not a setting")
    assert says in str(refusal.value)


def test_a_test_is_never_served_in_another_environment() -> None:
    with (
        pytest.raises(TypeError, match="environment is always test in a test"),
        serving(gr.Blocks(), environment="prod"),
    ):
        pass
    with serving(gr.Blocks(), environment="test") as app:
        assert app.anonymous().get("/healthz").status_code == 200


def test_a_setting_out_of_its_range_is_refused() -> None:
    with pytest.raises(SettingsInvalid), serving(gr.Blocks(), session_idle_minutes=0):
        pass


loop: list[Any] = []
loop.append(loop)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (np.array([[0.0]]), "Pass value.tolist(), or for a picture"),
        (np.int64(3), "Pass value.item()"),
        (Image.new("RGB", (1, 1)), "Save it to bytes, and pass person.upload(NAME, BYTES)"),
        (b"bytes", "Pass person.upload(NAME, value)"),
        (Path("notes.txt"), "Pass person.upload(value.name, value.read_bytes())"),
        (pd.DataFrame({"a": [1]}), 'Pass {"headers": list(value), "data": value.values.tolist()}'),
        (pd.Series([1]), "Pass value.tolist()"),
        ({1, 2}, "Pass list(value)"),
        (datetime(2026, 1, 2, tzinfo=UTC), "Pass value.isoformat()"),
        (["deeper", {"in": {1, 2}}], "Pass list(value)"),
        (object(), "Pass text, numbers, lists and dicts"),
        ({(1, 2): 3}, "Pass text, numbers, lists and dicts"),
        (float("nan"), "Pass text, numbers, lists and dicts"),
        (loop, "Pass text, numbers, lists and dicts"),
    ],
)
def test_an_input_that_no_client_can_send_is_refused_with_advice(
    app: Served, value: Any, advice: str
) -> None:
    with pytest.raises(TypeError) as refusal:
        app.signed_in("ada@example.org").call("/summarize", value)

    assert str(refusal.value).startswith("/summarize(text): text is ")
    assert advice in str(refusal.value)


def test_what_is_no_file_is_not_downloaded_and_what_is_no_name_not_called(app: Served) -> None:
    ada = app.signed_in("ada@example.org")
    wrong: Any
    for wrong in (demo, "x"):
        with pytest.raises(TypeError, match=r"^download\(\) takes a File, which an output or"):
            ada.download(wrong)
    with pytest.raises(TypeError, match=r'takes the api_name of an event, as in call\("/name"\)'):
        ada.call(demo)  # type: ignore[arg-type]
    for name, content in (("a.txt", "text"), (Path("a.txt"), b"text")):
        with pytest.raises(TypeError, match=r"takes a file's name and its bytes"):
            ada.upload(name, content)  # type: ignore[arg-type]


def test_a_person_says_after_the_block_that_the_service_has_stopped() -> None:
    with serving(gr.Blocks()) as stopped_app:
        ada = stopped_app.signed_in("ada@example.org")

    acts: list[Callable[[], Any]] = [
        lambda: stopped_app.signed_in("bob@example.org"),
        lambda: ada.get("/healthz"),
        lambda: ada.state["x"],
        ada.signs_out,
    ]
    for act in acts:
        with pytest.raises(RuntimeError, match="inside the with block of serving"):
            act()


@pytest.mark.parametrize("wrong", [Path("f.py"), gr, summarize, None])
def test_serving_takes_apps_and_names_of_files(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r'^serving\(\) takes .* "FILE.py"'), serving(wrong):
        pass


def test_the_clock_does_not_go_back(app: Served) -> None:
    with pytest.raises(ValueError, match=r"forward"):
        app.passes(minutes=-5)
    app.passes(minutes=0)


def test_the_error_of_a_missing_event_says_why_it_has_no_name() -> None:
    with gr.Blocks() as hiding:
        text = gr.Textbox()
        text.submit(str.upper, text, text, api_name="secret", api_visibility="private")

        @gr.render(inputs=text)  # type: ignore[untyped-decorator]
        def parts(text: str) -> None:
            gr.Button(text)

    with serving(hiding) as app:
        ada = app.signed_in("ada@example.org")
        with pytest.raises(LookupError, match=r'/secret is private.*api_visibility="undocumented"'):
            ada.call("/secret", "x")
        with pytest.raises(LookupError, match=r"gr\.render have no name"):
            ada.call("/rendered", "x")
