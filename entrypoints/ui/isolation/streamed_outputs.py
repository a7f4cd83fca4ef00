"""Limit the pieces of streamed sounds and videos that are converted at once.

Gradio converts them in threads that the whole service shares, also with responses of files. If all of one account's
pieces waited there for a turn, nobody would get a file.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

import anyio
import gradio as gr

from domain.model.user import UserId
from entrypoints.ui import limits
from entrypoints.ui.files import caller_names
from entrypoints.ui.replacement import Replacement
from entrypoints.ui.wire import media_commands
from entrypoints.ui.wire.media_outputs import TOO_LONG

NOT_STREAMED: Final = (
    "A streamed video must be an MP4 or a TS file. Send it in one of these formats."
)

_STREAMED: Final = frozenset({".mp4", ".ts"})
_USUAL: Final = 2 * 48_000
"""Samples per second of two channels. Silence for a video without sound has at least as many."""
_MOST: Final = 8 * 48_000

_accounts: Final[WeakValueDictionary[UserId, asyncio.Semaphore]] = WeakValueDictionary()

_combining: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()
"""Held while the pieces of a stream are made into a file, which a request for this file does."""


def _one_of_few(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def convert(self: Any, *args: Any, **kwargs: Any) -> Any:
        caller = caller_names.current.get()
        if caller is None:
            return await original(self, *args, **kwargs)
        of_account = asyncio.Semaphore(limits.ACCOUNT_PROGRAMS)
        async with _accounts.setdefault(caller.account, of_account):
            return await original(self, *args, **kwargs)

    return convert


def _of_format(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    converting = _one_of_few(original)

    async def stream_output(self: gr.Video, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value is not None and Path(str(value)).suffix not in _STREAMED:
            raise gr.Error(NOT_STREAMED, print_exception=False)
        return await converting(self, value, *args, **kwargs)

    return stream_output


def _probing(original: Callable[[str], dict[str, Any]]) -> Any:
    def probe_chunk(path: str) -> dict[str, Any]:
        """Raises gr.Error for a length that would take more silence than a sound may have. The file itself says how long it
        is."""
        said = original(path)
        samples = (said["sample_rate"] or 0) * (said["channels"] or 0)
        size = said["duration"] * max(samples, _USUAL) * 2
        if size > media_commands.SOUND_BYTES or samples > _MOST:
            raise gr.Error(TOO_LONG, title="Sound too long", print_exception=False)
        return said

    return staticmethod(probe_chunk)


def _one_at_a_time(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def combine_stream(self: Any, *args: Any, **kwargs: Any) -> Any:
        async with _combining.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            return await original(self, *args, **kwargs)

    return combine_stream


def _in_thread(original: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Awaitable[Any]]:
    """Gradio decodes the whole sound on the event loop."""

    async def combine_stream(self: gr.Audio, *args: Any, **kwargs: Any) -> Any:
        return await anyio.to_thread.run_sync(lambda: asyncio.run(original(self, *args, **kwargs)))

    return _one_at_a_time(combine_stream)


SOUNDS: Final = Replacement(owner=gr.Audio, name="stream_output", by=_one_of_few)
ENDS_OF_SOUNDS: Final = Replacement(owner=gr.Audio, name="flush_stream_output", by=_one_of_few)
VIDEOS: Final = Replacement(owner=gr.Video, name="stream_output", by=_of_format)
ENDS_OF_VIDEOS: Final = Replacement(owner=gr.Video, name="flush_stream_output", by=_one_of_few)
PROBING: Final = Replacement(owner=gr.Video, name="probe_chunk", by=_probing)
COMBINING_SOUNDS: Final = Replacement(owner=gr.Audio, name="combine_stream", by=_in_thread)
COMBINING_VIDEOS: Final = Replacement(owner=gr.Video, name="combine_stream", by=_one_at_a_time)
