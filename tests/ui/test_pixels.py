"""Images of too many pixels are refused before they are decoded, wherever one is decoded for a caller."""

import base64
import gc
import subprocess
import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

import gradio as gr
import numpy as np
import pytest
from gradio.components import Component
from PIL import Image

from entrypoints.ui import pixels
from tests.ui.attacks import API, as_file, uploads
from tests.ui.conftest import Browser, House, Mounts, completed

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
"""Of files that Gradio opens and leaves to the collector."""
MOST: Final = 10_000
"""Pixels, in these tests."""
ENOUGH, ONE_MORE, HALF = (100, 100), (137, 73), (100, 50)


def picture(size: tuple[int, int], kind: str = "PNG", frames: int = 1) -> bytes:
    content = BytesIO()
    first, *rest = (Image.new("RGB", size, (40 * number, 9, 9)) for number in range(frames))
    more = {"save_all": True, "append_images": rest} if rest else {}
    first.save(content, kind, **more)
    return content.getvalue()


def described(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: described(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return list(map(described, value))
    if isinstance(value, np.ndarray | Image.Image):
        return list(value.size if isinstance(value, Image.Image) else value.shape[1::-1])
    return value if isinstance(value, str) else type(value).__name__


def read(value: Any) -> Any:
    return [described(value)]


def reading(make: Callable[[], Component]) -> gr.Blocks:
    with gr.Blocks() as demo:
        gr.Button().click(read, make(), gr.JSON(), api_name="read")
    return cast("gr.Blocks", demo)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))


async def served(mounted: Mounts, demo: gr.Blocks, **settings: Any) -> tuple[House, Browser]:
    house = await mounted(demo, image_pixels=MOST, **settings)
    return house, await house.signed_in()


async def file_of(
    browser: Browser, size: tuple[int, int], kind: str = "PNG", frames: int = 1
) -> Any:
    name = f"a.{kind.lower()}"
    path = await uploads(browser, picture(size, kind, frames), name)
    return as_file(path, orig_name=name)


async def refusal(browser: Browser, api_name: str, *data: Any) -> str:
    last = completed(await browser.runs(api_name, *data))
    assert not last["success"], last
    assert last["output"]["title"] == "Image too large"
    return str(last["output"]["error"])


def in_a_chat(files: Sequence[Any]) -> list[Any]:
    content = [
        {
            "type": "component",
            "component": "image",
            "value": file,
            "constructor_args": {},
            "props": {},
        }
        for file in files
    ]
    return [{"role": "user", "content": content, "metadata": None, "options": None}]


Value = Callable[[Any], Any]
READERS: Final[dict[str, tuple[Callable[[], Component], Value]]] = {
    "Image": (lambda: gr.Image(), lambda file: file),
    "Image, pil": (lambda: gr.Image(type="pil"), lambda file: file),
    "Image, filepath": (lambda: gr.Image(type="filepath"), lambda file: file),
    "ImageEditor": (
        lambda: gr.ImageEditor(),
        lambda file: {"background": file, "layers": [], "composite": None},
    ),
    "ImageEditor, layer": (
        lambda: gr.ImageEditor(),
        lambda file: {"background": None, "layers": [file], "composite": None},
    ),
    "ImageEditor, composite": (
        lambda: gr.ImageEditor(type="pil"),
        lambda file: {"background": None, "layers": [], "composite": file},
    ),
    "Sketchpad": (
        lambda: gr.Sketchpad(),
        lambda file: {"background": None, "layers": [], "composite": file},
    ),
    "Gallery": (
        lambda: gr.Gallery(type="numpy"),
        lambda file: [{"image": file, "caption": None}],
    ),
    "Gallery, pil": (
        lambda: gr.Gallery(type="pil"),
        lambda file: [{"image": file, "caption": None}],
    ),
    "ImageSlider": (lambda: gr.ImageSlider(), lambda file: [file, None]),
    "Chatbot": (lambda: gr.Chatbot(), lambda file: in_a_chat([file])),
}


