"""An author's app is loaded from the value of --app, or is refused with the reason."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import pytest
from gradio.context import Context
from structlog.testing import capture_logs

from entrypoints.ui.apps.launch_options import options_of
from entrypoints.ui.apps.loading import folders_of, load_pages
from entrypoints.ui.sdk import PageRefused
from gradioapp import Page

Writes = Callable[..., str]

AN_APP = """
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
        if "gradio" not in name:
            del sys.modules[name]


@pytest.fixture
def writes(tmp_path: Path) -> Writes:
    def write(text: str, name: str = "my_demo.py") -> str:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return str(file)

    return write


def the_page(app: str) -> Page:
    [page] = load_pages([app])
    return page


def refusal_of(app: str) -> str:
    with pytest.raises(PageRefused) as refused:
        load_pages([app])
    said = str(refused.value)
    assert "\n" not in said
    return said


async def test_a_file_and_a_name_load_an_app(writes: Writes) -> None:
    page = the_page(f"{writes(AN_APP)}:demo")

    assert isinstance(page.demo, gr.Blocks)


async def test_the_name_demo_is_the_default(writes: Writes) -> None:
    chosen = AN_APP.replace("Blocks()", 'Blocks(title="Chosen")')
    other = AN_APP.replace("as demo", "as other")

    assert the_page(writes(chosen + other)).title == "Chosen"


async def test_a_module_in_the_working_directory_loads_an_app(
    writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes(AN_APP, "my_package/my_app.py")
    monkeypatch.chdir(tmp_path)

    assert the_page("my_package.my_app:demo").title == "My app"


async def test_an_app_without_a_title_is_named_after_its_file(writes: Writes) -> None:
    assert the_page(writes(AN_APP, "sales_forecast.py")).title == "Sales forecast"


async def test_the_title_of_an_app_is_kept(writes: Writes) -> None:
    app = writes(AN_APP.replace("Blocks()", 'Blocks(title="Forecast of sales")'))

    assert the_page(app).title == "Forecast of sales"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'"""Summarizes\n  long texts.\n\nNot this."""\n{AN_APP}', "Summarizes long texts."),
        (
            f'"""Of the file."""\n{AN_APP}\nfrom gradioapp import Page\n'
            'page = Page(demo, description="Of the page.")',
            "Of the page.",
        ),
        (
            'import gradio as gr\ndemo = gr.Interface(str, "text", "text", description="Of the app.")',
            "Of the app.",
        ),
        (AN_APP, ""),
        (f'"""{"word " * 99}"""\n{AN_APP}', f"{('word ' * 60).rstrip()}…"),
    ],
    ids=["docstring", "page", "interface", "nothing", "long"],
)
async def test_the_description_comes_from_page_interface_or_docstring(
    text: str, said: str, writes: Writes
) -> None:
    app = writes(text)

    page = the_page(f"{app}:page" if "page =" in text else app)

    assert page.description == said


async def test_a_page_of_an_author_sets_title_roles_and_order(writes: Writes) -> None:
    text = f"""{AN_APP}
from gradioapp import Page

page = Page(demo, title="Forecast", roles={{"analyst"}}, order=3)
untitled = Page(demo)
"""
    app = writes(text)

    page, untitled = load_pages([f"{app}:page", f"{app}:untitled"])

    assert (page.title, page.roles, page.order) == ("Forecast", {"analyst"}, 3)
    assert untitled.title == "My demo"
    assert page.demo is untitled.demo  # One file is imported once.


async def test_a_role_that_is_a_text_is_refused() -> None:
    with pytest.raises(PageRefused, match=r'Write roles=\{"analyst"\}'):
        Page(gr.Blocks(), roles="analyst")


async def test_a_file_that_calls_launch_is_imported_to_its_end(writes: Writes) -> None:
    app = writes(f'{AN_APP}\ndemo.queue(max_size=9).launch(theme="soft", share=True)\nend = demo\n')

    page = the_page(f"{app}:end")

    assert options_of(page.demo) == {"theme": "soft"}


async def test_looks_in_the_constructor_like_in_gradio_5_are_used(writes: Writes) -> None:
    app = writes(AN_APP.replace("Blocks()", 'Blocks(theme="soft", head="<meta name=a>")'))

    with pytest.warns(UserWarning, match="have been moved from the Blocks constructor"):
        page = the_page(app)

    assert options_of(page.demo) == {"theme": "soft", "head": "<meta name=a>"}


