"""A file runs as under `python FILE.py`. What it launches and mounts is recorded, and served as it would be there."""

import asyncio
import inspect
import multiprocessing
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, get_type_hints

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI
from gradio import routes
from gradio.context import Context

from entrypoints.ui.apps import launch_options, launches, recording, running, spawned
from entrypoints.ui.apps.launch_options import options_of
from entrypoints.ui.apps.launches import Host
from entrypoints.ui.apps.loading import load_pages
from entrypoints.ui.sdk import Page, PageRefused
from tests.nginx import free_port
from tests.ui.conftest import GRADIO, Mounts

Loads = Callable[..., Page]

AN_APP: Final = """
import gradio as gr

with gr.Blocks() as demo:
    gr.Textbox(label="Text")
"""


@pytest.fixture(autouse=True)
def _leaves_no_modules() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if "gradio" not in name and name.partition(".")[0] not in sys.stdlib_module_names:
            del sys.modules[name]


@pytest.fixture
def loads(tmp_path: Path) -> Iterator[Loads]:
    """Write a file and load its app. Let the file end after the test."""
    pages: list[Page] = []

    def load(text: str, name: str = "", *, file: str = "my_demo.py") -> Page:
        (tmp_path / file).write_text(text)
        [page] = load_pages([f"{tmp_path / file}{name and f':{name}'}"])
        pages.append(page)
        return page

    yield load
    for page in pages:
        assert page.let_end is not None
        page.let_end()


def ended(page: Page) -> None:
    assert page.let_end is not None
    page.let_end()


def refusal_of(loads: Loads, text: str, name: str = "") -> str:
    with pytest.raises(PageRefused) as refused:
        loads(text, name)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def replaced(lines: list[Any]) -> list[str]:
    return [line["replaced"] for line in lines if "replaces" in line["event"]]


# What the file runs


WAYS: Final = {
    "in a function": "def main():\n    demo.launch(css=CSS)\nif __name__ == '__main__':\n    main()\n",
    "with a dictionary": "options = {'css': CSS}\nif __name__ == '__main__':\n    demo.launch(**options)\n",
    "asyncio": "import asyncio\nasync def main():\n    demo.launch(css=CSS)\nasyncio.run(main())\n",
    "typer": "import typer\ndef main(css: str = CSS):\n    demo.launch(css=css)\nif __name__ == '__main__':\n"
    "    typer.run(main)\n",
    "sys.exit": "import sys\ndef main():\n    demo.launch(css=CSS)\n    return 0\nif '__main__' in {__name__}:\n"
    "    sys.exit(main())\n",
    "in a with": "with demo:\n    gr.Textbox()\n    demo.launch(css=CSS)\n",
    "mounted": "from fastapi import FastAPI\napp = gr.mount_gradio_app(FastAPI(), demo, '/x', css=CSS)\n",
    "mounted by name": "from fastapi import FastAPI\nfrom gradio import mount_gradio_app\n"
    "mount_gradio_app(app=FastAPI(), blocks=demo, path='/x', css=CSS)\n",
    "uvicorn": "import fastapi, uvicorn\nuvicorn.run(gr.mount_gradio_app(fastapi.FastAPI(), demo, '/', css=CSS))\n",
    "uvicorn in a with": "import fastapi, uvicorn\nwith demo:\n"
    "    uvicorn.run(gr.mount_gradio_app(fastapi.FastAPI(), demo, '/', css=CSS))\n",
    "uvicorn's server": "import asyncio, fastapi, uvicorn\n"
    "app = gr.mount_gradio_app(fastapi.FastAPI(), demo, '/', css=CSS)\n"
    "asyncio.run(uvicorn.Server(uvicorn.Config(app)).serve())\n",
    "a thread": "import threading\nthreading.Thread(target=demo.launch, kwargs={'css': CSS}).start()\n",
    "a later thread": "import threading\nthreading.Timer(0.3, demo.launch, kwargs={'css': CSS}).start()\n",
    "blocked afterwards": "demo.launch(css=CSS, prevent_thread_lock=True)\ndemo.block_thread()\n",
    "debug": "demo.launch(css=CSS, prevent_thread_lock=True, debug=True)\nraise RuntimeError('not blocked')\n",
    "both": "demo.launch(css='no', prevent_thread_lock=True)\ndemo.launch(css=CSS)\n",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["", "demo"])
async def test_options_are_taken_however_the_file_launches_its_app(
    way: str, name: str, loads: Loads
) -> None:
    page = loads(f"{AN_APP}\nCSS = '.a {{}}'\n{WAYS[way]}", name)

    assert options_of(page.demo)["css"] == ".a {}"
    assert Context.root_block is None


async def test_options_of_the_queue_are_taken_in_the_main_block(loads: Loads) -> None:
    options = "{'max_size': 9, 'default_concurrency_limit': 4}"
    page = loads(f"{AN_APP}\nif __name__ == '__main__':\n    demo.queue(**{options}).launch()\n")

    assert page.demo._queue.max_size == 9
    assert page.demo._queue.default_concurrency_limit == 4


async def test_options_that_gradio_keeps_with_the_app_are_taken(loads: Loads) -> None:
    page = loads(f"{AN_APP}\ndemo.launch(max_threads=3, state_session_capacity=5)\n")

    assert (page.demo.max_threads, page.demo.state_session_capacity) == (3, 5)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("colour='red'", r"TypeError: got an unexpected keyword argument 'colour'$"),
        ("allowed_paths='/tmp'", "ValueError: `allowed_paths` must be a list of directories\\.$"),
        ("blocked_paths=('/tmp',)", "ValueError: `blocked_paths` must be a list of directories"),
        ("max_file_size='1 parsec'", "ValueError: "),
    ],
)
async def test_an_option_that_gradio_refuses_is_refused_with_its_line(
    options: str, fault: str, loads: Loads
) -> None:
    said = refusal_of(loads, f"{AN_APP}\ndemo.launch({options})\n")

    assert re.search(rf"my_demo\.py, line 7: {fault}", said)


