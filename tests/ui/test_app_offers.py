"""An app offers files and addresses by itself; a caller's text that the app has changed is no offer."""

import asyncio
import importlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from entrypoints.ui import limits
from entrypoints.ui.files import app_offers
from entrypoints.ui.files.app_offers import AppOffers
from entrypoints.ui.files.caller_names import CallerNames, Memory, names_in
from entrypoints.ui.files.showing import NOT_AT_YOUR_WORD
from entrypoints.ui.files.words import TooManyFiles, folded, words_in
from entrypoints.ui.wire.json_bodies import texts_in
from tests.ui.attacks import API, as_file, fetches, uploads
from tests.ui.conftest import Browser, Mounts, completed
from tests.ui.test_caller_names import SECRET, here
from tests.ui.test_named_files import Elsewhere, elsewhere

__all__ = ["elsewhere", "here"]

TEXTS: Final = (gr.Textbox, gr.Markdown, gr.HTML, gr.JSON, gr.Label, gr.Code, gr.Dataframe)


@pytest.fixture(autouse=True)
def written_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the files of the tests for files that were written before the first event."""
    monkeypatch.setattr(app_offers, "_CLOCK_STEP", 0.0)


def _showing(
    make: Callable[[Any], Any], *, takes: Any = gr.Textbox, gives: Any = gr.Textbox
) -> Any:
    """Return an app that makes an output of an input, and opens the file that a text names."""
    with gr.Blocks() as demo:
        gr.Button().click(make, takes(), gives(), api_name="make")
        gr.Button().click(lambda path: path, gr.Textbox(), gr.File(), api_name="show")
        gr.Button().click(lambda path: path, gr.Textbox(), gr.Image(), api_name="picture")
    return demo


async def _shows(browser: Browser, path: str) -> bool:
    return bool(completed(await browser.runs("show", path))["success"])


# What a caller's text becomes


CHANGED: Final[dict[str, tuple[Callable[[str], str], str]]] = {
    "with a greeting": (lambda text: f"Hello {text}", "/../notes.txt"),
    "with a greeting and a point": (lambda text: f"Hello {text}.", ",notes.txt/x/."),
    "in small letters": (str.lower, "NOTES.TXT"),
    "in capitals": (str.upper, "notes.txt"),
    "in a folder": (lambda text: f"docs/{text}", "../notes.txt"),
    "cut": (lambda text: text.split()[-1], "open notes.txt"),
    "from behind": (lambda text: text[::-1], "txt.seton"),
}


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize(
    ("how", "gives"),
    [(how, gives) for how in CHANGED for gives in (gr.Textbox, gr.Dropdown)][
        # An app that offers such a choice has computed a name of its own.
        :-1
    ],
)
async def test_a_changed_text_of_a_caller_is_no_offer(
    mounted: Mounts, here: Path, how: str, gives: Any
) -> None:
    change, text = CHANGED[how]
    (here / "docs").mkdir()

    def make(said: str) -> Any:
        return change(said) if gives is gr.Textbox else gr.Dropdown(choices=[change(said)])

    ada = await (await mounted(_showing(make, gives=gives))).signed_in()

    assert completed(await ada.runs("make", text))["success"]
    for path in (change(text), "notes.txt", "./notes.txt"):
        assert not await _shows(ada, path), path


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_the_path_of_anothers_upload_in_other_letters_gives_nobody_the_file(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(str.lower, gr.Textbox(), gr.File(), api_name="show")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    his = await uploads(bob, b"of bob", "b.txt")
    folders, digest, name = his.rsplit("/", 2)

    await ada.runs("show", f"{folders}/{digest.upper()}/{name}")

    assert his == his.lower()
    assert (await fetches(bob, his)).status_code == 200
    assert (await fetches(ada, his)).status_code == 404


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize("gives", [*TEXTS, gr.Dropdown, gr.Radio], ids=lambda kind: kind.__name__)
async def test_the_content_of_an_upload_is_no_offer(
    mounted: Mounts, here: Path, gives: Any
) -> None:
    def make(path: str) -> Any:
        text = Path(path).read_text()
        if gives is gr.Dataframe:
            return [[text]]
        if gives in {gr.Dropdown, gr.Radio}:
            return gives(choices=[text])
        return text if gives is not gr.JSON else {"file": text}

    ada = await (await mounted(_showing(make, takes=gr.File, gives=gives))).signed_in()
    hers = await uploads(ada, b"notes.txt", "a.txt")

    made = completed(await ada.runs("make", as_file(hers)))

    assert made["success"], made
    assert "notes.txt" in json.dumps(made["output"]["data"])
    assert not await _shows(ada, "notes.txt")


@pytest.mark.asvs("13.2.4", "15.3.2")
@pytest.mark.parametrize("gives", [gr.Textbox, gr.Dropdown])
async def test_an_address_in_an_output_is_no_offer(
    mounted: Mounts, elsewhere: Elsewhere, gives: Any
) -> None:
    def make(text: str) -> Any:
        return f"{text}!" if gives is gr.Textbox else gr.Dropdown(choices=[f"{text}!"])

    ada = await (await mounted(_showing(make, gives=gives))).signed_in()

    assert completed(await ada.runs("make", f"{elsewhere.address}/x.png"))["success"]
    await ada.runs("picture", f"{elsewhere.address}/x.png!")

    assert elsewhere.connections == 0


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize(
    ("change", "sent"),
    [
        (str.lower, "NOTES.TXT"),
        (str.lower, "Notes.txt"),
        (str.upper, "main.py"),
        (str, 777),
        (str, 1.5),
        (str, True),
    ],
)
async def test_a_text_that_is_changed_right_away_opens_no_file(
    mounted: Mounts, here: Path, change: Callable[[str], str], sent: Any
) -> None:
    for name in ("777", "1.5", "True", "MAIN.PY"):
        (here / name).write_text(SECRET)
    with gr.Blocks() as demo:
        gr.Button().click(change, gr.Textbox(), gr.File(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    assert not await _shows(ada, sent)


CLIMBING: Final[dict[str, tuple[Callable[[str], str], str]]] = {
    "a name": (lambda text: f"docs/{text}", "../notes.txt"),
    "with an ending": (lambda text: f"docs/{text}.txt", "../notes"),
    "in small letters": (lambda text: f"docs/{text.lower()}", "../NOTES.TXT"),
    "cut": (lambda text: f"docs/{text[:12]}", "../notes.txtZZZ"),
    "cut from a long text": (lambda text: f"docs/{text[:12]}", "../notes.txt" + "a" * 17_000),
    "of a list": (lambda text: "/".join(["docs", *text.split(",")]), "..,notes.txt"),
    "after a word": (lambda text: f"docs/{text.split()[-1]}", "open ../notes.txt"),
    "twice": (lambda text: f"docs/inner/{text}", "../../notes.txt"),
}


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("how", CLIMBING)
async def test_a_path_that_climbs_out_of_the_apps_folder_is_not_opened(
    mounted: Mounts, here: Path, how: str
) -> None:
    change, text = CLIMBING[how]
    (here / "docs" / "inner").mkdir(parents=True)
    with gr.Blocks() as demo:
        gr.Button().click(change, gr.Textbox(), gr.File(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    assert os.path.realpath(change(text)) == str(here / "notes.txt")  # noqa: ASYNC240 -- Quick.
    assert not await _shows(ada, text)


async def test_a_new_file_is_opened_whatever_its_caller_has_sent(
    mounted: Mounts, here: Path
) -> None:
    def draw(text: str) -> str:
        Path("drawn.txt").write_text(text)
        return "drawn.txt"

    with gr.Blocks() as demo:
        gr.Button().click(draw, gr.Textbox(), gr.File(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    assert await _shows(ada, "import ../other")


@pytest.mark.asvs("5.3.2")
async def test_a_path_that_climbs_offers_no_new_file(mounted: Mounts, here: Path) -> None:
    def make(text: str) -> str:
        (here / "app.log").write_text(SECRET)
        return f"docs/{text}.log"

    (here / "docs").mkdir()
    ada = await (await mounted(_showing(make))).signed_in()

    assert completed(await ada.runs("make", "../app"))["success"]
    assert not await _shows(ada, "app.log")


@pytest.mark.parametrize("text", ["a.txt", "hello...", "see a..b", "1...2"])
async def test_a_file_below_the_apps_folder_is_opened(
    mounted: Mounts, here: Path, text: str
) -> None:
    (here / "docs").mkdir()
    (here / "docs" / "a.txt").write_text("for all")
    with gr.Blocks() as demo:
        gr.Button().click(lambda t: "docs/../docs/a.txt", gr.Textbox(), gr.File(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    assert await _shows(ada, text)


@pytest.mark.parametrize("name", ["42", "2024.11.29", "true"])
async def test_a_file_whose_name_is_a_number_is_opened_if_no_caller_has_sent_the_number(
    mounted: Mounts, here: Path, name: str
) -> None:
    (here / name).write_text("for all")
    with gr.Blocks() as demo:
        gr.Button().click(lambda t: name, gr.Textbox(), gr.File(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    assert await _shows(ada, "hello")


# Ways in which a caller sends words


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize("as_form", [True, False])
async def test_the_words_of_a_server_function_are_its_callers(
    mounted: Mounts, here: Path, *, as_form: bool
) -> None:
    kept: list[str] = []

    def keep(text: str = "") -> None:
        kept.append(text)

    with gr.Blocks() as demo:
        html = gr.HTML("", server_functions=[keep])
        gr.Button().click(lambda: kept[-1], None, gr.File(), api_name="give")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    fields = {
        "data": "notes.txt",
        "component_id": html._id,
        "fn_name": "keep",
        "session_hash": "t",
    }

    response = await ada.http.post(
        f"{API}/component_server",
        **(
            {"files": {k: (None, str(v)) for k, v in fields.items()}}
            if as_form
            else {"json": fields}
        ),
    )
    kept.append("notes.txt")

    assert response.status_code == 200, response.text
    assert not completed(await ada.runs("give"))["success"]
    assert completed(await bob.runs("give"))["success"]  # He has not named it.


SENT: Final[dict[str, Any]] = {
    "value of the query": {"params": {"f": "notes.txt"}},
    "name in the query": {"params": {"notes.txt": "1"}},
    "value of a header": {"headers": {"x-file": "notes.txt"}},
    "name of a header": {"headers": {"notes.txt": "1"}},
}


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize("where", SENT)
@pytest.mark.parametrize("way", ["run", "call"])
async def test_the_values_of_the_query_and_of_headers_are_their_senders_words(
    mounted: Mounts, here: Path, where: str, way: str
) -> None:
    def show(request: gr.Request) -> Any:
        names = [*request.query_params, *(n for n in request.headers if n.startswith("notes"))]
        found = request.query_params.get("f") or request.headers.get("x-file")
        return found or names[0]

    with gr.Blocks() as demo:
        gr.Button().click(show, None, gr.File(), api_name="show")
    ada = await (await mounted(demo)).signed_in()
    response = await ada.http.post(f"{API}/{way}/show", json={"data": []}, **SENT[where])
    text = response.text
    if way == "call":
        text = (await ada.http.get(f"{API}/call/show/{response.json()['event_id']}")).text

    assert NOT_AT_YOUR_WORD in text or "event: error" in text
    assert not list((here / "kept").rglob("*notes*"))


A_COMPONENT: Final = """
import gradio as gr