async def test_modules_next_to_several_files_are_imported_after_the_libraries(
    writes: Writes,
) -> None:
    writes("WORD = 'hello'", "beside_it.py")
    writes("raise RuntimeError('imported instead of the library')", "httpx.py")
    apps = [writes(f"import beside_it, httpx\n{AN_APP}", name) for name in ("one.py", "two.py")]

    assert [page.title for page in load_pages(apps)] == ["One", "Two"]
    assert sys.path[-1] == str(Path(apps[0]).parent)


async def test_two_files_of_one_name_are_two_apps(writes: Writes) -> None:
    titled = AN_APP.replace("Blocks()", 'Blocks(title="Other")')

    one, two = load_pages([writes(AN_APP, "a/app.py"), writes(titled, "b/app.py")])

    assert (one.title, two.title) == ("A", "Other")


@pytest.mark.parametrize("name", ["app.py", "main.py", "run.py"])
async def test_a_file_with_a_common_name_is_named_after_its_folder(
    name: str, writes: Writes
) -> None:
    page = the_page(writes(AN_APP, f"sales_forecast/{name}"))

    assert (page.title, page.path) == ("Sales forecast", "sales-forecast")


async def test_apps_with_one_title_get_different_addresses(writes: Writes) -> None:
    titled = AN_APP.replace("Blocks()", 'Blocks(title="Chat")')
    page = f'{AN_APP}\nfrom entrypoints.ui.sdk import Page\ndemo = Page(demo, title="Chat 2")\n'

    pages = load_pages(
        [writes(page, "a.py"), *(writes(titled, f"{name}/chat.py") for name in "bcd")]
    )

    assert [page.title for page in pages[1:]] == ["Chat"] * 3
    assert [page.path for page in pages[1:]] == ["chat", "chat-3", "chat-4"]


async def test_one_app_named_twice_has_one_address(writes: Writes) -> None:
    app = writes(AN_APP)

    one, two = load_pages([app, f"{app}:demo"])

    assert one == two  # Mounting refuses this.


@pytest.mark.parametrize("title", ["翻译", "🎨", "Config", "Login"])
async def test_an_app_whose_title_makes_no_address_gets_the_address_of_its_file(
    title: str, writes: Writes
) -> None:
    page = the_page(writes(AN_APP.replace("Blocks()", f'Blocks(title="{title}")')))

    assert (page.title, page.path) == (title, "my-demo")


@pytest.mark.parametrize(
    "text",
    [
        AN_APP.replace("demo", "iface"),
        AN_APP.replace("demo", "shown") + "other = gr.Blocks()\nshown.launch()\n",
        "import gradio as gr\n\ngr.Interface(str, 'text', 'text').launch()\n",
        "import gradio as gr\n\ndef main():\n    gr.Interface(str, 'text', 'text').launch(share=True)\n\n"
        "if __name__ == '__main__':\n    main()\n",
    ],
)
async def test_the_only_app_is_loaded_without_a_name(text: str, writes: Writes) -> None:
    assert the_page(writes(text)).title == "My demo"


async def test_a_file_with_two_apps_is_refused_until_one_is_named(writes: Writes) -> None:
    app = writes(f"{AN_APP}\nother = gr.Blocks()\nan_app, demo = demo, None\n")

    assert re.search(r"It has: other, an_app\. Type: --app .*:other$", refusal_of(app))


async def test_a_fault_in_a_main_block_is_reported_with_its_line(writes: Writes) -> None:
    app = writes("if __name__ == '__main__':\n    print()\n    1 / 0\n")

    assert re.search(r"my_demo\.py, line 3: ZeroDivisionError", refusal_of(app))


