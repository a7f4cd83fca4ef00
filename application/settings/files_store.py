"""Settings of the object store for the files of apps."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from application.settings.environment import PREFIX

_STORE: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(/[A-Za-z0-9!_.*'()-]+)*)/?"
)
"""The letters of a prefix are those that AWS calls safe."""


class FilesStoreSettings(BaseSettings):
    """A part of the settings. Everything is off without `files_store`."""

    files_store: str = ""
    files_store_endpoint: str = ""
    files_store_region: str = Field(default="us-east-1", min_length=1)
    files_store_key_id: SecretStr | None = None
    files_store_key: SecretStr | None = None

    @field_validator("files_store")
    @classmethod
    def _must_be_of_s3(cls, value: str) -> str:
        found = _STORE.fullmatch(value)
        if value and (found is None or {".", ".."} & set(found["prefix"].split("/"))):
            raise ValueError(
                "must be s3://bucket or s3://bucket/prefix, without a password; a bucket has 3 to 63 "
                "lower-case letters, digits, dots and hyphens"
            )
        return value

    @field_validator("files_store_endpoint")
    @classmethod
    def _must_be_an_origin(cls, value: str) -> str:
        parts = urlsplit(value.rstrip("/"))
        has_more = parts.path or parts.query or parts.fragment or parts.username
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or has_more):
            raise ValueError("must be an address such as https://storage.example.com")
        return value.rstrip("/")

    @property
    def files_bucket(self) -> str:
        found = _STORE.fullmatch(self.files_store)
        return found["bucket"] if found else ""

    @property
    def files_prefix(self) -> str:
        found = _STORE.fullmatch(self.files_store)
        return found["prefix"].strip("/") if found else ""


def faults_of_files_store(settings: FilesStoreSettings) -> Iterator[str]:
    name = f"{PREFIX}FILES_STORE"
    is_other_set = (
        settings.files_store_endpoint or settings.files_store_key_id or settings.files_store_key
    )
    if is_other_set and not settings.files_store:
        yield f"{name} is missing, and other settings of the store are set: name its bucket, such as s3://bucket/prefix"
    if (settings.files_store_key_id is None) != (settings.files_store_key is None):
        yield f"{name}_KEY_ID and {name}_KEY belong together: set both, or neither to use the machine's own credentials"
