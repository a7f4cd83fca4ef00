"""An author's app, from what is typed behind --app to a page; and what is said when it cannot be had."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import pytest
from gradio.context import Context

from entrypoints.ui.launching import options_of
from entrypoints.ui.loading import folders_of, load_pages
from entrypoints.ui.sdk import Page, PageRefused

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


async def test_a_file_and_a_name_are_an_app(writes: Writes) -> None:
    page = the_page(f"{writes(AN_APP)}:demo")

    assert isinstance(page.demo, gr.Blocks)


async def test_without_a_name_it_is_demo(writes: Writes) -> None:
    assert the_page(writes(AN_APP)).demo is not None


async def test_a_module_of_the_folder_is_an_app(
    writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes(AN_APP, "my_package/my_app.py")
    monkeypatch.chdir(tmp_path)

    assert the_page("my_package.my_app:demo").title == "My app"


async def test_an_app_without_a_title_is_called_after_its_file(writes: Writes) -> None:
    assert the_page(writes(AN_APP, "sales_forecast.py")).title == "Sales forecast"


async def test_an_app_with_a_title_keeps_it(writes: Writes) -> None:
    app = writes(AN_APP.replace("Blocks()", 'Blocks(title="Forecast of sales")'))

    assert the_page(app).title == "Forecast of sales"


async def test_a_page_of_an_author_says_more(writes: Writes) -> None:
    text = f"""{AN_APP}
from entrypoints.ui.sdk import Page

page = Page(demo, title="Forecast", roles={{"analyst"}}, order=3)
untitled = Page(demo)
"""
    app = writes(text)

    page, untitled = load_pages([f"{app}:page", f"{app}:untitled"])

    assert (page.title, page.roles, page.order) == ("Forecast", {"analyst"}, 3)
    assert untitled.title == "My demo"
    assert page.demo is untitled.demo  # One file is imported once.


async def test_a_role_that_is_a_text_is_refused() -> None:
    with pytest.raises(PageRefused, match=r'write roles=\{"analyst"\}'):
        Page(gr.Blocks(), roles="analyst")


async def test_a_file_that_launches_itself_is_imported_to_its_end(writes: Writes) -> None:
    app = writes(f'{AN_APP}\ndemo.queue(max_size=9).launch(theme="soft", share=True)\nend = demo\n')

    page = the_page(f"{app}:end")

    assert options_of(page.demo) == {"theme": "soft"}


async def test_the_main_block_is_not_run_but_what_it_says_of_looks_and_queue_holds(
    writes: Writes,
) -> None:
    app = writes(
        f"""{AN_APP}
CSS = ".big {{ font-size: 2rem }}"

if __name__ == "__main__":
    raise RuntimeError("run")
    demo.queue(max_size=9).launch(css=CSS, server_port=int(undefined), js=undefined)