async def test_cached_examples_of_one_app_are_never_shown_by_another(
    writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_EXAMPLES_CACHE", str(tmp_path / "kept"))
    seen = {}
    for name in ("one", "two"):
        text = "import gradio as gr\n\nwith gr.Blocks() as demo:\n    a, b = gr.Textbox(), gr.Textbox()\n"
        text += f"    kept = gr.Examples(['x'], a, b, lambda x: 'of {name}', cache_examples=True)\n"
        # Like a start of the service with the first app, and then one with the other.
        monkeypatch.setattr(Context, "id", 1000)
        the_page(writes(text, f"{name}.py"))
        seen[name] = sys.modules[name].kept.load_from_cache(0)

    assert seen == {"one": ["of one"], "two": ["of two"]}
    assert len(os.listdir(tmp_path / "kept")) == 2  # noqa: PTH208 -- Ruff takes Path's for blocking.


async def test_cached_examples_are_kept_for_the_next_start(
    writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_EXAMPLES_CACHE", str(tmp_path / "kept"))
    text = "import gradio as gr\n\nran = []\n\ndef runs(x):\n    ran.append(x)\n    return x\n\n"
    text += "with gr.Blocks() as demo:\n    a, b = gr.Textbox(), gr.Textbox()\n"
    text += "    kept = gr.Examples(['x'], a, b, runs, cache_examples=True)\n"
    app = writes(text, "keeping.py")

    runs = []
    for _ in range(2):
        monkeypatch.setattr(Context, "id", 1000)
        the_page(app)
        started = sys.modules.pop("keeping")
        assert started.kept.load_from_cache(0) == ["x"]
        runs.append(started.ran)

    assert runs == [["x"], []]


async def test_each_app_imports_the_modules_of_its_own_folder(writes: Writes) -> None:
    apps = []
    for name in ("a", "b"):
        writes(f"TITLE = 'Of {name}'", f"{name}/data.py")
        writes("", f"{name}/parts/__init__.py")
        writes(f"TITLE = 'and {name}'", f"{name}/parts/more.py")
        text = "import data\nimport gradio as gr\nimport parts.more\n\n"
        text += "demo = gr.Blocks(title=f'{data.TITLE} {parts.more.TITLE}')\n"
        apps.append(writes(text, f"{name}/app.py"))

    pages = load_pages(apps)

    assert [page.title for page in pages] == ["Of a and a", "Of b and b"]
    assert sys.modules["data"].TITLE == "Of a"
    assert sys.path[-2:] == [str(Path(app).parent) for app in apps]


async def test_apps_of_one_folder_share_the_modules_of_the_folder(writes: Writes) -> None:
    writes("SEEN = []", "shared.py")
    text = f"import shared\n{AN_APP}\nshared.SEEN.append(__file__[-4])\n"

    load_pages([writes(text, "a.py"), writes(text, "b.py")])

    assert sys.modules["shared"].SEEN == ["a", "b"]


async def test_an_app_named_like_a_library_does_not_replace_it(writes: Writes) -> None:
    the_page(writes(AN_APP, "httpx.py"))

    import httpx

    assert hasattr(httpx, "AsyncClient")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import gradio\n\n1 / 0\n", r"my_demo\.py, line 3: ZeroDivisionError: division by zero$"),
        ("def (\n", r"my_demo\.py, line 1: SyntaxError: "),
        ("import gradio\nx = '\0'\n", r"my_demo\.py, line 2: SyntaxError: .*null bytes"),
        ("raise SystemExit(3)", r"my_demo\.py, line 1: SystemExit: 3$"),
        (
            "import absent_library",
            r"line 1: ModuleNotFoundError.*If the name is right, .*uv run --with PACKAGE …$",
        ),
        ("import cv2", r"line 1: ModuleNotFoundError.*uv run --with opencv-python-headless …$"),
        ("import skimage.io", r"line 1: ModuleNotFoundError.*uv run --with scikit-image …$"),
        ("x = 1", r"has no demo\. It has no gr\.Blocks at its top level\. "),
        (
            f"{AN_APP}\napp, demo = demo, 3",
            r"is a int, not a gr\.Blocks\. .*--app .*my_demo\.py:app$",
        ),
        (f"{AN_APP}\napp = demo\ndel demo", r"has no demo\. It has: app\. .*my_demo\.py:app$"),
    ],
)
async def test_a_faulty_app_is_refused_in_one_line_that_names_the_place(
    text: str, says: str, writes: Writes
) -> None:
    assert re.search(says, refusal_of(f"{writes(text)}:demo"))