def test_allowed_paths_may_be_a_list_in_a_list(loads: Loads) -> None:
    page = loads(
        f"{AN_APP}\ndemo.launch(allowed_paths=[['/a', '/b'], '/c'], blocked_paths=[['/d']])\n"
    )

    options = launch_options.options_of(page.demo)
    assert (options["allowed_paths"], options["blocked_paths"]) == (["/a", "/b", "/c"], ["/d"])


def test_a_workflow_does_not_show_the_whole_temporary_folder(loads: Loads) -> None:
    file = """
import gradio as gr

demo = gr.Workflow(bind=[str.upper])
demo.launch(allowed_paths=["shown"])
"""
    with pytest.warns(UserWarning, match="beta"):
        page = loads(file)

    assert launch_options.options_of(page.demo)["allowed_paths"] == ["shown"]


def test_every_option_of_gradio_is_taken_replaced_or_without_meaning() -> None:
    groups = (
        launch_options.TAKEN,
        launch_options.REPLACED.keys(),
        launch_options.WITHOUT_MEANING,
    )
    known = [name for group in groups for name in group]
    calls = (launches.LAUNCH, launches.MOUNT, gr.Server.launch)

    of_gradio = {name for call in calls for name in inspect.signature(call).parameters}

    assert len(known) == len(set(known))
    assert of_gradio == set(known)


async def test_what_runs_after_a_launch_that_blocks_does_not_run(loads: Loads) -> None:
    page = loads(f"{AN_APP}\ndemo.launch()\nnever = True\n")

    assert page.title == "My demo"
    assert page.let_end is not None
    page.let_end()
    assert "never" not in vars(sys.modules["my_demo"])


HOLDING: Final = """
import contextlib, pathlib, gradio as gr

@contextlib.contextmanager
def held(log=pathlib.Path(__file__).with_suffix(".log")):
    log.write_text("open")
    try:
        yield log
    finally:
        log.write_text("closed")

with held() as log, gr.Blocks() as demo:
    gr.Button().click(lambda: log.read_text(), None, gr.Textbox(), api_name="read")
    demo.launch()
"""


@pytest.mark.parametrize(
    "text",
    [HOLDING, HOLDING.replace("    demo.launch()", "    try: demo.launch()\n    except: 1 / 0")],
)
async def test_what_a_file_holds_open_around_its_launch_is_open_until_the_service_ends(
    text: str, loads: Loads, mounted: Mounts, tmp_path: Path
) -> None:
    page = loads(text)
    house = await mounted(page.demo)
    ada = await house.signed_in()

    assert await ada.gets("read") == "open"
    assert page.let_end is not None
    page.let_end()
    assert (tmp_path / "my_demo.log").read_text() == "closed"


async def test_a_file_cleans_up_when_the_service_ends(loads: Loads, tmp_path: Path) -> None:
    page = loads(HOLDING)
    closing = Mounts(AsyncExitStack())
    async with closing.closing:
        await closing(gr.Blocks(), others=[page])
        assert (tmp_path / "my_demo.log").read_text() == "open"

    assert (tmp_path / "my_demo.log").read_text() == "closed"


