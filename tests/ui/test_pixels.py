"""Images with too many pixels are refused before they are decoded, wherever the service decodes an
image for a caller."""

import asyncio
import base64
import gc
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

import gradio as gr
import numpy as np
import pytest
from gradio.components import Component
from PIL import EpsImagePlugin, Image, Jpeg2KImagePlugin

from entrypoints.ui.wire import pixel_counts, pixels
from tests.ui.attacks import API, as_file, uploads
from tests.ui.conftest import Browser, House, Mounts, completed

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
"""Gradio opens files and leaves them to the garbage collector."""
MOST: Final = 10_000
"""The limit of pixels in these tests."""
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


async def refusal(
    browser: Browser, api_name: str, *data: Any, title: str = "Image too large"
) -> str:
    last = completed(await browser.runs(api_name, *data))
    assert not last["success"], last
    assert last["output"]["title"] == title
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
async def test_an_image_with_too_many_pixels_is_refused(mounted: Mounts, reader: str) -> None:
    make, value = READERS[reader]
    _, ada = await served(mounted, reading(make))

    told = completed(await ada.runs("read", value(await file_of(ada, ENOUGH))))
    refused = await refusal(ada, "read", value(await file_of(ada, ONE_MORE)))

    assert told["success"], told
    assert refused == "An image has 10,001 pixels; the limit is 10,000. Make it smaller."


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


async def test_images_of_an_accounts_running_events_are_counted_together(mounted: Mounts) -> None:
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def wait(image: Any, _: Any) -> str:
        has_begun.set()
        await may_go_on.wait()
        return "read"

    with gr.Blocks() as demo:
        images = [gr.Image(), gr.Image()]
        gr.Button().click(wait, images, gr.Textbox(), api_name="wait")
        gr.Button().click(lambda *_: "read", images, gr.Textbox(), api_name="read")
    house, ada = await served(mounted, demo)
    bob = await house.signed_in("bob@example.org")
    whole, half = await file_of(ada, ENOUGH), await file_of(ada, HALF)
    waiting = asyncio.create_task(ada.gets("wait", whole, half))
    await has_begun.wait()

    fits = await ada.gets("read", half, None)
    refused = await refusal(ada, "read", half, half)
    of_bob = await bob.gets("read", await file_of(bob, ENOUGH), None)
    may_go_on.set()
    waited = await waiting

    assert fits == of_bob == waited == "read"
    assert "The images of your running events have more than 20,000 pixels together" in refused
    assert "Wait until one of them has finished" in refused
    assert await ada.gets("read", whole, whole) == "read"


@pytest.mark.parametrize("kind", ["QOI", "plain PPM"])
async def test_an_image_that_pillow_decodes_in_python_counts_twenty_times(
    mounted: Mounts, kind: str
) -> None:
    def encoded(width: int, height: int) -> bytes:
        if kind == "QOI":
            return picture((width, height), "QOI")
        return b"P3 %d %d 255\n" % (width, height) + b"1 2 3 " * (width * height)

    with gr.Blocks() as demo:
        gr.Button().click(described, gr.Image(type="pil"), gr.JSON(), api_name="read")
    _, ada = await served(mounted, demo)
    fits = as_file(await uploads(ada, encoded(20, 25), "a.png"))
    large = as_file(await uploads(ada, encoded(20, 26), "a.png"))

    assert await ada.gets("read", fits) == [20, 25]
    assert "10,400 pixels of another one; the limit is 10,000" in await refusal(ada, "read", large)


async def test_each_event_of_a_batch_has_its_own_limit_of_pixels(mounted: Mounts) -> None:
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


async def test_images_decoded_before_a_refusal_are_released_at_once(mounted: Mounts) -> None:
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


async def test_a_later_page_larger_than_the_limit_is_refused(mounted: Mounts) -> None:
    content = BytesIO()
    later = Image.new("RGB", ONE_MORE)
    Image.new("RGB", HALF).save(content, "TIFF", save_all=True, append_images=[later])
    _, ada = await served(mounted, reading(lambda: gr.Image(type="filepath", image_mode="L")))
    path = await uploads(ada, content.getvalue(), "a.tiff")

    assert "10,001" in await refusal(ada, "read", as_file(path, orig_name="a.gif"))


