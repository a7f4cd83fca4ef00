"""Let only the owners of a file fetch it, and name it as an input of a mounted app.

Gradio keeps the uploads and outputs of all callers in one folder and serves everything in it. A file belongs to the
account that uploaded it, and to every account that received it as an output. A path contains the content's hash, so a
file may have several owners. Inputs may only name files in the folder. Outside it, Gradio serves what the author
allowed.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.data_classes import _StaticFiles
from starlette.exceptions import HTTPException

from domain.errors import FileGone, FilesQuotaExceeded, FilesUnavailable, StoreUnavailable
from domain.model.caller import SignedIn
from domain.model.file import file_key
from entrypoints.ui import limits
from entrypoints.ui.files.app_offers import AppOffers
from entrypoints.ui.files.cache_folder import CacheFolder, real_path
from entrypoints.ui.files.caller_names import CallerNames, names_in
from entrypoints.ui.files.claims import Claims
from entrypoints.ui.files.named_files import TOO_MANY, Named, has_scheme, may_be_kept
from entrypoints.ui.files.private_places import PrivatePlaces, is_in
from entrypoints.ui.files.showing import keep_from_showing
from entrypoints.ui.files.words import folded
from entrypoints.ui.wire.json_bodies import paths_in


class AppFiles:
    """Answers who may do what with the files of one mounted app, and claims its outputs. Make it when the app is
    complete: files that its components show by then are public."""

    def __init__(
        self,
        demo: gr.Blocks,
        claims: Claims,
        places: PrivatePlaces,
        *,
        kept_examples: Path | None = None,
    ) -> None:
        """`kept_examples` is the app's own folder for cached examples. By default, it is the folder that all apps
        share."""
        keep_from_showing(
            demo, partial(places.have, own_examples=kept_examples or Path(places.examples))
        )
        self.claims = claims
        self.folder = CacheFolder(places.cache)
        self.offers = AppOffers(demo.blocks.values())
        self._private = places
        self._static = [os.path.realpath(path) for path in _StaticFiles.all_paths]
        self._static_inside = list(filter(self._makes_public, self._static))
        shown = paths_in(demo.config)
        kept = {
            path
            for block in demo.blocks.values()
            for path in getattr(block, "keep_in_cache", ())
            if isinstance(path, str)
        }
        self._public = frozenset(map(file_key, self.folder.places(shown | kept)))
        self._allowed = [os.path.realpath(path) for path in demo.allowed_paths]
        made_so_far = set().union(*(getattr(b, "temp_files", ()) for b in demo.blocks.values()))
        self._spared = self._public | frozenset(map(file_key, self.folder.places(made_so_far)))
        """Files of the app itself, which the clean-up never removes."""

    # Permissions

    async def may_be_fetched(self, signed_in: SignedIn, path: str) -> bool:
        """Return whether Gradio may serve the path: a file of the caller in Gradio's folder, or one outside, where
        Gradio serves what the author allowed. False for URLs, which Gradio would download."""
        is_path = len(path) <= limits.LONGEST_PATH and not has_scheme(path)
        return is_path and await self.are_allowed(signed_in, [path])

    async def must_be_allowed(self, signed_in: SignedIn, named: Named) -> None:
        """Raises HTTPException for inputs that name other files than the caller's own and public ones (ASVS 1.3.6,
        8.2.2)."""
        refusal = await self.refusal(signed_in, named)
        if refusal is not None:
            raise HTTPException(400, refusal)

    def is_spared(self, place: str) -> bool:
        """Return whether the file at this place in the folder is the app's own, or static."""
        real = self.folder.path_of(place)
        static = filter(self._makes_public, map(os.path.realpath, _StaticFiles.all_paths))
        return file_key(place) in self._spared or any(is_in(real, path) for path in static)

    def _makes_public(self, static: str) -> bool:
        """Return whether a static path makes files in the folder public. One that contains the whole folder does
        not."""
        return static != self.folder.path and self.folder.has(static)

    def is_hidden(self, root: str, *steps: str) -> bool:
        """Return whether the file belongs to an account or to the service, so that no FileExplorer may show it.
        `steps` are the folders and the name below `root`."""
        try:
            real = real_path(os.path.join(root, *steps))  # noqa: PTH118 -- Exactly as Gradio does.
        except (OSError, ValueError):
            return True
        return self.folder.has(real) or self._private.have(real)

    def may_be_explored(self, explorer: gr.FileExplorer, steps: list[str]) -> bool:
        """Return whether the FileExplorer shows this file or folder, which must match its patterns."""
        return not self.is_hidden(explorer.root_dir, *steps) and _is_listed(explorer, steps)

    async def refusal(self, signed_in: SignedIn, named: Named) -> str | None:
        """Return why the caller may not name these files, or None if they may."""
        if any(map(has_scheme, named.files)):
            return "The service downloads nothing from other addresses. Upload the file itself."
        paths = named.files | set(filter(may_be_kept, named.texts))
        if max(named.count, len(paths)) > limits.NAMED_FILES:
            return TOO_MANY
        is_too_long = any(len(path) > limits.LONGEST_PATH for path in paths)
        if (
            is_too_long
            or not all(map(self._is_known, named.files))
            or not await self.are_allowed(signed_in, paths)
        ):
            return "You have no such file. Upload it first."
        return None

    def _is_known(self, path: str) -> bool:
        """Return whether the path is in Gradio's folder, or made public by `gr.set_static_paths`."""
        try:
            real = real_path(path)
        except (OSError, ValueError):
            return False
        return self.folder.has(real) or any(is_in(real, static) for static in self._static)

    async def are_allowed(self, signed_in: SignedIn, paths: Iterable[str]) -> bool:
        """Return whether the caller may use all these paths. In Gradio's folder, a file must be public or belong to the
        caller, and is brought if it is only on other replicas. Outside, every path is allowed that is not private.
        Raises FilesUnavailable, DiskFull."""
        paths = list(paths)
        try:
            if any(map(self._private.have, paths)):
                return False
            inside = [real for real in map(real_path, paths) if self.folder.has(real)]
        except (OSError, ValueError):  # NUL, lone surrogates, or too long: no file has such a path.
            return False
        if any(map(self.folder.has_values, inside)):
            return False
        places = {
            file_key(self.folder.place(real)): self.folder.place(real)
            for real in inside
            if not any(is_in(real, s) for s in self._static_inside)
        }
        theirs = places.keys() - self._public
        if not await self.claims.are_owned(signed_in, theirs):
            return False
        await self.claims.bring([places[key] for key in theirs])
        return True

    async def bring_shown(self, signed_in: SignedIn, paths: Iterable[str]) -> None:
        """Bring those of the paths that are files of the caller and missing here, such as a path that the app has kept in
        the account's state on another replica. Raises FilesUnavailable, DiskFull."""
        places = {
            file_key(place): place
            for place in self.folder.places(paths)
            if self.folder.size_at(place) is None
        }
        owned = [
            place for key, place in places.items() if await self.claims.are_owned(signed_in, {key})
        ]
        await self.claims.bring(owned)

    # Names in texts

    async def names_in(
        self, signed_in: SignedIn, texts: list[str], *, brings_files: bool = False
    ) -> CallerNames:
        """Record the files and addresses that the caller names in the texts of an event, and return them for the check
        of the event's outputs. `brings_files` tells that the inputs contain files. Raises TooManyFiles."""
        account, missing = signed_in.user.id, set[str]()
        names = await names_in(texts, missing)
        names.paths = await self._foreign(signed_in, names.paths)
        memory = self.claims.caller_names
        await memory.add(account, names)
        self.offers.begin(account)
        folded_texts, has_parent_step = await folded(texts)
        return CallerNames(
            memory=memory,
            offers=self.offers,
            account=account,
            texts=folded_texts,
            missing=missing,
            has_parent_step=has_parent_step,
            brings_files=brings_files,
        )

    async def _foreign(self, signed_in: SignedIn, paths: set[str]) -> set[str]:
        """Return those of the real paths that the caller does not own, the app has not offered, and the author has not
        allowed. Forget earlier names of files that the caller owns by now."""
        foreign, inside = set(), {}
        for path in paths:
            if self.folder.has(path):
                inside[file_key(self.folder.place(path))] = path
            elif not (
                self.offers.has(signed_in.user.id, path)
                or any(is_in(path, folder) for folder in (*self._allowed, *self._static))
            ):
                foreign.add(path)
        keys = inside.keys() - self._public
        if keys and not await self.claims.are_owned(signed_in, keys):
            foreign |= {inside[key] for key in self.claims.unknown(signed_in, keys)}
        self.claims.caller_names.forget(signed_in.user.id, set(inside.values()) - foreign)
        return foreign

    # Claims

    async def claim(self, signed_in: SignedIn, given: Iterable[str]) -> None:
        """Claim the files at these places for the caller, and share them with the other replicas. If they exceed the
        quota, remove them and raise FilesQuotaExceeded. Raise FileGone if one was removed before the claim, and
        FilesUnavailable."""
        places = {file_key(place): place for place in given}
        new = self.claims.unknown(signed_in, places.keys() - self._public)
        if not new:
            return
        sizes = {key: self.folder.size_at(places[key]) for key in new}
        try:
            await self.claims.claim(signed_in, {key: size or 0 for key, size in sizes.items()})
        except FilesQuotaExceeded:
            await self.discard(places[key] for key in new)
            raise
        # A file may have been removed between its creation and the claim.
        if any(
            size is not None and self.folder.size_at(places[key]) is None
            for key, size in sizes.items()
        ):
            raise FileGone
        await self.claims.share(signed_in, [places[key] for key in new])

    async def note_made(self, signed_in: SignedIn, places: Iterable[str]) -> None:
        """Count files that Gradio has made of the caller's inputs, and remove the oldest above the limit."""
        sizes = {place: self.folder.size_at(place) or 0 for place in places}
        if sizes:
            await self.discard(self.claims.made_inputs.add(signed_in.user.id, sizes))

    async def release(self, signed_in: SignedIn, places: Iterable[str]) -> None:
        """End the caller's claims on these files, and remove those without an owner that do not belong to an app. If
        the store is unavailable, the files stay until a purge."""
        with suppress(StoreUnavailable, FilesUnavailable):
            await self.claims.release(
                signed_in, [place for place in places if not self.is_spared(place)]
            )

    async def discard(self, places: Iterable[str]) -> None:
        """Remove files that have no owner and do not belong to an app. If the store is unavailable, a later purge
        removes them."""
        with suppress(StoreUnavailable):
            await self.claims.discard([place for place in places if not self.is_spared(place)])


def _is_listed(explorer: gr.FileExplorer, steps: list[str]) -> bool:
    """Ask the FileExplorer itself, which applies its patterns."""
    *folders, name = steps or [""]
    try:
        listed = explorer.ls(folders) or []
    except (gr.Error, OSError, ValueError):
        return False
    return any(item["name"] == name for item in listed)