@pytest.mark.parametrize(
    "body",
    [
        "while True: time.sleep(0.01)",
        "async def main():\n        await asyncio.Event().wait()\n    asyncio.run(main())",
        "asyncio.get_event_loop().run_forever()",
    ],
)
async def test_a_file_that_runs_on_after_its_launch_cleans_up_when_the_service_ends(
    body: str, loads: Loads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    monkeypatch.setattr(running, "PATIENCE", 0.2)
    text = f"{AN_APP}import asyncio, pathlib, time\ndemo.launch(prevent_thread_lock=True)\n"
    text += f"try:\n    {body}\nfinally: pathlib.Path(__file__).with_name('clean').touch()\n"
    page = loads(text)

    ended(page)

    assert (tmp_path / "clean").exists()
    assert lines == []


async def test_a_file_that_loops_after_its_launch_is_served_while_it_loops(
    loads: Loads, tmp_path: Path
) -> None:
    (tmp_path / "going").touch()
    text = f"{AN_APP}\nimport pathlib, time\ndemo.launch(css='.a', prevent_thread_lock=True)\n"
    text += "going = pathlib.Path(__file__).with_name('going')\n"
    text += "while going.exists():\n    time.sleep(0.05)\ngoing.with_name('gone').touch()\n"

    page = loads(text)

    assert options_of(page.demo) == {"css": ".a"}
    (tmp_path / "going").unlink()
    assert await appears(tmp_path / "gone")


async def test_a_fault_of_a_file_that_goes_on_after_its_launch_is_logged(
    loads: Loads, lines: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "going").touch()
    text = f"{AN_APP}\nimport pathlib, time\ndemo.launch(prevent_thread_lock=True)\n"
    text += "while pathlib.Path(__file__).with_name('going').exists(): time.sleep(0.05)\n1 / 0\n"
    loads(text)

    (tmp_path / "going").unlink()
    for _ in range(200):
        if lines:
            break
        await asyncio.sleep(0.05)

    assert lines[0]["event"] == "the file of an app failed after its launch"
    assert lines[0]["file"] == str(tmp_path / "my_demo.py")


async def test_a_file_that_builds_another_app_after_its_launch_is_waited_for(loads: Loads) -> None:
    text = f"{AN_APP}\nimport time\ndemo.launch(prevent_thread_lock=True)\n"
    text += "with gr.Blocks() as other:\n    time.sleep(3.5)\nwhile True: time.sleep(0.05)\n"

    page = loads(text, "demo")

    assert Context.root_block is None
    assert page.title == "My demo"


async def test_other_tasks_of_an_event_loop_run_on_beside_a_server(
    loads: Loads, tmp_path: Path
) -> None:
    text = f"""{AN_APP}
import asyncio, fastapi, pathlib, uvicorn

async def other():
    await asyncio.sleep(0.5)
    pathlib.Path(__file__).with_name("ticked").touch()

async def main():
    app = gr.mount_gradio_app(fastapi.FastAPI(), demo, "/")
    await asyncio.gather(uvicorn.Server(uvicorn.Config(app)).serve(), other())

asyncio.run(main())
"""

    loads(text)

    assert await appears(tmp_path / "ticked")


async def appears(file: Path) -> bool:
    for _ in range(100):
        if file.exists():  # noqa: ASYNC240 -- A test may block for that.
            return True
        await asyncio.sleep(0.05)
    return False


async def test_an_app_in_a_forked_process_is_not_waited_for(loads: Loads) -> None:
    text = f"import multiprocessing\n{AN_APP}\nforking = multiprocessing.get_context('fork')\n"
    text += "child = forking.Process(target=demo.launch, daemon=True)\n"
    text += "child.start()\nchild.join(20)\nassert child.exitcode == 1\n"

    assert loads(text).title == "My demo"


async def test_a_loaded_app_that_is_launched_again_starts_no_server(
    loads: Loads, lines: list[Any]
) -> None:
    page = loads(f"{AN_APP}\ndemo.launch(prevent_thread_lock=True)\n")

    page.demo.launch(prevent_thread_lock=True)

    assert not hasattr(page.demo, "server")
    assert [line["event"] for line in lines] == [
        "launch() does nothing: the service already serves this app"
    ]


async def test_the_first_app_that_blocks_is_served_unless_another_is_named(loads: Loads) -> None:
    text = f"{AN_APP.replace('demo', 'one')}\none.launch(css='.one')\nother = gr.Blocks(title='Other')\n"
    text += "other.launch(css='.other')\n"

    assert options_of(loads(text).demo) == {"css": ".one"}
    assert options_of(loads(text, "other", file="again.py").demo) == {"css": ".other"}


async def test_two_apps_of_one_file_have_each_their_own_options(tmp_path: Path) -> None:
    file = tmp_path / "two.py"
    file.write_text(
        "import gradio as gr\none, two = gr.Blocks(title='One'), gr.Blocks(title='Two')\n"
        "one.launch(css='.one')\ntwo.launch(css='.two')\n"
    )

    pages = load_pages([f"{file}:one", f"{file}:two"])

    assert [options_of(page.demo)["css"] for page in pages] == [".one", ".two"]
    for page in pages:
        assert page.let_end is not None
        page.let_end()


async def test_the_launched_app_is_served_and_not_one_that_it_contains(loads: Loads) -> None:
    text = f"{AN_APP}\nwith gr.Blocks(title='Whole') as whole:\n    demo.render()\nwhole.launch()\n"

    assert loads(text).title == "Whole"


async def test_a_page_named_demo_keeps_its_roles_if_its_app_is_launched(loads: Loads) -> None:
    text = f"{AN_APP}\nfrom gradioapp import Page\napp, demo = demo, Page(demo, roles={{'boss'}})\napp.launch()\n"

    assert loads(text).roles == {"boss"}


async def test_a_module_is_imported_and_its_main_block_does_not_run(
    loads: Loads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{AN_APP}\ndemo.launch(css='.a')\nafter = demo\n"
    text += "if __name__ == '__main__':\n    1 / 0\n"
    (tmp_path / "imported_demo.py").write_text(text)
    monkeypatch.chdir(tmp_path)

    [page] = load_pages(["imported_demo:after"])

    assert options_of(page.demo) == {"css": ".a"}


MAIN: Final = """
import __main__, dataclasses, functools, pickle
import gradio as gr

@dataclasses.dataclass
class Kept:
    other: "Kept | None" = None

def is_kept(value: "Kept") -> "Kept": return value

@functools.lru_cache
def twice(number): return 2 * number

assert __main__.Kept is Kept and __name__ == "__main__"
kept = pickle.loads(pickle.dumps(Kept()))

with gr.Blocks() as demo:
    gr.Textbox()
demo.launch()
"""


async def test_one_of_several_files_is_the_main_module_while_it_runs_and_has_its_own_name_afterwards(
    tmp_path: Path,
) -> None:
    before = sys.modules["__main__"]
    for name in ("its_name.py", "other.py"):
        (tmp_path / name).write_text(MAIN)

    load_pages([str(tmp_path / name) for name in ("its_name.py", "other.py")])

    module = sys.modules["its_name"]
    assert sys.modules["__main__"] is before
    assert (module.__name__, module.Kept.__module__) == ("its_name", "its_name")
    assert pickle.loads(pickle.dumps(module.kept)) == module.kept
    assert get_type_hints(module.Kept)["other"] == module.Kept | None
    assert pickle.loads(pickle.dumps(module.is_kept)) is module.is_kept
    assert module.twice.__module__ == "its_name"
    assert sys.argv == [str(tmp_path / "its_name.py")]


async def test_the_only_file_is_the_program_until_the_service_ends(
    loads: Loads, tmp_path: Path
) -> None:
    main, arguments, path = sys.modules["__main__"], sys.argv, list(sys.path)

    page = loads(MAIN, file="its_name.py")

    module = sys.modules["__main__"]
    assert (module.__name__, module.__file__) == ("__main__", str(tmp_path / "its_name.py"))
    assert sys.modules["its_name"] is module
    assert pickle.loads(pickle.dumps(module.kept)) == module.kept
    assert (sys.argv, sys.path[0]) == ([str(tmp_path / "its_name.py")], str(tmp_path))
    ended(page)
    assert (sys.modules["__main__"], sys.argv, sys.path) == (main, arguments, path)


async def test_services_of_one_process_may_end_in_any_order(loads: Loads) -> None:
    main, arguments = sys.modules["__main__"], sys.argv
    pages = [loads(AN_APP, file=name) for name in ("first.py", "second.py", "third.py")]

    for page, left in zip([pages[1], pages[2]], ["third", "first"], strict=True):
        ended(page)
        assert sys.modules["__main__"] is sys.modules[left]
        assert sys.argv[0].endswith(f"{left}.py")
    ended(pages[0])

    assert (sys.modules["__main__"], sys.argv) == (main, arguments)


async def test_no_launch_is_recorded_once_the_service_has_ended(loads: Loads) -> None:
    originals = [getattr(owner, name) for owner, name, _ in recording._REPLACED]

    page = loads(
        f"{AN_APP}\nfrom gradio import mount_gradio_app\ndemo.launch()\n", file="kept_name.py"
    )
    ended(page)
    demo = gr.Blocks()
    app = FastAPI()
    sys.modules["kept_name"].mount_gradio_app(app, demo, "/x")

    assert [getattr(owner, name) for owner, name, _ in recording._REPLACED] == originals
    assert "/x" in [getattr(route, "path", "") for route in app.routes]


async def test_a_served_app_that_is_launched_again_starts_no_server(
    loads: Loads, mounted: Mounts, lines: list[Any]
) -> None:
    text = f"{AN_APP}\nlaunch = demo.launch\ndemo.launch(prevent_thread_lock=True)\n"
    page = loads(text, file="again_demo.py")
    await mounted(page.demo)

    page.demo.launch()
    sys.modules["again_demo"].launch()

    assert not hasattr(page.demo, "server")
    assert [line["event"] for line in lines if "launch()" in line["event"]] == [
        "launch() does nothing: the service already serves this app"
    ] * 2


@pytest.mark.parametrize("call", ["gr.close_all()", "demo.close()", "demo.close(verbose=False)"])
async def test_a_served_app_stays_open_when_a_callback_closes_it(
    call: str, loads: Loads, mounted: Mounts, lines: list[Any]
) -> None:
    text = f"{AN_APP}\ndef close(): {call}\nwith demo:\n"
    text += "    gr.Button().click(close, api_name='close')\ndemo.launch()\n"
    with gr.Blocks(title="Other") as other:
        gr.Button().click(lambda: "runs", None, gr.Textbox(), api_name="read")
    house = await mounted(other, others=[loads(text)])
    ada = await house.signed_in()
    assert await ada.gets("read") == "runs"

    vars(sys.modules["__main__"])["close"]()
    vars(sys.modules["__main__"])["close"]()

    assert await ada.gets("read") == "runs"
    said = [line["app"] for line in lines if "close() does nothing" in line["event"]]
    assert len(said) == len(set(said)) == (2 if call == "gr.close_all()" else 1)


LATE: Final = {
    "another app": "gr.Blocks(title='Late').launch(server_port=PORT, prevent_thread_lock=True)",
    "another app that blocks": "gr.Blocks(title='Late').launch(server_port=PORT)",
    "another app in a thread": "threading.Thread(target=gr.Blocks(title='Late').launch, kwargs={'server_port': PORT}).start()",
    "a gr.Server": "gr.Server().launch(server_port=PORT, prevent_thread_lock=True)",
    "uvicorn": "uvicorn.run(mounted, port=PORT, log_level='error')",
    "uvicorn in a thread": "threading.Thread(target=uvicorn.run, args=(mounted,), kwargs={'port': PORT}).start()",
    "uvicorn's server": "asyncio.run(uvicorn.Server(uvicorn.Config(mounted, port=PORT)).serve())",
    "gradio's own application": "threading.Thread(target=uvicorn.run, args=(alone,), kwargs={'port': PORT}).start()",
}


@pytest.mark.parametrize("way", LATE)
async def test_a_file_that_serves_an_app_late_starts_no_server_beside_the_service(
    way: str, loads: Loads, lines: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PATIENCE", 0.2)
    port = free_port()
    text = f"""{AN_APP}
import asyncio, fastapi, pathlib, threading, time, uvicorn

PORT = {port}
mounted = gr.mount_gradio_app(fastapi.FastAPI(), gr.Blocks(title="Mounted"), "/")
alone = gr.routes.App.__new__(gr.routes.App)
demo.launch(prevent_thread_lock=True)
here = pathlib.Path(__file__)
while not here.with_name("served").exists(): time.sleep(0.01)
{LATE[way]}
here.with_name("done").touch()
"""

    loads(text, "demo")
    (tmp_path / "served").touch()
    for _ in range(100):
        if lines:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)

    assert any(part in lines[0]["event"] for part in ("is not served", "does not run"))
    assert lines[0]["file"] == str(tmp_path / "my_demo.py")
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0


SERVED_INSIDE: Final = {
    "mounted in another application": "outer = fastapi.FastAPI(); outer.mount('/gradio', created); serve(outer)",
    "wrapped in a middleware": "serve(CORSMiddleware(created))",
    "the application that the app has by itself": "serve(CORSMiddleware(demo.app))",
    "an application of Gradio's own class": "serve(CORSMiddleware(App.create_app(demo, App())))",
    "a server's inner function": "serve(created, lambda server: asyncio.run(server._serve()))",
    "Gradio's own server": "serve(CORSMiddleware(created), of=http_server.Server)",
}


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("way", SERVED_INSIDE)
async def test_an_application_of_gradios_has_no_routes_in_another_server(
    way: str,
    is_late: bool,  # noqa: FBT001 -- A parameter of the test.
    loads: Loads,
    lines: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gradio.blocks.App", routes.App)
    port = free_port()
    text = f"""{AN_APP}
import asyncio, fastapi, threading, uvicorn
from gradio import http_server
from gradio.routes import App
from starlette.middleware.cors import CORSMiddleware

class Background(uvicorn.Server): pass

servers = []
def serve(app, runs=Background.run, of=Background):
    servers.append(of(uvicorn.Config(app, port={port}, log_config=None)))
    threading.Thread(target=runs, args=servers[-1:], daemon=True).start()

def begin(_):
    created = App.create_app(demo)
    {SERVED_INSIDE[way]}
with demo:
    gr.Button().click(begin, gr.Textbox(), None)
{"" if is_late else "begin('')"}
demo.launch()
"""
    loads(text)
    module = sys.modules["__main__"]
    if is_late:
        module.begin("")

    for path in ("", "/gradio"):
        assert await status_of(f"http://127.0.0.1:{port}{path}/config") == 404
    if is_late:
        assert "App.create_app() makes an application without routes" in lines[0]["event"]
    else:
        assert replaced(lines) == ["App.create_app(): its application has no routes"]
    for server in module.servers:
        server.should_exit = True


async def status_of(url: str) -> int | None:
    """Return what the server answers once it has started, or None if it does not start."""
    async with httpx.AsyncClient() as client:
        for _ in range(100):
            try:
                return (await client.get(url)).status_code
            except httpx.ConnectError:
                await asyncio.sleep(0.1)
    return None


async def test_an_app_of_which_a_file_makes_an_application_is_found(loads: Loads) -> None:
    text = f"{AN_APP.replace('demo', 'one')}\nfrom gradio.routes import App\nother = gr.Blocks()\n"
    text += "def main():\n    with gr.Blocks(title='Made') as made: gr.Textbox()\n    App.create_app(made)\nmain()\n"

    assert loads(text).title == "Made"


async def test_a_file_that_runs_long_without_a_launch_is_named_once(
    loads: Loads, lines: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SILENCE", 0.3)

    loads(f"{AN_APP}\nimport time\ntime.sleep(1)\ndemo.launch()\n")

    [said] = [line["event"] for line in lines]
    assert said.startswith(f"{tmp_path / 'my_demo.py'} still runs and has launched nothing")


async def test_a_launch_shortly_after_another_one_is_waited_for(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PATIENCE", 1.0)
    text = f"{AN_APP}\nimport time\ntime.sleep(0.9)\ndemo.launch(prevent_thread_lock=True)\n"
    text += "time.sleep(0.5)\nother = gr.Blocks()\nother.launch(css='.other')\n"

    assert options_of(loads(text, "other").demo) == {"css": ".other"}


async def test_an_api_of_another_file_is_named_in_the_line_of_its_own_file(
    lines: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PATIENCE", 0.2)
    late = "demo.launch(prevent_thread_lock=True)\nother = gr.Blocks()\n"
    (tmp_path / "late.py").write_text(f"{AN_APP}{late}")
    (tmp_path / "usual.py").write_text(f"{AN_APP}demo.launch()\n")
    load_pages([str(tmp_path / "late.py"), str(tmp_path / "usual.py")])

    sys.modules["late"].other.launch()

    assert [line["file"] for line in lines] == [str(tmp_path / "late.py")]


async def test_a_launched_app_knows_the_address_of_the_service(
    tmp_path: Path, mounted: Mounts
) -> None:
    file = tmp_path / "address.py"
    file.write_text(
        f"{AN_APP}app, url, share = demo.launch(prevent_thread_lock=True)\n"
        "assert url == demo.local_url\nassert share == ''\nseen = (demo.server_name, demo.server_port)\n"
    )

    [page] = load_pages([str(file)], Host(name="127.0.0.1", port=8123))

    await mounted(page.demo)

    assert page.demo.local_url == "http://127.0.0.1:8123/"
    assert page.demo.server_port == 8123
    assert sys.modules["address"].seen == ("127.0.0.1", 8123)


async def test_signal_handlers_of_a_files_event_loop_are_not_set(
    loads: Loads, lines: list[Any]
) -> None:
    text = f"import asyncio, signal\n{AN_APP}\nasync def main():\n"
    text += "    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)\n"
    text += "    demo.launch()\nasyncio.run(main())\n"

    loads(text)

    assert replaced(lines) == ["signal handlers: the service handles signals"]


async def test_each_of_two_files_may_set_how_processes_start(
    tmp_path: Path, lines: list[Any], restores_start_method: None
) -> None:
    for name, method in (("one", "spawn"), ("two", "spawn"), ("three", "fork")):
        (tmp_path / f"{name}.py").write_text(
            f"import multiprocessing\nmultiprocessing.set_start_method({method!r})\n{AN_APP}demo.launch()\n"
        )

    load_pages([str(tmp_path / f"{name}.py") for name in ("one", "two", "three")])

    assert multiprocessing.get_start_method() == "fork"
    assert [(line["file"], line["method"]) for line in lines] == [
        (str(tmp_path / "three.py"), "fork")
    ]


async def test_a_file_may_not_set_twice_how_processes_start(
    loads: Loads, restores_start_method: None
) -> None:
    text = "import multiprocessing\nmultiprocessing.set_start_method('spawn')\n"
    text += "multiprocessing.set_start_method('spawn')\n"

    assert "line 3: RuntimeError: context has already been set" in refusal_of(loads, text)


@pytest.fixture
def restores_start_method() -> Iterator[None]:
    before = multiprocessing.get_start_method(allow_none=True)
    yield
    multiprocessing.set_start_method(before, force=True)


PICKLED: Final = """
import gradio as gr

class Words:
    class Word:
        def __init__(self, text): self.text = text
        def __eq__(self, other): return self.text == other.text

with gr.Blocks() as demo:
    gr.Textbox()

def keeps(): import pickle; return pickle.dumps(Words.Word("a"))
def reads(pickled): import pickle; return pickle.loads(pickled)
def asks(): import __main__; return __main__.Words
demo.launch()
"""


async def test_a_callback_reads_pickles_that_were_written_when_its_file_ran_alone(
    tmp_path: Path,
) -> None:
    files = [tmp_path / "one.py", tmp_path / "two.py"]
    for file in files:
        file.write_text(PICKLED)
    written = b"c__main__\nWords\n)\x81."  # What pickle writes for Words() under `python FILE.py`.
    load_pages([str(file) for file in files])
    one, two = sys.modules["one"], sys.modules["two"]

    for module in (one, two):
        assert type(module.reads(written)) is module.Words
        assert module.reads(module.keeps()) == module.Words.Word("a")
        assert module.asks() is module.Words
        assert module.Words.Word.__module__ == module.__name__  # Another process finds it too.
    with pytest.raises(AttributeError, match="'__main__' has no attribute 'NoWords'"):
        getattr(sys.modules["__main__"], "NoWords")  # noqa: B009 -- mypy knows no such name.


SPAWNING: Final = """
import collections, concurrent.futures, functools, multiprocessing
import gradio as gr

Pair = collections.namedtuple("Pair", "one other")

def turned(pair): return Pair(pair.other, pair.one)

@functools.lru_cache
def twice(number): return 2 * number

def launch(): demo.launch()

def runs():
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(turned, Pair(1, 2)).result(30) == Pair(2, 1)
        assert pool.submit(twice, 3).result(30) == 6
        try: pool.submit(launch).result(30)
        except SystemExit as refused: return str(refused)

with gr.Blocks() as demo:
    gr.Button().click(runs, None, gr.JSON())

if __name__ == "__main__":
    demo.launch()
"""


@pytest.mark.parametrize("names", [["linked.py"], ["test.py", "its.v2.py"]])
async def test_processes_that_callbacks_spawn_find_the_names_of_their_file_and_launch_nothing(
    names: list[str], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "target.py").write_text(SPAWNING)
    (tmp_path / "linked.py").symlink_to(tmp_path / "elsewhere" / "target.py")
    for name in ("test.py", "its.v2.py"):
        (tmp_path / name).write_text(SPAWNING)

    for page in load_pages([str(tmp_path / name) for name in names]):
        runs = next(fn.fn for fn in page.demo.fns.values())
        assert runs is not None
        assert runs() == spawned.REFUSAL
        assert sys.argv == [str(tmp_path / names[0])]


async def test_names_of_a_file_are_no_longer_found_once_the_service_has_ended(loads: Loads) -> None:
    page = loads(PICKLED, file="one.py")
    asks = sys.modules["one"].asks
    ended(page)

    with pytest.raises(AttributeError):
        asks()


async def test_signal_handlers_of_a_file_are_not_set(loads: Loads, lines: list[Any]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    loads(f"import signal\n{AN_APP}\nsignal.signal(signal.SIGTERM, lambda *_: None)\n")

    assert signal.getsignal(signal.SIGTERM) is before
    assert replaced(lines) == ["signal handlers: the service handles signals"]


SIGNALLED: Final = """
import os, pathlib, signal
here = pathlib.Path(__file__)
def note(*_): here.with_suffix(".noted").touch()
"""


@pytest.mark.parametrize(
    "text",
    [
        "signal.signal(signal.SIGALRM, note)\nsignal.setitimer(signal.ITIMER_REAL, 0.2)\ndemo.launch()\n",
        "import asyncio\nasync def main():\n    loop = asyncio.get_running_loop()\n"
        "    loop.add_signal_handler(signal.SIGUSR1, note)\n    demo.launch(prevent_thread_lock=True)\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
        "    while not here.with_suffix('.noted').exists(): await asyncio.sleep(0.05)\nasyncio.run(main())\n",
    ],
)
async def test_a_file_handles_signals_that_the_service_does_not(
    text: str, loads: Loads, lines: list[Any], tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGALRM)

    page = loads(f"{SIGNALLED}{AN_APP}{text}")

    assert await appears(tmp_path / "my_demo.noted")
    assert replaced(lines) == []
    ended(page)
    assert signal.getsignal(signal.SIGALRM) == before


async def test_a_file_may_remove_a_signal_handler_of_its_event_loop(
    loads: Loads, tmp_path: Path
) -> None:
    loads(
        f"{SIGNALLED}{AN_APP}import asyncio\nasync def main():\n    loop = asyncio.get_running_loop()\n"
        "    loop.add_signal_handler(signal.SIGUSR1, note)\n"
        "    results = [loop.remove_signal_handler(signal.SIGUSR1) for _ in range(2)]\n"
        "    assert results == [True, False]\n"
        "    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL\n"
        "    demo.launch()\nasyncio.run(main())\n"
    )


async def test_a_timer_whose_signal_nothing_handles_is_not_set(
    loads: Loads, lines: list[Any]
) -> None:
    loads(f"import signal\n{AN_APP}signal.setitimer(signal.ITIMER_VIRTUAL, 9)\n")

    assert "does nothing: no handler is set" in lines[0]["event"]
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


async def test_a_signal_handler_that_fails_stops_the_code_of_its_file(loads: Loads) -> None:
    text = f"{SIGNALLED}{AN_APP}def fail(*_): raise TimeoutError\nsignal.signal(signal.SIGALRM, fail)\n"
    text += "signal.setitimer(signal.ITIMER_REAL, 0.2)\nimport time\ntry:\n    while True: time.sleep(0.01)\n"
    text += "except TimeoutError: demo.title = 'In time'\ndemo.launch()\n"

    assert loads(text).title == "In time"


async def test_a_signal_handler_that_fails_while_the_app_is_served_does_not_end_the_service(
    loads: Loads, lines: list[Any]
) -> None:
    text = f"{SIGNALLED}{AN_APP}def fail(*_): raise TimeoutError\nsignal.signal(signal.SIGUSR1, fail)\n"
    loads(f"{text}demo.launch()\n")

    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.sleep(0.05)

    assert [line["event"] for line in lines] == ["a signal handler of an app failed"]


@pytest.mark.parametrize(
    ("backend", "answer"),
    [
        ("api = fastapi.FastAPI()\n@api.get('/beside')\ndef beside(): return 'here'\n", "here"),
        (
            "import gradio as gr\napi = gr.mount_gradio_app(fastapi.FastAPI(), gr.Blocks(), '/')\n",
            "",
        ),
        ("import gradio as gr\napi = gr.routes.App.create_app(gr.Blocks())\n", ""),
    ],
)
@pytest.mark.parametrize("name", ["'my_backend:api'", "__import__('my_backend').api"])
async def test_an_api_beside_the_app_starts_in_its_thread_unless_it_has_gradio_apps(
    backend: str, answer: str, name: str, loads: Loads, tmp_path: Path
) -> None:
    (tmp_path / "my_backend.py").write_text(f"import fastapi\n{backend}")
    port = free_port()
    text = f"""{AN_APP}
import contextlib, httpx, threading, time, uvicorn

server = uvicorn.Server(uvicorn.Config({name}, port={port}, log_config=None))
def run():
    with contextlib.suppress(SystemExit): server.run()
threading.Thread(target=run, daemon=True).start()
for _ in range(40):
    if not server.started: time.sleep(0.05)
try: answer = httpx.get("http://127.0.0.1:{port}/beside").json() if server.started else ""
finally: server.should_exit = True
demo.launch()
"""

    page = loads(text, "demo")

    assert page.title == "My demo"
    assert vars(sys.modules["__main__"])["answer"] == answer


# What the service replaces


async def test_one_line_names_all_options_that_the_service_replaces(
    loads: Loads, lines: list[Any], tmp_path: Path
) -> None:
    loads(
        f"{AN_APP}\ndemo.launch(True, True, True, auth=('a', 'b'), server_name='0.0.0.0', server_port=7860,\n"
        "  css='.a', show_error=True, mcp_server=True, strict_cors=False, prevent_thread_lock=True)\n"
    )

    [line] = [line for line in lines if "replaces" in line["event"]]

    assert line["app"] == str(tmp_path / "my_demo.py")
    assert line["replaced"] == (
        "auth: people sign in with their accounts; inbrowser: no browser is opened; mcp_server: --mcp offers the "
        "events as tools; server_name, server_port: HOST, PORT and PUBLIC_URL apply; share: nothing is shared outside "
        "of PUBLIC_URL; show_error: errors are in the log, and people see a number; strict_cors: no other site may "
        "send requests"
    )


@pytest.mark.parametrize(
    "options",
    [
        "",
        "share=False",
        "css='.a', quiet=True, inline=False",
        "show_error=False, ssr_mode=False, auth=None",
    ],
)
async def test_no_line_is_logged_if_nothing_is_replaced(
    options: str, loads: Loads, lines: list[Any]
) -> None:
    loads(f"{AN_APP}\ndemo.launch({options})\n")

    assert replaced(lines) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", []),
        ("@app.get('/x')\ndef x(): ...\n", ["routes of its FastAPI app: they are not served"]),
        (
            "from starlette.middleware.gzip import GZipMiddleware\napp.add_middleware(GZipMiddleware)\n"
            "app.include_router(fastapi.APIRouter())\napp.router.on_startup.append(print)\n",
            [
                "lifespan of its FastAPI app, middleware of its FastAPI app, routes of its FastAPI app: "
                "they are not served"
            ],
        ),
        ("import uvicorn\nuvicorn.run(app)\n", ["uvicorn: the service's own server runs"]),
    ],
)
async def test_what_an_own_fastapi_app_has_besides_gradio_is_named(
    more: str, said: list[str], loads: Loads, lines: list[Any]
) -> None:
    loads(
        f"import fastapi\n{AN_APP}\napp = fastapi.FastAPI()\ngr.mount_gradio_app(app, demo, '/x')\n{more}"
    )

    assert replaced(lines) == said


async def test_a_lifespan_of_an_own_fastapi_app_is_named(loads: Loads, lines: list[Any]) -> None:
    text = f"""{AN_APP}
import contextlib, fastapi

@contextlib.asynccontextmanager
async def lifespan(_): yield

gr.mount_gradio_app(fastapi.FastAPI(lifespan=lifespan), demo, "/")
"""

    loads(text)

    assert replaced(lines) == ["lifespan of its FastAPI app: they are not served"]


async def test_routes_that_are_added_to_the_launched_app_are_named(
    loads: Loads, lines: list[Any]
) -> None:
    text = "app, local, shared = demo.launch(prevent_thread_lock=True)\napp.get('/x')(print)\n"

    loads(f"{AN_APP}\n{text}{{local.strip(), shared.strip()}}\n")

    assert replaced(lines) == ["routes of its FastAPI app: they are not served"]


# gr.Server


@pytest.mark.parametrize(
    ("text", "name", "begins"),
    [
        ("server.launch()", "", "my_demo.py launches a gr.Server. That is an API without a page"),
        (f"{AN_APP}\nserver.launch()", "demo", "my_demo.py launches a gr.Server. That is an API"),
        ("try: server.launch()\nexcept Exception: pass", "", "my_demo.py launches a gr.Server."),
        ("", "server", "server of "),
    ],
)
async def test_a_server_without_a_page_is_refused_with_what_to_do(
    text: str, name: str, begins: str, loads: Loads, tmp_path: Path
) -> None:
    said = refusal_of(loads, f"import gradio as gr\nserver = gr.Server()\n{text}\n", name)

    assert said.removeprefix(f"{tmp_path}/").startswith(begins)
    assert said.endswith("or run it alone: python FILE.py")
    assert "GRADIO_SERVER_MODE_ENABLED" not in os.environ


# The same as under python FILE.py

LIKE_ALONE: Final = {
    "in_a_function": """
import gradio as gr

LOOKS = {"css": ".a { color: red }", "js": "() => 1", "head": "<meta name='of-head'>", "theme": gr.themes.Soft()}

def main(**options):
    with gr.Blocks(title="In a function", fill_width=True) as demo:
        gr.File(__file__)
        gr.Markdown("word", elem_classes="a")
    demo.queue(**{"max_size": 3}).launch(max_file_size="2kb", allowed_paths=[str(HERE / "shown")], **options)

if __name__ == "__main__":
    main(**LOOKS)
""",
    "mounted": """
import fastapi, os, uvicorn
import gradio as gr

demo = gr.Interface(str.upper, "text", "text", title="Mounted")
app = gr.mount_gradio_app(
    fastapi.FastAPI(), demo, path="", css=".b {}", theme="monochrome", max_file_size=2048, head="<meta name='of-head'>",
    allowed_paths=[str(HERE / "shown")], css_paths=[HERE / "more.css"],
)
if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("GRADIO_SERVER_PORT", 0)))
""",
    "with_pages": """
import asyncio
import gradio as gr

async def main():
    one = gr.Interface(str.upper, "text", "text")
    two = gr.Interface(str.lower, "text", "text")
    demo = gr.TabbedInterface([one, two], ["Up", "Down"], title="With pages")
    with demo.route("Second", "/second"):
        gr.Textbox(gr.I18n.__name__)
    demo.launch(head_paths=HERE / "head.html", theme=gr.themes.Base(primary_hue="red"), blocked_paths=[str(HERE)],
                max_file_size=2 * gr.FileSize.KB, i18n=gr.I18n(de={"a": "b"}), allowed_paths=[str(HERE / "shown")])

asyncio.run(main())
""",
    "clicked": """
import click
import gradio as gr

@click.command()
@click.option("--color", default="green")
def main(color):
    with gr.Blocks(title="Clicked", fill_height=True) as demo:
        gr.ChatInterface(lambda text, _: text)
    demo.launch(css=f".a {{ color: {color} }}", prevent_thread_lock=True, max_file_size=2048,
                allowed_paths=[str(HERE / "shown")])
    demo.block_thread()

if __name__ == "__main__":
    main()
""",
}
COMPARED: Final = (
    *(
        "title",
        "css",
        "js",
        "head",
        "theme",
        "theme_hash",
        "stylesheets",
        "body_css",
        "fill_height",
        "fill_width",
    ),
    *("max_file_size", "i18n_translations", "pages", "mode", "enable_queue"),
)


@pytest.mark.server
async def test_an_app_is_served_as_under_python(mounted: Mounts, tmp_path: Path) -> None:
    (tmp_path / "more.css").write_text(".more {}")
    (tmp_path / "head.html").write_text("<meta name='of-file'>")
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "a.txt").write_text("shown")
    for name, text in LIKE_ALONE.items():
        head = "import pathlib\nHERE = pathlib.Path(__file__).parent\n"
        (tmp_path / f"{name}.py").write_text(head + text)
    files = [tmp_path / f"{name}.py" for name in LIKE_ALONE]
    pages = load_pages(list(map(str, files)))
    house = await mounted(gr.Blocks(), others=pages)
    ada = await house.signed_in()
    with ExitStack() as ending:
        ports = [ending.enter_context(alone(file)) for file in files]
        for page, port in zip(pages, ports, strict=True):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as bare:
                expected = await sees(bare, "", tmp_path)
                assert await sees(ada.http, f"{GRADIO}/{page.path}", tmp_path) == expected
            assert (expected["large"], expected["small"]) == (413, 200)
            assert expected["shown"] is (page.title != "With pages")


@contextmanager
def alone(file: Path) -> Iterator[int]:
    """Run the file with python until the block ends. Yield its port."""
    port = free_port()
    env = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    with subprocess.Popen(
        [sys.executable, file.name], cwd=file.parent, env=env, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield port
        finally:
            process.kill()


async def sees(http: httpx.AsyncClient, path: str, folder: Path) -> dict[str, Any]:
    """Return what an app shows, once it is served."""
    for _ in range(300):
        try:
            config = (await http.get(f"{path}/config")).json()
            break
        except httpx.ConnectError:
            await asyncio.sleep(0.2)
    api = f"{path}/gradio_api"
    sent = [
        await http.post(f"{api}/upload", files={"files": ("a.bin", b"a" * size)})
        for size in (1000, 3000)
    ]
    return {
        **{name: config[name] or None for name in COMPARED},
        "parts": len(config["components"]),
        "shown": (await http.get(f"{api}/file={folder / 'shown' / 'a.txt'}")).text == "shown",
        "small": sent[0].status_code,
        "large": sent[1].status_code,
    }