def icns(content: bytes) -> bytes:
    """Return a Mac's icon of 32 by 32 pixels with this picture."""
    part = b"icp5" + struct.pack(">I", len(content) + 8) + content
    return b"icns" + struct.pack(">I", len(part) + 8) + part


@pytest.mark.asvs("5.2.6", "15.2.2")
@pytest.mark.parametrize("within", [bytes, icns], ids=["alone", "icns"])
@pytest.mark.parametrize("larger", ["JPEG_2000_PIXELS", "JPEG_2000_BYTES"])
async def test_a_jpeg_2000_that_takes_long_is_refused_wherever_it_is(
    mounted: Mounts,
    monkeypatch: pytest.MonkeyPatch,
    within: Callable[[bytes], bytes],
    larger: str,
) -> None:
    content = picture((32, 32), "JPEG2000")
    monkeypatch.setattr(pixel_counts, "JPEG_2000_PIXELS", 10_000)
    monkeypatch.setattr(pixel_counts, "JPEG_2000_BYTES", 10_000)
    house = await mounted(reading(gr.Image), image_pixels=2_000_000)
    ada = await house.signed_in()
    file = as_file(await uploads(ada, within(content), "a.png"), orig_name="a.png")

    assert completed(await ada.runs("read", file))["success"]
    monkeypatch.setattr(
        pixel_counts, larger, 1000 if larger == "JPEG_2000_PIXELS" else len(content) - 1
    )
    said = await refusal(ada, "read", file)

    assert said.startswith(
        f"A JPEG 2000 image of 1,024 pixels and {len(content)} bytes takes too long"
    )