class Named(gr.File):
    EVENTS = []

    def preprocess(self, payload):
        return payload.orig_name
"""


@pytest.mark.asvs("5.3.2", "13.3.2")
async def test_the_name_of_an_upload_is_a_word_where_an_authors_component_passes_it_on(
    mounted: Mounts, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "an_authors_component.py").write_text(A_COMPONENT)
    monkeypatch.syspath_prepend(str(here))
    authors = importlib.import_module("an_authors_component")
    with gr.Blocks() as demo:
        gr.Button().click(lambda name: name, authors.Named(), gr.File(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()
    hers = await uploads(ada, b"hers", "notes.txt")

    shown = completed(await ada.runs("show", as_file(hers, orig_name="notes.txt")))

    assert not shown["success"]


# What an app offers


@pytest.mark.parametrize("gives", [gr.Textbox, gr.JSON, gr.Dataframe])
async def test_a_file_that_the_app_has_written_meanwhile_is_opened_at_its_path(
    mounted: Mounts, here: Path, gives: Any
) -> None:
    """An app passes the path on in a hidden Textbox, for the next step."""
    (here / "made").mkdir()

    def make(said: str) -> Iterator[Any]:
        path = f"made/{said}.wav"
        Path(path).write_text("made")
        yield None
        yield [[path]] if gives is gr.Dataframe else {"file": path} if gives is gr.JSON else path

    ada = await (await mounted(_showing(make, gives=gives))).signed_in()

    for name in ("a", "b"):
        assert completed(await ada.runs("make", name))["success"]
        assert await _shows(ada, f"made/{name}.wav")


async def test_a_list_of_files_is_offered_after_a_search_for_them(
    mounted: Mounts, here: Path
) -> None:
    def find(text: str) -> Any:
        return gr.Dropdown(choices=[path.name for path in here.glob(f"*{text}*")])

    ada = await (await mounted(_showing(find, gives=gr.Dropdown))).signed_in()

    assert not await _shows(ada, "notes.csv")
    assert completed(await ada.runs("make", "otes.t"))["success"]
    assert await _shows(ada, "notes.txt")


async def test_what_gr_render_builds_offers_its_choices(mounted: Mounts, here: Path) -> None:
    with gr.Blocks() as demo:

        @gr.render()  # type: ignore[untyped-decorator]
        def build() -> None:
            gr.Dropdown(["notes.txt"])
            gr.Textbox("notes.csv")

        gr.Button().click(lambda path: path, gr.Textbox(), gr.File(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()
    body = {"data": [], "fn_index": 0, "session_hash": "tab"}
    await ada.http.post(f"{API}/queue/join", json=body)
    assert completed(await ada.told("tab"))["success"]

    assert await _shows(ada, "notes.txt")
    assert not await _shows(ada, "notes.csv")


# What is Gradio's own

COMPONENTS: Final = sorted(
    {
        kind
        for kind in vars(gr).values()
        if isinstance(kind, type) and issubclass(kind, gr.components.Component)
    },
    key=lambda kind: kind.__name__,
)
MADE_WITH: Final[dict[str, Callable[[], Any]]] = {
    "Dataset": lambda: gr.Dataset(components=[gr.Image(visible=False)], samples=[[None]]),
    "FormComponent": lambda: None,
    "Component": lambda: None,
}


def test_components_were_found() -> None:
    assert {gr.FileExplorer, gr.Image, gr.Audio, gr.Gallery, gr.Chatbot} <= set(COMPONENTS)


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize("kind", COMPONENTS, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore")
def test_a_bare_component_offers_no_file_and_no_address(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands for each word in its configuration."""
    monkeypatch.chdir(tmp_path)
    with gr.Blocks() as demo:
        MADE_WITH.get(kind.__name__, kind)()
    for text in texts_in([demo.config]):
        for word in {text, *words_in(text)}:
            if word and "/" not in word and "\0" not in word and len(word) < 100:
                (tmp_path / word).touch()
    (tmp_path / "app.py").touch()

    offers = AppOffers(demo.blocks.values())

    account: Any = object()
    assert not [path for path in tmp_path.iterdir() if offers.has(account, str(path))]
    assert not [
        word
        for text in texts_in([demo.config])
        for word in words_in(text)
        if offers.has(account, word.strip())
    ]


