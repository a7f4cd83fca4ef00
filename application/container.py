"""Which adapters obey: one declaration, and one composition of it per environment."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, ClassVar, Final

from dependency_injector import containers, providers
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.memory.limiter import MemoryAttemptLimiter
from adapters.memory.session_cache import MemorySessionCache
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitsOfWork
from adapters.security.access_tokens import HmacAccessTokenHasher
from adapters.security.marks import HmacAccountMarks
from adapters.security.passwords import CHEAP, PasslibHasher
from adapters.security.tokens import JwtTokenCodec
from adapters.sql import schema
from adapters.sql.engine import file_of, make_engine
from adapters.sql.store import SqlStore
from adapters.sql.unit_of_work import SqlUnitsOfWork
from adapters.system.clock import SystemClock
from adapters.system.files import FOLDER_MODE, FolderOnDisk, private_folder, secret_in
from adapters.system.ids import RandomIds
from adapters.system.serving import CannotBeCounted, place_beside
from application import use_cases as uc
from application.settings import Settings, SettingsInvalid
from domain.model.file import FilePolicy
from domain.model.session import SessionPolicy
from domain.ports.system import Clock, IdGenerator
from domain.services.auth import AuthService
from domain.services.files import FileService
from domain.services.sessions import SessionService
from domain.services.state import StateService
from domain.services.tokens import TokenService
from domain.services.users import UserService


def signing_keys(settings: Settings, ids: IdGenerator) -> list[str]:
    """Newest first. Without a setting: for test a key of this process, for dev the key file in the data folder."""
    if settings.secret_key:
        return [key.get_secret_value() for key in settings.secret_key]
    if settings.environment == "test":
        return [ids.new_secret()]
    return [secret_in(settings.key_file, ids.new_secret())]


class MemoryStorage(containers.DeclarativeContainer):
    """For test: nothing outlives the process, and hashing is cheap."""

    settings = providers.Dependency(instance_of=Settings)
    engine: Any = providers.Object(None)
    store = providers.Singleton(MemoryStore)
    units_of_work = providers.Singleton(MemoryUnitsOfWork, store)
    hashing_cost = providers.Object(CHEAP)


class SqlStorage(containers.DeclarativeContainer):
    """For dev and prod alike: SQLite or PostgreSQL, as the database's URL says."""

    settings = providers.Dependency(instance_of=Settings)
    engine = providers.Singleton(make_engine, settings.provided.database)
    store = providers.Singleton(SqlStore, engine)
    units_of_work = providers.Singleton(SqlUnitsOfWork, engine)
    hashing_cost: Any = providers.Object(None)


STORAGES: Final = {"test": MemoryStorage, "dev": SqlStorage, "prod": SqlStorage}