async def test_an_event_has_two_of_the_slowest_jpegs_2000(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = picture((25, 25), "JPEG2000")
    monkeypatch.setattr(pixel_counts, "JPEG_2000_PIXELS", 700)
    house = await mounted(reading(lambda: gr.Gallery(type="pil")), image_pixels=2_000_000)
    ada = await house.signed_in()
    item = {"image": as_file(await uploads(ada, content, "a.jp2")), "caption": None}

    assert completed(await ada.runs("read", [item] * 2))["success"]
    assert "pixels together" in await refusal(ada, "read", [item] * 3)


async def test_one_jpeg_2000_is_decoded_at_a_time_with_a_pause_after_it(
    mounted: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most = 0, 0
    decode = Jpeg2KImagePlugin.Jpeg2KImageFile.load

    def load(self: Any) -> Any:
        nonlocal at_once, most
        if self.tile:  # It is not decoded yet.
            at_once += 1
            most = max(most, at_once)
            time.sleep(0.05)
            at_once -= 1
        return decode(self)

    pauses: list[float] = []
    monkeypatch.setattr(pixels, "sleep", pauses.append)
    monkeypatch.setattr(Jpeg2KImagePlugin.Jpeg2KImageFile, "load", load)
    with gr.Blocks() as demo:
        gr.Button().click(read, gr.Image(), gr.JSON(), api_name="read", concurrency_limit=None)
    _, ada = await served(mounted, demo)
    file = await file_of(ada, (25, 25), "JPEG2000")

    tabs = [await ada.start("read", file, tab=f"of{number}") for number in range(4)]

    assert all([completed(await ada.told(tab))["success"] for tab in tabs])
    assert most == 1
    assert len(pauses) == 4
    assert min(pauses) >= 0.05


SHORT, LONG, LONG8, SIGNED = 3, 4, 16, 17
"""Types of a TIFF's properties. Pillow skips those of the last one, and libtiff reads them."""
Properties = list[tuple[int, int, int]]


def tile(width: int, height: int, kind: int = LONG) -> Properties:
    return [(322, kind, width), (323, kind, height)]


def tiff(tiles: Properties, *, order: str = "<", big: bool = False, pages: int = 1) -> bytes:
    """Return grey pages of 10 by 10 pixels, each in one deflated tile. The last page has these properties of its tile, and
    the others have a tile of 16 by 16."""
    marks = {"<": b"II", ">": b"MM"}
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else struct.pack(f"{order}HI", 42, 8)
    content = marks[order] + head
    data = zlib.compress(bytes(max(v for t, _, v in tiles if t == 322) * tiles[-1][2]))
    for number in range(1, pages + 1):
        of_page = tiles if number == pages else tile(16, 16)
        tags = [(256, SHORT, 10), (257, SHORT, 10), (258, SHORT, 8), (259, SHORT, 8)]
        tags += [(262, SHORT, 1), (277, SHORT, 1), *of_page]
        size = (8 if big else 2) + (20 if big else 12) * (len(tags) + 2) + (8 if big else 4)
        begin = len(content) + size
        tags += [(324, LONG, begin), (325, LONG, len(data))]
        content += struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
        for tag, kind, value in tags:
            packed = struct.pack(f"{order}{ {SHORT: 'H', LONG: 'I'}.get(kind, 'Q') }", value)
            content += struct.pack(f"{order}HH{'Q' if big else 'I'}", tag, kind, 1)
            content += packed.ljust(8 if big else 4, b"\0")
        following = begin + len(data) if number < pages else 0
        content += struct.pack(f"{order}{'Q' if big else 'I'}", following) + data
    return content


@pytest.mark.asvs("5.2.6")
async def test_a_tile_of_a_tiff_counts_if_it_is_larger_than_the_image(mounted: Mounts) -> None:
    _, ada = await served(mounted, reading(gr.Image))
    paths = [await uploads(ada, tiff(tile(*size)), "a.tif") for size in ((96, 96), (112, 96))]

    assert completed(await ada.runs("read", as_file(paths[0], orig_name="a.tif")))["success"]
    said = await refusal(ada, "read", as_file(paths[1], orig_name="a.tif"))

    assert said == "An image has 10,752 pixels; the limit is 10,000. Make it smaller."


TWICE: Final = [*tile(112, 96), *tile(16, 16)]
UNCLEAR: Final[dict[str, bytes]] = {
    "large first": tiff(TWICE),
    "large last": tiff([*tile(16, 16), *tile(112, 96)]),
    "big-endian": tiff(TWICE, order=">"),
    "BigTIFF": tiff(TWICE, big=True),
    "of a type that Pillow skips": tiff(tile(112, 96, SIGNED), big=True),
    "another property": tiff([*tile(16, 16), (277, SHORT, 3)]),
}


@pytest.mark.asvs("5.2.6", "15.2.2")
@pytest.mark.parametrize("how", UNCLEAR)
async def test_a_tiff_that_libraries_read_differently_is_refused(mounted: Mounts, how: str) -> None:
    _, ada = await served(mounted, reading(gr.Image))
    path = await uploads(ada, UNCLEAR[how], "a.tif")

    file = as_file(path, orig_name="a.tif")
    said = await refusal(ada, "read", file, title="Image refused")

    assert said == "This TIFF is damaged: save it anew, or as PNG."


@pytest.mark.asvs("5.2.6")
@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
async def test_tiles_of_each_page_of_a_tiff_count(
    mounted: Mounts, order: str, *, big: bool
) -> None:
    _, ada = await served(mounted, reading(lambda: gr.Image(type="filepath", image_mode="RGB")))

    def paged(width: int) -> bytes:
        return tiff(tile(width, 96), order=order, big=big, pages=2)

    small, large = [await uploads(ada, paged(width), "a.tif") for width in (96, 112)]

    assert await ada.gets("read", as_file(small, orig_name="a.gif"))
    assert "10,752" in await refusal(ada, "read", as_file(large, orig_name="a.gif"))


# PostScript

EPS: Final = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    b"(%stdin) (r) file read pop\nshowpage\n%%EOF\n"
)


def eps_for_dos(content: bytes) -> bytes:
    return struct.pack("<4sLLLLLLH", b"\xc5\xd0\xd3\xc6", 30, len(content), *[0] * 5) + content


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the programs that are started, none of which runs."""
    started: list[Any] = []

    def start(self: Any, command: Any, *_: Any, **__: Any) -> None:
        started.append(command)
        raise OSError

    monkeypatch.setattr(subprocess.Popen, "__init__", start)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs")
    return started


@pytest.mark.asvs("1.3.6", "5.2.2", "15.2.2")
@pytest.mark.parametrize("name", ["a.eps", "a.ps", "a.png", "a"])
@pytest.mark.parametrize("content", [EPS, eps_for_dos(EPS)], ids=["plain", "for DOS"])
@pytest.mark.filterwarnings("ignore:subprocess")
async def test_an_image_in_postscript_starts_no_program(
    mounted: Mounts, name: str, content: bytes, programs: list[Any]
) -> None:
    def opened(path: str) -> str:
        Image.open(path).load()
        return path

    with gr.Blocks() as demo:
        gr.Button().click(read, gr.Image(), gr.JSON(), api_name="read")
        gr.Button().click(opened, gr.File(), gr.Image(), api_name="open")
        gr.Button().click(
            lambda path: (path, []), gr.File(), gr.AnnotatedImage(), api_name="annotate"
        )
    _, ada = await served(mounted, demo)
    file = as_file(await uploads(ada, content, name), orig_name=name)

    for way in ("read", "open", "annotate"):
        assert await refusal(ada, way, file, title="Image refused") == pixel_counts.NOT_DRAWN
    assert not programs


async def test_an_authors_own_postscript_is_drawn_outside_events(
    mounted: Mounts, tmp_path: Path, programs: list[Any]
) -> None:
    (tmp_path / "logo.eps").write_bytes(EPS)
    await served(mounted, reading(gr.Image))

    with pytest.raises(OSError):  # noqa: PT011 -- That of the program, which does not run here.
        Image.open(tmp_path / "logo.eps").load()

    assert len(programs) == 1


# Other ways


async def test_an_image_in_a_data_url_counts(mounted: Mounts) -> None:
    _, ada = await served(mounted, reading(lambda: gr.Image(type="pil")))

    def within(size: tuple[int, int]) -> Any:
        return {"url": "data:image/png;base64," + base64.b64encode(picture(size)).decode()}

    assert await ada.gets("read", within(ENOUGH)) == [list(ENOUGH)]
    assert "10,001" in await refusal(ada, "read", within(ONE_MORE))


async def test_a_drawing_counts(mounted: Mounts) -> None:
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


async def test_an_image_that_is_read_for_an_output_counts(mounted: Mounts) -> None:
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
        (4_999, ENOUGH, False),  # Pillow refuses twice its limit.
        (None, (1000, 100), True),
    ],
)
async def test_a_higher_limit_of_the_author_applies(
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
    said = [line for line in lines if "no pixel limit" in line["event"]]
    assert bool(said) is (authors is None)


async def test_images_that_the_author_opens_have_only_pillows_limit(
    mounted: Mounts, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(picture((500, 500)))

    def measure(_: Any) -> int:
        return sum(Image.open(large).size[0] for _ in range(9))

    with gr.Blocks() as demo:
        gr.Button().click(measure, gr.Image(), gr.Number(), api_name="measure")
    _, ada = await served(mounted, demo)

    assert await ada.gets("measure", await file_of(ada, ENOUGH)) == 4500
    assert Image.open(large).size == (500, 500)


async def test_the_authors_examples_are_read_at_any_size(
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


def test_the_default_limit_of_pillow_is_the_known_one() -> None:
    asked = [sys.executable, "-c", "from PIL import Image; print(Image.MAX_IMAGE_PIXELS)"]
    printed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    assert int(printed) == pixels.PILLOWS


async def test_an_image_from_a_tool_call_counts(mounted: Mounts) -> None:
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
