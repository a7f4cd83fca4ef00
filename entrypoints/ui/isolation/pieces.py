"""Count the pieces of running streams, and remove the files of used ones.

Gradio's front end uploads a streaming microphone in pieces, up to ten files per second. Which uploads are pieces is
decided here: those that became the streamed input of a `stream` event. A webcam sends its pictures in the event itself.
"""

from collections.abc import Collection, Sequence
from contextvars import ContextVar
from typing import Any, Final

from gradio.block_function import BlockFunction

from domain.model.caller import SignedIn
from entrypoints.ui.calls.steps import Convert, Event, Output, Run, Step
from entrypoints.ui.files.app_files import AppFiles
from entrypoints.ui.files.event_files import caller_of
from entrypoints.ui.isolation.account import Account
from entrypoints.ui.isolation.accounts import Accounts
from entrypoints.ui.wire.json_bodies import files_in, paths_in

_shown: Final[ContextVar[set[str] | None]] = ContextVar("shown", default=None)
"""The places of the files in the outputs of the current step."""


class StreamPieces(Step):
    """Counts each piece after the step that has used it. The latest pieces stay on the disk for a while."""

    def __init__(self, accounts: Accounts, files: AppFiles) -> None:
        self._accounts = accounts
        self._files = files

    async def run(self, event: Event, rest: Run) -> Output:
        signed_in = None if isinstance(event.request, list) else caller_of(event.request)
        account = None if signed_in is None else self._accounts.account_of(signed_in)
        if signed_in is None or account is None or not account.has_files_to_follow():
            return await rest(event)
        pieces, others = self.named_by(event.fn, event.inputs)
        account.keep_files(others)
        shown = set[str]()
        token = _shown.set(shown)
        try:
            return await rest(event)
        finally:
            _shown.reset(token)
            account.keep_files(shown)
            if pieces:
                await self.use(signed_in, account, pieces)

    async def show(self, fn: BlockFunction, outputs: Any, rest: Convert) -> list[Any]:  # noqa: ARG002 -- As in Step.
        data = await rest(outputs)
        shown = _shown.get()
        if shown is not None:
            shown |= self._files.folder.places(files_in(data))
        return data

    async def use(self, signed_in: SignedIn, account: Account, pieces: Collection[str]) -> None:
        """Count pieces that the app has used, or that a later piece has replaced before the app has read them. Remove
        the oldest used ones."""
        for place in pieces:
            account.use_piece(place, self._accounts.now())
        surplus = account.surplus_pieces()
        if surplus:
            await self._files.release(signed_in, surplus)

    def named_by(self, fn: BlockFunction, inputs: Sequence[Any]) -> tuple[set[str], set[str]]:
        """Return the places of the streamed files in the inputs, and those of the other files."""
        streaming = {block_id for block_id, event in fn.targets if event == "stream"}
        pieces, others = set[str](), set[str]()
        for block, value in zip(fn.inputs, inputs, strict=False):
            (pieces if block._id in streaming else others).update(paths_in(value))  # noqa: SLF001 -- It has no public name.
        kept = self._files.folder.places(others)
        return self._files.folder.places(pieces) - kept, kept