"""
    )

    page = the_page(app)

    assert options_of(page.demo) == {"css": ".big { font-size: 2rem }"}
    assert page.demo._queue.max_size == 9


async def test_looks_of_gradio_5_hold(writes: Writes) -> None:
    app = writes(AN_APP.replace("Blocks()", 'Blocks(theme="soft", head="<meta name=a>")'))

    with pytest.warns(UserWarning, match="have been moved from the Blocks constructor"):
        page = the_page(app)

    assert options_of(page.demo) == {"theme": "soft", "head": "<meta name=a>"}


async def test_what_stands_beside_the_file_can_be_imported_and_comes_last(writes: Writes) -> None:
    writes("WORD = 'hello'", "beside_it.py")
    writes("raise RuntimeError('imported instead of the library')", "httpx.py")
    app = writes(f"import beside_it, httpx\n{AN_APP}")

    assert the_page(app).title == "My demo"
    assert sys.path[-1] == str(Path(app).parent)


async def test_two_files_of_one_name_are_two_apps(writes: Writes) -> None:
    titled = AN_APP.replace("Blocks()", 'Blocks(title="Other")')

    one, two = load_pages([writes(AN_APP, "a/app.py"), writes(titled, "b/app.py")])

    assert (one.title, two.title) == ("A", "Other")


@pytest.mark.parametrize("name", ["app.py", "main.py", "run.py"])
async def test_a_file_called_like_everybodys_is_called_after_its_folder(
    name: str, writes: Writes
) -> None:
    page = the_page(writes(AN_APP, f"sales_forecast/{name}"))

    assert (page.title, page.path) == ("Sales forecast", "sales-forecast")


async def test_apps_of_one_title_have_an_address_each(writes: Writes) -> None:
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

    assert one == two  # Which is refused when it is mounted.


@pytest.mark.parametrize("title", ["翻译", "🎨", "Config", "Login"])
async def test_an_app_has_an_address_whatever_its_title(title: str, writes: Writes) -> None:
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
async def test_without_a_name_it_is_the_only_app_there_is(text: str, writes: Writes) -> None:
    assert the_page(writes(text)).title == "My demo"


async def test_of_two_apps_one_has_to_be_named(writes: Writes) -> None:
    app = writes(f"{AN_APP}\nother = gr.Blocks()\nan_app, demo = demo, None\n")

    assert re.search(r"It has: other, an_app\. Type: --app .*:other$", refusal_of(app))


async def test_what_fails_in_a_main_block_is_told_at_its_line(writes: Writes) -> None:
    app = writes("if __name__ == '__main__':\n    print()\n    1 / 0\n")

    assert re.search(r"my_demo\.py, line 3: ZeroDivisionError", refusal_of(app))


async def test_no_app_shows_what_the_examples_of_another_gave(
    writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_EXAMPLES_CACHE", str(tmp_path / "kept"))
    seen = {}
    for name in ("one", "two"):
        text = "import gradio as gr\n\nwith gr.Blocks() as demo:\n    a, b = gr.Textbox(), gr.Textbox()\n"
        text += f"    kept = gr.Examples(['x'], a, b, lambda x: 'of {name}', cache_examples=True)\n"
        # As when the service is started with the first app, and then with the other.
        monkeypatch.setattr(Context, "id", 1000)
        the_page(writes(text, f"{name}.py"))
        seen[name] = sys.modules[name].kept.load_from_cache(0)

    assert seen == {"one": ["of one"], "two": ["of two"]}
    assert len(os.listdir(tmp_path / "kept")) == 2  # noqa: PTH208 -- Ruff takes Path's for blocking.


async def test_what_examples_gave_is_kept_for_the_next_start(
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


async def test_each_app_imports_what_stands_beside_itself(writes: Writes) -> None:
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


async def test_apps_of_one_folder_share_what_stands_beside_them(writes: Writes) -> None:
    writes("SEEN = []", "shared.py")
    text = f"import shared\n{AN_APP}\nshared.SEEN.append(__name__)\n"

    load_pages([writes(text, "a.py"), writes(text, "b.py")])

    assert sys.modules["shared"].SEEN == ["a", "b"]


async def test_a_file_named_like_a_library_is_not_taken_for_it(writes: Writes) -> None:
    the_page(writes(AN_APP, "httpx.py"))

    import httpx

    assert hasattr(httpx, "AsyncClient")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import gradio\n\n1 / 0\n", r"my_demo\.py, line 3: ZeroDivisionError: division by zero$"),
        ("def (\n", r"my_demo\.py, line 1: SyntaxError: "),
        ("raise SystemExit(3)", r"my_demo\.py, line 1: SystemExit: 3$"),
        ("import absent_library", r"line 1: ModuleNotFoundError.*uv run --with absent_library"),
        ("x = 1", r"has no demo\. It has no gr\.Blocks at its top level: "),
        (
            f"{AN_APP}\napp, demo = demo, 3",
            r"is a int, not a gr\.Blocks\. .*--app .*my_demo\.py:app$",
        ),
        (f"{AN_APP}\napp = demo\ndel demo", r"has no demo\. It has: app\. .*my_demo\.py:app$"),
    ],
)
async def test_a_faulty_app_is_one_line_that_names_the_place(
    text: str, says: str, writes: Writes
) -> None:
    assert re.search(says, refusal_of(f"{writes(text)}:demo"))


async def test_a_fault_below_the_file_is_told_at_the_line_of_the_file(writes: Writes) -> None:
    app = writes("import json\n\njson.loads('{')\n")

    assert re.search(r"my_demo\.py, line 3: JSONDecodeError", refusal_of(app))


@pytest.mark.parametrize("app", ["nowhere.py:demo", "nowhere.py", "a/b.py:demo"])
async def test_a_file_that_is_not_there_is_named(app: str) -> None:
    assert refusal_of(app).startswith(app.removesuffix(":demo"))


async def test_a_file_that_is_no_python_is_named(
    writes: Writes, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(writes("words", "notes.txt")).parent
    monkeypatch.chdir(folder)

    assert refusal_of("notes.txt").startswith("notes.txt is no Python file")


async def test_a_file_without_an_app_says_what_to_write(writes: Writes) -> None:
    app = writes("import gradio as gr\n\ndef build():\n    return gr.Blocks()\n")

    assert refusal_of(app).endswith(
        "has no demo. It has no gr.Blocks at its top level: write one there, as in demo = gr.Blocks()."
    )


async def test_a_module_that_is_not_there_is_named() -> None:
    assert "no module nowhere" in refusal_of("nowhere:demo")


@pytest.mark.parametrize("app", ["", ":demo"])
async def test_no_file_at_all_says_what_to_type(app: str) -> None:
    assert refusal_of(app) == f"{app!r} names no app. Type: gradioapp serve --app FILE.py:NAME"


@pytest.mark.parametrize("name", ["domain.py", "application/__init__.py", "adapters.py"])
async def test_a_folder_with_a_name_of_ours_in_it_is_refused(name: str, writes: Writes) -> None:
    writes("", name)

    assert "has the name of a part of gradioapp" in refusal_of(writes(AN_APP))


@pytest.mark.parametrize("app", ["domain:demo", "entrypoints.app:demo"])
async def test_a_module_of_ours_is_no_app(app: str) -> None:
    assert "has the name of a part of gradioapp" in refusal_of(app)


async def test_folders_to_watch_are_those_of_the_apps(writes: Writes, tmp_path: Path) -> None:
    one, two = writes(AN_APP, "a/one.py"), writes(AN_APP, "b/two.py")

    assert folders_of([one, f"{two}:demo", "nowhere.py"]) == [tmp_path / "a", tmp_path / "b"]