@pytest.mark.parametrize(
    ("helper", "app", "says"),
    [
        ("x = 1\n1 / 0\n", "import helper", "helper.py, line 2: ZeroDivisionError: "),
        ("import json\njson.loads('{')\n", "import helper", "helper.py, line 2: JSONDecodeError: "),
        ("\nimport absent\n", "import helper", "helper.py, line 2: ModuleNotFoundError: "),
        ("def f():\n    return 1 / 0\n", "import helper\nhelper.f()", "helper.py, line 2: Zero"),
        ("def f(g):\n    g()\n", "import helper\nhelper.f(lambda: 1 / 0)", "app.py, line 2: Zero"),
        (
            "from gradioapp import Page\nPage(3)\n",
            "import helper",
            "helper.py, line 2: PageRefused: Page() takes an app",
        ),
        ("def (\n", "import helper", "helper.py, line 1: SyntaxError: "),
    ],
)
@pytest.mark.parametrize("source", ["app.py:demo", "app:demo"])
async def test_a_fault_in_a_helper_is_reported_with_the_line_of_the_helper(
    helper: str,
    app: str,
    says: str,
    source: str,
    writes: Writes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writes(helper, "helper.py")
    writes(app, "app.py")
    monkeypatch.chdir(tmp_path)

    assert refusal_of(source).startswith(f"{tmp_path}/{says}")


async def test_a_helper_may_be_in_another_folder_and_named_like_a_library(
    writes: Writes, tmp_path: Path
) -> None:
    writes("", "parts/__init__.py")
    writes("1 / 0\n", "parts/importlib_parts.py")
    app = writes("from parts import importlib_parts")

    helper = tmp_path / "parts" / "importlib_parts.py"
    assert refusal_of(app).startswith(f"{helper}, line 1: ZeroDivisionError")


async def test_a_fault_in_an_installed_package_is_reported_with_the_line_of_the_app(
    writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes("1 / 0\n", "site-packages/installed_part.py")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")

    assert "my_demo.py, line 1: ZeroDivision" in refusal_of(writes("import installed_part"))


async def test_a_fault_in_a_library_is_reported_with_the_line_of_the_app(writes: Writes) -> None:
    app = writes("import json\n\njson.loads('{')\n")

    assert re.search(r"my_demo\.py, line 3: JSONDecodeError", refusal_of(app))


@pytest.mark.parametrize("app", ["nowhere.py:demo", "nowhere.py", "a/b.py:demo"])
async def test_a_missing_file_is_named_in_the_refusal(app: str) -> None:
    assert refusal_of(app).startswith(app.removesuffix(":demo"))


async def test_a_file_that_is_not_python_is_named_in_the_refusal(
    writes: Writes, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(writes("words", "notes.txt")).parent
    monkeypatch.chdir(folder)

    assert refusal_of("notes.txt").startswith("notes.txt is not a Python file")


async def test_a_file_without_an_app_is_refused_with_what_to_write(writes: Writes) -> None:
    app = writes("import gradio as gr\n\ndef build():\n    return gr.Blocks()\n")

    assert refusal_of(app).endswith(
        "has no demo. It has no gr.Blocks at its top level. Write one there, as in demo = gr.Blocks()."
    )


async def test_a_missing_module_is_named_in_the_refusal() -> None:
    assert "no module nowhere" in refusal_of("nowhere:demo")


@pytest.mark.parametrize("app", ["", ":demo"])
async def test_an_empty_value_is_refused_with_what_to_type(app: str) -> None:
    assert (
        refusal_of(app) == f"{app!r} does not name an app. Type: gradioapp serve --app FILE.py:NAME"
    )


@pytest.mark.parametrize("name", ["domain.py", "application/__init__.py", "adapters.py"])
async def test_a_folder_with_a_package_named_like_ours_is_refused(
    name: str, writes: Writes
) -> None:
    writes("", name)

    assert "has the name of a package of gradioapp" in refusal_of(writes(AN_APP))


@pytest.mark.parametrize(
    "line", ["import domain\ndomain.x", "from domain import x", "import domain.x"]
)
async def test_an_installed_module_named_like_ours_is_named_in_the_refusal(
    line: str, writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes("x = 1\n", "installed/domain/__init__.py")
    monkeypatch.syspath_prepend(tmp_path / "installed")

    said = refusal_of(writes(f"{line}\n{AN_APP}", "apps/mine.py"))

    assert f"{tmp_path}/installed/domain/__init__.py has the name of a package of gradioapp" in said
    assert said.endswith("Rename it.")
    assert "mine.py, line " in said


@pytest.mark.parametrize("app", ["domain:demo", "entrypoints.app:demo"])
async def test_a_module_of_the_service_is_refused_as_an_app(app: str) -> None:
    assert "has the name of a package of gradioapp" in refusal_of(app)


async def test_the_watched_folders_are_those_of_the_apps(writes: Writes, tmp_path: Path) -> None:
    one, two = writes(AN_APP, "a/one.py"), writes(AN_APP, "b/two.py")

    missing = str(tmp_path / "c" / "three.py")
    (tmp_path / "c").mkdir()

    assert folders_of([one, f"{two}:demo", "no/where.py"]) == [tmp_path / "a", tmp_path / "b"]
    assert folders_of([missing]) == [tmp_path / "c"]


# Arguments of an app


ITS_OWN_ARGUMENTS = {
    "argparse": """
import argparse, gradio as gr
parser = argparse.ArgumentParser()
parser.add_argument("--title", default="Alone")
with gr.Blocks(title=parser.parse_args().title) as demo:
    gr.Textbox()
""",
    "in main": """
import argparse, sys, gradio as gr

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--title", default="Alone")
    with gr.Blocks(title=parser.parse_args().title) as demo:
        gr.Textbox()
    demo.launch()
    return 0

if __name__ == "__main__":
    sys.exit(main())
""",
    "click": """
import click, gradio as gr

@click.command()
@click.option("--title", default="Alone")
def main(title):
    with gr.Blocks(title=title) as demo:
        gr.Textbox()
    demo.launch()

if __name__ == "__main__":
    main()
""",
    "at the end": """
import sys, gradio as gr
with gr.Blocks(title=dict(zip(sys.argv[1::2], sys.argv[2::2])).get("--title", "Alone")) as demo:
    gr.Textbox()
demo.launch()
sys.exit()
""",
}


@pytest.mark.parametrize("how", ITS_OWN_ARGUMENTS)
@pytest.mark.parametrize(("typed", "title"), [((), "Alone"), (("--", "--title", "Given"), "Given")])
async def test_an_app_has_its_own_arguments_as_when_it_is_run_alone(
    writes: Writes, monkeypatch: pytest.MonkeyPatch, how: str, typed: tuple[str, ...], title: str
) -> None:
    file = writes(ITS_OWN_ARGUMENTS[how], "with_arguments.py")
    ours = ["gradioapp", "serve", "--app", str(file), "--port", "9000", *typed]
    monkeypatch.setattr("sys.argv", ours)

    page = the_page(file)

    assert page.title == title
    assert sys.argv == [file, *typed[1:]]
    assert page.let_end is not None
    page.let_end()
    assert sys.argv == ours


async def test_an_app_that_ends_with_an_error_after_its_launch_is_refused(writes: Writes) -> None:
    text = f"{AN_APP}\ndemo.launch(prevent_thread_lock=True)\nraise SystemExit(3)"

    assert refusal_of(f"{writes(text)}:demo").endswith("SystemExit: 3")


async def test_an_app_that_lacks_an_argument_is_refused_with_what_to_type(writes: Writes) -> None:
    text = f"import argparse\n{AN_APP}\nif __name__ == '__main__':\n    parser = argparse.ArgumentParser()\n"
    text += "    parser.add_argument('--model', required=True)\n    parser.parse_args()\n"
    app = writes(text)

    assert refusal_of(app).endswith(f"--: gradioapp serve --app {app} -- ARGUMENTS")


async def test_a_module_below_a_missing_package_is_not_there(writes: Writes) -> None:
    assert refusal_of("absent_package.module:demo").startswith(
        "There is no module absent_package.module, neither in this folder nor installed."
    )


async def test_an_app_is_found_after_an_earlier_one_has_changed_the_working_directory(
    writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    writes(f"import os\nos.chdir({str(elsewhere)!r})\n{AN_APP}", "one.py")
    writes(AN_APP, "two.py")
    monkeypatch.chdir(tmp_path)

    with capture_logs() as lines:
        pages = load_pages(["one.py", "two.py"])

    assert [page.title for page in pages] == ["One", "Two"]
    [line] = [line for line in lines if "working directory" in line["event"]]
    assert (line["app"], line["now"]) == ("one.py", str(elsewhere))


async def test_a_linked_file_has_the_name_of_the_link_and_the_modules_beside_its_target(
    writes: Writes, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "beside_it.py").write_text("TITLE = 'Beside'\n")
    (target / "real.py").write_text(
        "import gradio as gr\nimport beside_it\ndemo = gr.Blocks(title=f'{beside_it.TITLE} {__file__}')\n"
    )
    link = tmp_path / "linked.py"
    link.symlink_to(target / "real.py")

    [page] = load_pages([str(link)])

    alone = subprocess.run(  # noqa: ASYNC221 -- A test may block for that.
        [
            sys.executable,
            "-c",
            f"import runpy, sys; sys.path[0] = {str(target)!r}\n"
            f"print(runpy.run_path({str(link)!r})['demo'].title)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert page.title == f"Beside {link}" == alone.stdout.strip()
    assert {target, tmp_path} <= set(folders_of([str(link)]))
