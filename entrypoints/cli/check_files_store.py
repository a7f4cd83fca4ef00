"""Try out the object store for files, for `gradioapp check`."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from entrypoints.cli.findings import Finding, fault, note, ok

if TYPE_CHECKING:
    from application.settings import Settings


def of_files_store(settings: "Settings") -> Iterator[Finding]:
    if not settings.files_store:
        return
    from adapters.object_storage.bucket import Bucket
    from adapters.object_storage.trial import TrialFailed, try_out
    from adapters.system.ids import RandomIds
    from application.parts import location_of

    location = location_of(settings)
    try:
        asyncio.run(try_out(Bucket(location), RandomIds().new_id().hex))
    except TrialFailed as failed:
        yield fault(
            f"objects in the store of files {location} cannot be {failed.step}: {failed.cause}. "
            "Check the settings GRADIOAPP_FILES_STORE…, and the rights of the key: s3:PutObject, s3:GetObject, "
            "s3:DeleteObject and s3:ListBucket"
        )
        return
    yield ok(f"objects in the store of files {location} can be written, listed, read and deleted")
    if settings.may_have_replicas:
        yield note(
            f"every replica must have the folder of its copies at the same path, which is {settings.files_folder} here"
        )