@pytest.mark.asvs("5.2.6", "15.2.2")
@pytest.mark.parametrize("reader", READERS)
async def test_an_image_of_too_many_pixels_is_refused(mounted: Mounts, reader: str) -> None:
    make, value = READERS[reader]
    _, ada = await served(mounted, reading(make))

    told = completed(await ada.runs("read", value(await file_of(ada, ENOUGH))))
    refused = await refusal(ada, "read", value(await file_of(ada, ONE_MORE)))

    assert told["success"], told
    assert refused == "An image has 10,001 pixels, and may have 10,000: make it smaller."


async def test_images_of_one_event_are_counted_together(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        chat, images = gr.Chatbot(), [gr.Image() for _ in range(5)]
        gr.Button().click(lambda _: "read", chat, gr.Textbox(), api_name="chat")
        gr.Button().click(lambda *_: "read", images, gr.Textbox(), api_name="images")
    _, ada = await served(mounted, demo)
    file = await file_of(ada, HALF)

    assert await ada.gets("chat", in_a_chat([file] * 4)) == "read"
    assert await ada.gets("images", *[file] * 4, None) == "read"
    assert "20,000 pixels together" in await refusal(ada, "chat", in_a_chat([file] * 5))
    assert "20,000 pixels together" in await refusal(ada, "images", *[file] * 5)
    assert await ada.gets("chat", in_a_chat([file] * 4)) == "read"


async def test_each_of_a_batch_has_pixels_of_its_own(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        image = gr.Image()
        gr.Button().click(
            lambda images: [[len(images)] * len(images)],
            image,
            gr.Number(),
            api_name="count",
            batch=True,
            max_batch_size=4,
        )
    _, ada = await served(mounted, demo)
    file = await file_of(ada, ENOUGH)

    tabs = [await ada.start("count", file, tab=f"of{number}") for number in range(4)]

    assert all([completed(await ada.told(tab))["success"] for tab in tabs])


async def test_what_was_decoded_before_a_refusal_is_released_at_once(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        pictures = gr.Gallery(type="pil")
        gr.Button().click(len, pictures, gr.Number(), api_name="count")
    _, ada = await served(mounted, demo)
    items = [{"image": await file_of(ada, HALF), "caption": None}] * 5

    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            assert "20,000 pixels together" in await refusal(ada, "count", items)
        left = [one for one in gc.get_objects() if isinstance(one, Image.Image)]
    finally:
        gc.enable()

    assert left == []


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
async def test_each_frame_of_an_animation_counts(mounted: Mounts, kind: str) -> None:
    _, ada = await served(mounted, reading(lambda: gr.Image(type="filepath", image_mode="L")))
    few, many = await file_of(ada, HALF, kind, 2), await file_of(ada, HALF, kind, 5)
    named = [{**file, "orig_name": "a.gif"} for file in (few, many)]

    assert await ada.gets("read", named[0])
    assert "20,000 pixels together" in await refusal(ada, "read", named[1])


async def test_a_later_page_may_not_be_larger_than_the_first(mounted: Mounts) -> None:
    content = BytesIO()
    later = Image.new("RGB", ONE_MORE)
    Image.new("RGB", HALF).save(content, "TIFF", save_all=True, append_images=[later])
    _, ada = await served(mounted, reading(lambda: gr.Image(type="filepath", image_mode="L")))
    path = await uploads(ada, content.getvalue(), "a.tiff")

    assert "10,001" in await refusal(ada, "read", as_file(path, orig_name="a.gif"))


async def test_a_picture_within_the_address_is_counted_too(mounted: Mounts) -> None:
    _, ada = await served(mounted, reading(lambda: gr.Image(type="pil")))

    def within(size: tuple[int, int]) -> Any:
        return {"url": "data:image/png;base64," + base64.b64encode(picture(size)).decode()}

    assert await ada.gets("read", within(ENOUGH)) == [list(ENOUGH)]
    assert "10,001" in await refusal(ada, "read", within(ONE_MORE))


async def test_what_is_drawn_is_counted_too(mounted: Mounts) -> None:
    demo = reading(lambda: gr.ImageEditor(type="pil"))
    house, ada = await served(mounted, demo)
    number = next(n for n, b in house.demo.blocks.items() if isinstance(b, gr.ImageEditor))

    async def draws(name: str, size: tuple[int, int]) -> Any:
        fields = {"type": "composite", "index": "null", "id": name, "fn_name": "accept_blobs"}
        fields |= {"component_id": str(number), "session_hash": "mine"}
        files = {"file": ("blob", picture(size))}
        answer = await ada.http.post(f"{API}/component_server", data=fields, files=files)
        assert answer.status_code == 200
        value: Any = {"background": None, "layers": [], "composite": None, "id": name}
        return completed(await ada.told(await ada.start("read", value, tab="mine")))

    assert (await draws("small", ENOUGH))["output"]["data"][0][0]["composite"] == list(ENOUGH)
    assert "10,001" in (await draws("large", ONE_MORE))["output"]["error"]


async def test_an_image_that_is_read_for_the_answer_counts(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        out = gr.AnnotatedImage()
        gr.Button().click(
            lambda path: (path, [((0, 0, 9, 9), "here")]), gr.File(), out, api_name="annotate"
        )
    _, ada = await served(mounted, demo)

    assert await ada.gets("annotate", await file_of(ada, ENOUGH))
    assert "10,001" in await refusal(ada, "annotate", await file_of(ada, ONE_MORE))


@pytest.mark.parametrize(
    ("authors", "size", "is_read"),
    [
        (20_000, (200, 100), True),
        (20_000, (201, 100), False),
        (5_000, ENOUGH, True),
        (None, (1000, 100), True),
    ],
)
async def test_an_authors_own_limit_counts_where_it_is_higher(
    mounted: Mounts,
    monkeypatch: pytest.MonkeyPatch,
    authors: int | None,
    size: tuple[int, int],
    is_read: bool,  # noqa: FBT001 -- A column of the table.
    lines: list[Any],
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", authors)
    _, ada = await served(mounted, reading(gr.Image))

    with pytest.MonkeyPatch.context() as quiet:
        quiet.setattr("warnings.warn", lambda *_, **__: None)
        told = completed(await ada.runs("read", await file_of(ada, size)))

    assert told["success"] is is_read
    said = [line for line in lines if "no limit of pixels" in line["event"]]
    assert bool(said) is (authors is None)


async def test_what_an_author_opens_has_pillows_own_limit(mounted: Mounts, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(picture((500, 500)))

    def measure(_: Any) -> int:
        return sum(Image.open(large).size[0] for _ in range(9))

    with gr.Blocks() as demo:
        gr.Button().click(measure, gr.Image(), gr.Number(), api_name="measure")
    _, ada = await served(mounted, demo)

    assert await ada.gets("measure", await file_of(ada, ENOUGH)) == 4500
    assert Image.open(large).size == (500, 500)


async def test_an_authors_examples_are_read_whatever_their_size(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_EXAMPLES_CACHE", str(tmp_path / "examples"))
    large = tmp_path / "large.png"
    large.write_bytes(picture((500, 500)))

    with gr.Blocks() as demo:
        given, shown = gr.Image(), gr.Textbox()
        gr.Examples(
            [[str(large)]], given, shown, lambda image: str(image.shape), cache_examples=True
        )
    await served(mounted, demo)

    kept = [file.read_text() for file in (tmp_path / "examples").rglob("log.csv")]
    assert "(500, 500, 3)" in "".join(kept)


def test_pillows_limit_is_the_one_that_counts_as_nobodys() -> None:
    asked = [sys.executable, "-c", "from PIL import Image; print(Image.MAX_IMAGE_PIXELS)"]
    printed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    assert int(printed) == pixels.PILLOWS


async def test_what_a_model_sends_counts_too(mounted: Mounts) -> None:
    _, ada = await served(mounted, reading(gr.Image), mcp=True)

    async def calls(size: tuple[int, int]) -> Any:
        url = "data:image/png;base64," + base64.b64encode(picture(size)).decode()
        params = {"name": "read", "arguments": {"value": url}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return (await ada.http.post(f"{API}/mcp", json=message)).json()["result"]

    read, refused = await calls(ENOUGH), await calls(ONE_MORE)

    assert not read["isError"]
    assert refused["isError"]
    assert "10,001 pixels" in refused["content"][0]["text"]