class Composition(containers.DeclarativeContainer):
    """What every environment has; where its data lives is left open."""

    settings = providers.Dependency(instance_of=Settings)
    storage: Any = providers.DependenciesContainer()
    engine = storage.engine
    store = storage.store
    units_of_work = storage.units_of_work

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(RandomIds)
    keys = providers.Singleton(signing_keys, settings, ids)
    codec = providers.Singleton(JwtTokenCodec, keys=keys, clock=clock)
    token_hasher = providers.Singleton(HmacAccessTokenHasher, keys)
    marks = providers.Singleton(HmacAccountMarks, keys)
    hasher = providers.Singleton(
        PasslibHasher, scheme=settings.provided.password_scheme, cost=storage.hashing_cost
    )
    limiter = providers.Singleton(MemoryAttemptLimiter, clock)
    cache = providers.Singleton(
        MemorySessionCache, clock=clock, keep=settings.provided.session_cache
    )
    policy = providers.Singleton(
        SessionPolicy,
        idle=settings.provided.session_idle,
        absolute=settings.provided.session_absolute,
        per_user=settings.provided.sessions_per_user,
    )

    file_policy = providers.Singleton(
        FilePolicy, quota=settings.provided.files_quota, keep=settings.provided.files_keep
    )
    folder = providers.Singleton(FolderOnDisk, settings.provided.files_folder)

    auth = providers.Singleton(
        AuthService, hasher=hasher, codec=codec, limiter=limiter, clock=clock, ids=ids
    )
    users = providers.Singleton(UserService, clock=clock, ids=ids)
    sessions = providers.Singleton(SessionService, codec=codec, clock=clock, ids=ids, policy=policy)
    tokens = providers.Singleton(TokenService, hasher=token_hasher, clock=clock, ids=ids)
    state = providers.Singleton(StateService)
    files = providers.Singleton(FileService, policy=file_policy, clock=clock)

    _work: ClassVar[dict[str, Any]] = {"units_of_work": units_of_work}
    _signing_in: ClassVar[dict[str, Any]] = {"auth": auth, "users": users, "sessions": sessions}
    _check_setup = providers.Singleton(uc.CheckSetup, **_work, auth=auth)

    _discard_files = providers.Singleton(uc.DiscardFiles, **_work, folder=folder)

    use_cases = providers.Singleton(
        uc.UseCases,
        log_in=providers.Singleton(uc.LogIn, **_work, **_signing_in, cache=cache),
        log_out=providers.Singleton(uc.LogOut, **_work, cache=cache),
        recognise=providers.Singleton(uc.Recognise, **_work, sessions=sessions, cache=cache),
        offer_setup=providers.Singleton(uc.OfferSetup, **_work, auth=auth),
        check_setup=_check_setup,
        set_up=providers.Singleton(
            uc.SetUp, **_work, **_signing_in, hasher=hasher, check=_check_setup
        ),
        form_tokens=providers.Singleton(uc.FormTokens, auth=auth),
        browser_storage=providers.Singleton(uc.BrowserStorage, marks=marks),
        create_user=providers.Singleton(uc.CreateUser, **_work, users=users, hasher=hasher),
        add_sample_users=providers.Singleton(
            uc.AddSampleUsers, **_work, users=users, hasher=hasher
        ),
        find_sample_users=providers.Singleton(uc.FindSampleUsers, **_work, hasher=hasher),
        list_users=providers.Singleton(uc.ListUsers, **_work, users=users),
        get_user=providers.Singleton(uc.GetUser, **_work, users=users),
        find_user=providers.Singleton(uc.FindUser, **_work, users=users),
        rename_user=providers.Singleton(uc.RenameUser, **_work, users=users, cache=cache),
        change_user=providers.Singleton(
            uc.ChangeUser, **_work, users=users, sessions=sessions, tokens=tokens, cache=cache
        ),
        change_password=providers.Singleton(
            uc.ChangePassword, **_work, **_signing_in, hasher=hasher, cache=cache
        ),
        set_password=providers.Singleton(
            uc.SetPassword, **_work, users=users, sessions=sessions, hasher=hasher, cache=cache
        ),
        disable_user=providers.Singleton(
            uc.DisableUser, **_work, users=users, sessions=sessions, tokens=tokens, cache=cache
        ),
        enable_user=providers.Singleton(uc.EnableUser, **_work, users=users),
        grant_role=providers.Singleton(uc.GrantRole, **_work, users=users, cache=cache),
        revoke_role=providers.Singleton(uc.RevokeRole, **_work, users=users, cache=cache),
        list_sessions=providers.Singleton(uc.ListSessions, **_work, users=users, sessions=sessions),
        list_all_sessions=providers.Singleton(uc.ListAllSessions, **_work, users=users),
        revoke_session=providers.Singleton(
            uc.RevokeSession, **_work, users=users, sessions=sessions, cache=cache
        ),
        revoke_other_sessions=providers.Singleton(
            uc.RevokeOtherSessions, **_work, sessions=sessions, cache=cache
        ),
        revoke_all_sessions=providers.Singleton(
            uc.RevokeAllSessions, **_work, users=users, sessions=sessions, cache=cache
        ),
        keep_awake=providers.Singleton(uc.KeepAwake, **_work, sessions=sessions),
        ended_sessions=providers.Singleton(
            uc.EndedSessions, **_work, sessions=sessions, tokens=tokens
        ),
        purge_sessions=providers.Singleton(
            uc.PurgeSessions, **_work, sessions=sessions, cache=cache
        ),
        create_token=providers.Singleton(uc.CreateToken, **_work, tokens=tokens),
        list_tokens=providers.Singleton(uc.ListTokens, **_work, tokens=tokens),
        revoke_token=providers.Singleton(uc.RevokeToken, **_work, tokens=tokens, cache=cache),
        recognise_token=providers.Singleton(uc.RecogniseToken, **_work, tokens=tokens, cache=cache),
        purge_tokens=providers.Singleton(uc.PurgeTokens, **_work, tokens=tokens, cache=cache),
        read_account_state=providers.Singleton(uc.ReadAccountState, **_work),
        change_account_state=providers.Singleton(uc.ChangeAccountState, **_work, state=state),
        change_session_data=providers.Singleton(
            uc.ChangeSessionData, **_work, state=state, cache=cache
        ),
        claim_files=providers.Singleton(uc.ClaimFiles, **_work, files=files),
        use_files=providers.Singleton(uc.UseFiles, **_work, files=files),
        find_file_space=providers.Singleton(uc.FindFileSpace, **_work, files=files),
        discard_files=_discard_files,
        purge_files=providers.Singleton(
            uc.PurgeFiles,
            **_work,
            files=files,
            sessions=sessions,
            folder=folder,
            discard=_discard_files,
        ),
        check_readiness=providers.Singleton(uc.CheckReadiness, store=store),
    )


