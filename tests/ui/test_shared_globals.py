"""Globals that callbacks change are named, and sound patterns are not."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from entrypoints.ui import load_pages
from entrypoints.ui.apps.shared_globals import note_on_globals, shared_globals

BUTTON = """
with gr.Blocks() as demo:
    text = gr.Textbox()
    gr.Button().click(answer, text, text)
"""

UNSOUND = {
    "a dictionary": (
        "STORE = {}\ndef answer(x):\n    STORE['doc'] = x\n    return x",
        "STORE",
    ),
    "a part of a dictionary": (
        "STORE = {'docs': []}\ndef answer(x):\n    STORE['docs'].append(x)",
        "STORE",
    ),
    "a list": ("HISTORY = []\ndef answer(x):\n    HISTORY.append(x)", "HISTORY"),
    "a set": ("SEEN = set()\ndef answer(x):\n    if x not in SEEN:\n        SEEN.add(x)", "SEEN"),
    "a deque": (
        "from collections import deque\nLAST = deque(maxlen=9)\ndef answer(x):\n    LAST.appendleft(x)",
        "LAST",
    ),
    "global and assignment": (
        "document = None\ndef answer(x):\n    global document\n    document = x",
        "document",
    ),
    "global without a definition": (
        "def answer(x):\n    global document\n    document = x",
        "document",
    ),
    "a counter": ("count = 0\ndef answer(x):\n    global count\n    count += 1", "count"),
    "a counter in a dictionary": (
        "COUNTS = {'asked': 0}\ndef answer(x):\n    COUNTS['asked'] += 1",
        "COUNTS",
    ),
    "del": ("STORE = {'a': 1}\ndef answer(x):\n    del STORE[x]", "STORE"),
    "pop inside an expression": (
        "STORE = {'a': 1}\ndef answer(x):\n    return str(STORE.pop(x, 0))",
        "STORE",
    ),
    "clear before a return": (
        "ITEMS = [1]\ndef answer(x):\n    if x:\n        ITEMS.clear()\n    return x",
        "ITEMS",
    ),
    "several targets": (
        "A, B = {}, []\ndef answer(x):\n    A['x'], y = x, 1\n    for B[0] in x:\n        pass",
        "A",
    ),
    "a function that the callback calls": (
        "STORE = {}\ndef save(x):\n    STORE['doc'] = x\ndef answer(x):\n    save(x)",
        "STORE",
    ),
    "a lambda": ("HISTORY = []\nanswer = lambda x: HISTORY.append(x)", "HISTORY"),
    "a decorated function": (
        "import functools\nHISTORY = []\ndef logged(f):\n    @functools.wraps(f)\n    def inner(*a):\n"
        "        return f(*a)\n    return inner\n@logged\ndef answer(x):\n    HISTORY.append(x)",
        "HISTORY",
    ),
    "a generator": (
        "HISTORY = []\ndef answer(x):\n    yield x\n    HISTORY.extend(x)",
        "HISTORY",
    ),
    "a coroutine": (
        "HISTORY = []\nasync def answer(x):\n    async with open_it() as f:\n        HISTORY.insert(0, x)\n"
        "def open_it():\n    pass",
        "HISTORY",
    ),
    "an instance of a class of the app": (
        "class Store:\n    doc = None\nstore = Store()\ndef answer(x):\n    store.doc = x",
        "store",
    ),
    "a list of an instance": (
        "class Store:\n    def __init__(self):\n        self.docs = []\nstore = Store()\n"
        "def answer(x):\n    store.docs.append(x)",
        "store",
    ),
    "an attribute of a class": (
        "class Config:\n    doc = None\ndef answer(x):\n    Config.doc = x",
        "Config",
    ),
    "a method of the app": (
        "STORE = {}\nclass App:\n    def run(self, x):\n        STORE['doc'] = x\nanswer = App().run",
        "STORE",
    ),
    "behind a test of the input": (
        "STORE = {}\ndef answer(x):\n    if x is None:\n        return 'Upload first'\n    STORE['doc'] = x",
        "STORE",
    ),
    "behind a test of what is there": (
        "STORE = {}\ndef answer(x):\n    if 'doc' not in STORE:\n        return 'Upload first'\n"
        "    STORE['n'] = x",
        "STORE",
    ),
    "a function inside a callback": (
        "HISTORY = []\ndef answer(x):\n    def keep():\n        HISTORY.append(x)\n    keep()",
        "HISTORY",
    ),
}

SOUND = {
    "constants that are read": "NAMES = {'a': 1}\ndef answer(x):\n    return NAMES.get(x, NAMES['a'])",
    "a model that is loaded once": (
        "model = None\ndef answer(x):\n    global model\n    if model is None:\n        model = len\n    return x"
    ),
    "a model that is loaded once, the other way round": (
        "model = None\ndef load():\n    global model\n    if model is not None:\n        return model\n"
        "    model = len\n    return model\ndef answer(x):\n    return load()(x)"
    ),
    "models by name": (
        "MODELS = {}\ndef answer(x):\n    if x not in MODELS:\n        MODELS[x] = len\n    return MODELS[x](x)"
    ),
    "results by input, returned early": (
        "RESULTS = {}\ndef answer(x):\n    if x in RESULTS:\n        return RESULTS[x]\n    RESULTS[x] = len(x)"
    ),
    "results by input, found with get": (
        "RESULTS = {}\ndef answer(x):\n    found = RESULTS.get(x)\n    if found is None:\n"
        "        found = RESULTS[x] = len(x)\n    return found"
    ),
    "results by input, found with a walrus": (
        "RESULTS = {}\ndef answer(x):\n    if (found := RESULTS.get(x)) is not None:\n        return found\n"
        "    RESULTS[x] = len(x)"
    ),
    "results by input, after a KeyError": (
        "RESULTS = {}\ndef answer(x):\n    try:\n        return RESULTS[x]\n    except KeyError:\n"
        "        RESULTS[x] = len(x)"
    ),
    "a list that is filled once": (
        "DOCS = []\ndef answer(x):\n    if not DOCS:\n        DOCS.extend('ab')\n    return DOCS[0]"
    ),
    "a dictionary called cache": "_cache = {}\ndef answer(x):\n    _cache[x] = len(x)",
    "functools": (
        "from functools import cache, lru_cache\n@cache\ndef slow(x):\n    return x\n@lru_cache(9)\ndef other(x):\n"
        "    return x\ndef answer(x):\n    slow.cache_clear()\n    return slow(other(x))"
    ),
    "a lock around a counter": (
        "import threading\nguard = threading.Lock()\ncount = 0\ndef answer(x):\n    global count\n"
        "    with guard:\n        count += 1"
    ),
    "a lock of an attribute": (
        "import threading\nclass Shop:\n    def __init__(self):\n        self.lock = threading.RLock()\n"
        "shop = Shop()\nsold = []\ndef answer(x):\n    with shop.lock:\n        sold.append(x)"
    ),
    "loggers, queues and thread-local data": (
        "import logging, queue, threading\nlog = logging.getLogger('app')\nwaiting = queue.Queue()\n"
        "mine = threading.local()\ndef answer(x):\n    log.info(x)\n    log.x = 1\n    waiting.put(x)\n    mine.x = x"
    ),
    "a key of a session": (
        "CHATS = {}\ndef answer(x, request: gr.Request):\n    CHATS[request.session_hash] = x\n"
        "    CHATS.setdefault(request.session_hash, []).append(x)\n    CHATS[request.session_hash].append(x)"
    ),
    "a local name for the key of a session": (
        "CHATS = {}\ndef answer(x, request: gr.Request):\n    key = f'{request.session_hash}-1'\n"
        "    CHATS[key] = x\n    CHATS.pop(key, None)"
    ),
    "a key of a user": (
        "from gradioapp import current_user\nNOTES = {}\ndef answer(x):\n    NOTES[current_user().id] = x"
    ),
    "a local name that hides the global": (
        "STORE = {}\ndef answer(x):\n    STORE = {}\n    STORE['doc'] = x\n    return x"
    ),
    "a parameter that hides the global": (
        "state = {}\ndef answer(state):\n    state['doc'] = 1\n    return state"
    ),
    "a name of a function around it": (
        "items = []\ndef answer(x):\n    items = []\n    def keep():\n        items.append(x)\n    keep()\n    return items"
    ),
    "the name of a loop and of a comprehension": (
        "row = []\ndef answer(x):\n    for row in [[1], [2]]:\n        row.append(1)\n    return [row.pop() for row in [[1]]]"
    ),
    "injected State": (
        "from gradioapp import State, injected\ndef answer(x, *, state: State = injected):\n    state['doc'] = x"
    ),
    "gr.State": "state = gr.State([])\ndef answer(x):\n    return [*x, 1]",
    "a function that no callback calls": (
        "STORE = {}\ndef load():\n    STORE['a'] = 1\nload()\ndef answer(x):\n    return STORE['a']"
    ),
    "a copy": "BASE = {'a': []}\ndef answer(x):\n    mine = BASE.copy()\n    mine['a'] = x\n    return sorted(BASE)",
    "objects of libraries": (
        "import types, re, argparse\nparser = argparse.ArgumentParser()\nmodule = types.ModuleType('m')\n"
        "def answer(x):\n    module.x = 1\n    parser.prog = x\n    return x"
    ),
    "methods of an own class": (
        "class Bar:\n    def update(self, n):\n        return n\nbar = Bar()\ndef answer(x):\n    bar.update(1)"
    ),
    "what is meant": "BOARD = []  # shared\ndef answer(x):\n    BOARD.append(x)",
    "what is meant, with more words": (
        "BOARD = {  # shared: a guest book\n    'a': 1,\n}\ndef answer(x):\n    BOARD['a'] = x"
    ),
    "an environment variable": "import os\ndef answer(x):\n    os.environ['NAME'] = x",
}


Names = Callable[[str], list[str]]


@pytest.fixture
def names(tmp_path: Path) -> Names:
    """Return a function that loads an app and returns the globals that are named."""

    def find(source: str) -> list[str]:
        file = tmp_path / "an_app_with_globals.py"
        file.write_text(f"import gradio as gr\n{dedent(source)}\n")
        [page] = load_pages([str(file)])
        return [found.name for found in shared_globals(page.demo)]

    return find


@pytest.mark.parametrize(("source", "name"), UNSOUND.values(), ids=UNSOUND)
async def test_an_unsound_global_is_named(source: str, name: str, names: Names) -> None:
    assert names(source + BUTTON) == [name]


@pytest.mark.parametrize("source", SOUND.values(), ids=SOUND)
async def test_a_sound_global_is_not_named(source: str, names: Names) -> None:
    assert names(source + BUTTON) == []


@pytest.mark.parametrize(
    "app",
    [
        "demo = gr.ChatInterface(lambda m, h: HISTORY.append(m))",
        "def chat(m, h):\n    HISTORY.append(m)\ndemo = gr.ChatInterface(chat)",
        "def twice(x):\n    HISTORY.append(x)\ndemo = gr.Interface(twice, 'text', 'text')",
        "def first():\n    HISTORY.append(1)\nwith gr.Blocks() as demo:\n    gr.Textbox(first)",
        "with gr.Blocks() as demo:\n    @demo.load\n    def come():\n        HISTORY.append(1)",
        "def check(x):\n    HISTORY.append(x)\nwith gr.Blocks() as demo:\n    t = gr.Textbox()\n"
        "    t.change(str, t, t, validator=check)",
        "with gr.Blocks() as demo:\n    @gr.render()\n    def rows():\n        def add():\n            HISTORY.append(1)\n"
        "        gr.Button().click(add)",
        "def build():\n    with gr.Blocks() as demo:\n        def add():\n            HISTORY.append(1)\n"
        "        gr.Button().click(add)\n    return demo\ndemo = build()",
        "import functools\ndef add(n, x):\n    HISTORY.append(x)\nwith gr.Blocks() as demo:\n    t = gr.Textbox()\n"
        "    t.submit(functools.partial(add, 1), t)",
        "from gradioapp import requires\n@requires('admin')\ndef add():\n    HISTORY.append(1)\n"
        "with gr.Blocks() as demo:\n    gr.Button().click(add)",
    ],
)
async def test_every_kind_of_callback_counts(app: str, names: Names) -> None:
    assert names(f"HISTORY = []\n{app}") == ["HISTORY"]


async def test_a_global_of_a_module_beside_the_app_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "beside_globals.py").write_text(
        "STORE = {}\n\n\ndef answer(x):\n    STORE['doc'] = x\n"
    )
    app = tmp_path / "an_app_with_a_module.py"
    app.write_text(f"import gradio as gr\nfrom beside_globals import answer\n{BUTTON}")
    [page] = load_pages([str(app)])

    found = shared_globals(page.demo)

    assert [(one.name, one.line, one.changed_by) for one in found] == [("STORE", 1, "answer")]
    assert found[0].file == str(tmp_path / "beside_globals.py")
    assert f"STORE ({tmp_path / 'beside_globals.py'}, line 1, changed by answer)" in (
        note_on_globals(page.demo)
    )