def _in_a_value() -> Any:
    return gr.Textbox("notes.txt")


def _in_choices() -> Any:
    return gr.Dropdown(["notes.txt"])


def _in_labels_of_choices() -> Any:
    return gr.Radio([("Notes", "notes.txt")])


def _in_samples() -> Any:
    return gr.Dataset(components=["textbox"], samples=[["notes.txt"]])


def _in_examples() -> Any:
    return gr.Examples([["notes.txt"]], gr.Textbox())


def _in_choices_set_later() -> Any:
    later: Any = gr.Dropdown()
    later.choices = [("notes.txt", "notes.txt")]
    return later


def _in_a_table() -> Any:
    return gr.Dataframe([["notes.txt"]])


WRITTEN: Final = (
    *(_in_a_value, _in_choices, _in_labels_of_choices, _in_samples, _in_examples),
    *(_in_choices_set_later, _in_a_table),
)


@pytest.mark.parametrize("make", WRITTEN, ids=lambda make: make.__name__)
def test_what_an_author_writes_is_offered(make: Callable[[], Any], here: Path) -> None:
    with gr.Blocks() as demo:
        make()
    account: Any = object()

    assert AppOffers(demo.blocks.values()).has(account, str(here / "notes.txt"))


A_CHOICE: Final = """
import gradio as gr


class Chosen(gr.Dropdown):
    EVENTS = []

    def __init__(self, choices=None):
        super().__init__(choices=choices or ["notes.txt"])
"""