def build(settings: Settings, *, clock: Clock | None = None) -> Composition:
    """Connects to nothing yet. A test brings its own `clock`."""
    storage = STORAGES[settings.environment](settings=settings)
    container = Composition(settings=settings, storage=storage)
    if clock is not None:
        container.clock.override(providers.Object(clock))
    return container


@asynccontextmanager
async def running(container: Composition, *, serves: bool = True) -> AsyncIterator[int]:
    """Migrate the store (dev) or require that it is migrated (prod), and release everything at the end. With `serves`, also
    create or refuse accounts with a known password, as the settings say. The value is the number of other processes that
    serve the same SQLite file; prod refuses them.
    Raises SettingsInvalid, StoreUnavailable."""
    settings: Settings = container.settings()
    if settings.uses_data_dir:
        folder = private_folder(settings.data_dir)
        (folder / "gradio").mkdir(mode=FOLDER_MODE, exist_ok=True)
    engine = container.engine()
    try:
        with ExitStack() as held:
            others = held.enter_context(_only_process(settings)) if serves else 0
            if engine is not None:
                await _prepare(engine, migrates=settings.environment == "dev")
            if serves:
                await _sample_users(container, settings)
            yield others
    finally:
        container.hasher().close()
        if engine is not None:
            await engine.dispose()


@contextmanager
def _only_process(settings: Settings) -> Iterator[int]:
    """Count the other processes that serve the same SQLite file; 0 where that cannot be known. Raises SettingsInvalid in
    prod if there is one."""
    file = file_of(settings.database) if settings.uses_data_dir else None
    with ExitStack() as held:
        others = 0
        if file is not None:
            with suppress(CannotBeCounted):
                others = held.enter_context(place_beside(file))
        if others and settings.environment == "prod":
            raise SettingsInvalid(
                [
                    f"Another process serves the SQLite database {file} already. Stop it first, and start one process alone, "
                    "without --workers"
                ]
            )
        yield others


async def _prepare(engine: AsyncEngine, *, migrates: bool) -> None:
    if migrates:
        await schema.upgrade(engine)
    elif pending := await schema.pending(engine):
        raise SettingsInvalid(
            [f"The database misses {len(pending)} migrations. Type: gradioapp db upgrade"]
        )


async def _sample_users(container: Composition, settings: Settings) -> None:
    use_cases: uc.UseCases = container.use_cases()
    if settings.sample_users:
        await use_cases.add_sample_users()
    elif settings.environment == "prod" and (emails := await use_cases.find_sample_users()):
        raise SettingsInvalid(
            [
                f"{email} has the password of the sample users. Type: gradioapp users disable {email}"
                for email in emails
            ]
        )
