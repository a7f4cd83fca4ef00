"""Make the parts of the container that take more than one line of settings."""

from adapters.memory.news import NoNews
from adapters.object_storage.bucket import Bucket, Location
from adapters.object_storage.storage import ObjectStorage
from adapters.redis.news import RedisNews
from adapters.sql.engine import Pool
from adapters.system.files import FolderOnDisk, secret_in
from application.settings import Settings
from domain.ports.files import FileStorage
from domain.ports.replicas import ReplicaNews
from domain.ports.system import IdGenerator


def signing_keys(settings: Settings, ids: IdGenerator) -> list[str]:
    """Return the keys, the newest first. Without a setting: in test a new key for this process, in dev the key file in
    the data folder."""
    if settings.secret_key:
        return [key.get_secret_value() for key in settings.secret_key]
    if settings.environment == "test":
        return [ids.new_secret()]
    return [secret_in(settings.key_file, ids.new_secret())]


def news_of(settings: Settings, ids: IdGenerator) -> ReplicaNews:
    if settings.redis_url is None:
        return NoNews()
    return RedisNews(settings.redis_url.get_secret_value(), name=str(ids.new_id()))


def pool_of(settings: Settings) -> Pool:
    return Pool(
        size=settings.database_pool,
        overflow=settings.database_overflow,
        connect=settings.database_connect_seconds,
        statement=settings.database_statement_seconds,
    )


def storage_of(settings: Settings, folder: FolderOnDisk, ids: IdGenerator) -> FileStorage:
    """Return the folder itself, or the object store for which the folder holds copies."""
    if not settings.files_store:
        return folder
    bucket = Bucket(location_of(settings))
    return ObjectStorage(bucket, settings.files_folder, new_mark=lambda: ids.new_id().hex)


def location_of(settings: Settings) -> Location:
    key_id, key = settings.files_store_key_id, settings.files_store_key
    return Location(
        bucket=settings.files_bucket,
        prefix=settings.files_prefix,
        endpoint=settings.files_store_endpoint or None,
        region=settings.files_store_region,
        key_id=None if key_id is None else key_id.get_secret_value(),
        key=None if key is None else key.get_secret_value(),
    )