def test_what_a_class_of_the_author_writes_is_offered(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "an_authors_choice.py").write_text(A_CHOICE)
    monkeypatch.syspath_prepend(str(here))
    authors = importlib.import_module("an_authors_choice")
    with gr.Blocks() as demo:
        authors.Chosen()
    account: Any = object()

    assert AppOffers(demo.blocks.values()).has(account, str(here / "notes.txt"))


# Bounds


def _names(texts: str = "") -> CallerNames:
    account: Any = object()
    return CallerNames(Memory(), AppOffers(()), account, texts)


async def test_offers_take_no_memory_for_addresses_that_nobody_could_type() -> None:
    names = _names()
    long = f"http:{'x' * limits.LONGEST_PATH}"

    await names.note_offers(
        [("dropdown", {"choices": [[long, long], ["http://a/b", "http://a/b"]]})]
    )

    assert names.offers.has(names.account, "http://a/b")
    assert not names.offers.has(names.account, long)


async def test_no_text_holds_the_event_loop(here: Path) -> None:
    """Each piece of work takes a turn; a task that waits for its turns is never far behind."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    for text in ("../zq," * 300_000, "." * 2_000_000, "A" * 2_000_000, "x/../" * 400_000):
        before = turns
        said, _ = await folded([text])
        assert turns - before >= len(text) // 100_000 // 4
        assert said
    counting.cancel()


@pytest.mark.parametrize("part", ["a/", "../", "0123/"])
async def test_a_long_text_is_not_split_into_the_parts_of_a_path(
    here: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """That would hold the event loop for a second."""
    split: list[str] = []
    monkeypatch.setattr("os.path.normpath", split.append)

    assert not (await names_in([part * 2_000_000])).paths
    assert not split


async def test_many_words_are_dismissed_by_one_look_into_the_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    stat = os.stat

    def count(path: Any, *more: Any, **options: Any) -> Any:
        asked.append(path)
        return stat(path, *more, **options)

    monkeypatch.setattr("os.stat", count)

    names = await names_in([*(f"cell {number}" for number in range(5_000)), "NOTES.TXT"])

    assert names.paths == {str(here / "notes.txt")}
    assert len(asked) < 500


async def test_more_paths_than_are_looked_up_are_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.ui.files.words.PATHS_LOOKED_UP", 1_000)
    paths = [f"a/{number}" for number in range(1_001)]

    await names_in(paths[:-1])
    with pytest.raises(TooManyFiles):
        await names_in(paths)


@pytest.mark.asvs("5.3.2")
async def test_the_name_of_a_file_in_a_form_is_its_senders_word(
    mounted: Mounts, here: Path
) -> None:
    def keep(text: str = "") -> None: ...

    with gr.Blocks() as demo:
        html = gr.HTML("", server_functions=[keep])
        gr.Button().click(lambda: "notes.txt", None, gr.File(), api_name="give")
    ada = await (await mounted(demo)).signed_in()
    fields = {"component_id": str(html._id), "fn_name": "keep", "session_hash": "t"}

    await ada.http.post(f"{API}/component_server", data=fields, files={"file": ("notes.txt", b"x")})

    assert not completed(await ada.runs("give"))["success"]
