"""The dependency container: one composition for all environments, with a storage for each."""

from typing import Any, ClassVar, Final

from dependency_injector import containers, providers

from adapters.memory.limiter import MemoryAttemptLimiter
from adapters.memory.session_cache import MemorySessionCache
from adapters.memory.store import MemoryStore
from adapters.memory.tally import MemoryTally
from adapters.memory.unit_of_work import MemoryUnitsOfWork
from adapters.oidc.providers import OidcProviders
from adapters.oidc.proxy import JwksProxyIdentities
from adapters.security.access_tokens import HmacAccessTokenHasher
from adapters.security.common_passwords import BundledCommonPasswords
from adapters.security.encryption import FernetEncryption
from adapters.security.marks import HmacAccountMarks
from adapters.security.passwords import CHEAP, PasslibHasher
from adapters.security.pseudonyms import HmacPseudonyms
from adapters.security.signed_tokens import JwtCodec
from adapters.sql.engine import make_engine
from adapters.sql.limiter import SqlAttemptLimiter
from adapters.sql.store import SqlStore
from adapters.sql.unit_of_work import SqlUnitsOfWork
from adapters.system.audit_log import StructlogAuditLog
from adapters.system.clock import SystemClock
from adapters.system.files import FolderOnDisk
from adapters.system.ids import RandomIds
from application import use_cases as uc
from application.parts import news_of, pool_of, signing_keys, storage_of
from application.settings import Settings
from domain.model.file import FilePolicy
from domain.ports.system import Clock
from domain.services.access_tokens import AccessTokenService
from domain.services.audit import AuditService
from domain.services.auth import AuthService
from domain.services.confirmations import ConfirmationService
from domain.services.event_time import EventTimeService
from domain.services.files import FileService
from domain.services.identities import IdentityService
from domain.services.known_devices import KnownDeviceService
from domain.services.passwords import PasswordService
from domain.services.provider_tokens import ProviderTokenService
from domain.services.replicas import ReplicaService
from domain.services.sessions import SessionService
from domain.services.state import StateService
from domain.services.users import UserService


class MemoryStorage(containers.DeclarativeContainer):
    """For test: all data is lost when the process ends, and hashing is cheap."""

    settings = providers.Dependency(instance_of=Settings)
    engine: Any = providers.Object(None)
    store = providers.Singleton(MemoryStore)
    units_of_work = providers.Singleton(MemoryUnitsOfWork, store)
    limiter = providers.Singleton(MemoryAttemptLimiter)
    hashing_cost = providers.Object(CHEAP)


class SqlStorage(containers.DeclarativeContainer):
    """For dev and prod: SQLite or PostgreSQL, depending on the database URL."""

    settings = providers.Dependency(instance_of=Settings)
    pool = providers.Singleton(pool_of, settings)
    engine = providers.Singleton(make_engine, settings.provided.database, pool)
    store = providers.Singleton(SqlStore, engine, pool)
    units_of_work = providers.Singleton(SqlUnitsOfWork, engine)
    limiter = providers.Singleton(
        SqlAttemptLimiter, units_of_work.provided.transactions, by_server=True
    )
    hashing_cost: Any = providers.Object(None)


STORAGES: Final = {"test": MemoryStorage, "dev": SqlStorage, "prod": SqlStorage}


class Composition(containers.DeclarativeContainer):
    """The parts that every environment has; `storage` depends on the environment."""

    settings = providers.Dependency(instance_of=Settings)
    storage: Any = providers.DependenciesContainer()
    engine = storage.engine
    limiter = storage.limiter
    store = storage.store
    units_of_work = storage.units_of_work

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(RandomIds)
    keys = providers.Singleton(signing_keys, settings, ids)
    codec = providers.Singleton(JwtCodec, keys=keys, clock=clock)
    token_hasher = providers.Singleton(HmacAccessTokenHasher, keys)
    encryption = providers.Singleton(FernetEncryption, keys)
    pseudonyms = providers.Singleton(HmacPseudonyms, keys)
    marks = providers.Singleton(HmacAccountMarks, keys)
    hasher = providers.Singleton(
        PasslibHasher, scheme=settings.provided.password_scheme, cost=storage.hashing_cost
    )
    identity_providers = providers.Singleton(OidcProviders, clock)
    proxy_identities = providers.Singleton(JwksProxyIdentities, clock)
    news = providers.Singleton(news_of, settings, ids)
    cache = providers.Singleton(
        MemorySessionCache, clock=clock, keep=settings.provided.session_cache, news=news
    )
    policy = settings.provided.session_policy

    file_policy = providers.Singleton(
        FilePolicy, quota=settings.provided.files_quota, keep=settings.provided.files_keep
    )
    folder = providers.Singleton(FolderOnDisk, settings.provided.files_folder)
    storage_of_files = providers.Singleton(storage_of, settings, folder, ids)

    tally = providers.Singleton(MemoryTally)
    audit = providers.Singleton(
        AuditService, log=providers.Singleton(StructlogAuditLog, marks=marks), tally=tally
    )
    auth = providers.Singleton(
        AuthService,
        hasher=hasher,
        codec=codec,
        limiter=limiter,
        pseudonyms=pseudonyms,
        clock=clock,
        ids=ids,
        tally=tally,
        password_sign_in=settings.provided.password_sign_in,
    )
    passwords = providers.Singleton(
        PasswordService, common=providers.Singleton(BundledCommonPasswords)
    )
    users = providers.Singleton(
        UserService,
        clock=clock,
        ids=ids,
        password_sign_in=settings.provided.password_sign_in,
    )
    identities = providers.Singleton(
        IdentityService, codec=codec, clock=clock, ids=ids, users=users
    )
    provider_tokens = providers.Singleton(
        ProviderTokenService,
        providers=settings.provided.providers,
        encryption=encryption,
        clock=clock,
    )
    sessions = providers.Singleton(SessionService, codec=codec, clock=clock, ids=ids, policy=policy)
    confirmations = providers.Singleton(ConfirmationService, clock=clock)
    devices = providers.Singleton(KnownDeviceService, codec=codec, clock=clock, ids=ids)
    tokens = providers.Singleton(AccessTokenService, hasher=token_hasher, clock=clock, ids=ids)
    state = providers.Singleton(StateService)
    files = providers.Singleton(FileService, policy=file_policy, clock=clock)
    event_times = providers.Singleton(
        EventTimeService, policy=settings.provided.event_time_policy, clock=clock
    )

    _work: ClassVar[dict[str, Any]] = {"units_of_work": units_of_work}
    _audited: ClassVar[dict[str, Any]] = {"units_of_work": units_of_work, "audit": audit}
    _confirmed: ClassVar[dict[str, Any]] = {**_audited, "confirmations": confirmations}
    _signing_in: ClassVar[dict[str, Any]] = {"auth": auth, "users": users, "sessions": sessions}
    _new_password: ClassVar[dict[str, Any]] = {
        "users": users,
        "sessions": sessions,
        "tokens": tokens,
        "passwords": passwords,
        "hasher": hasher,
        "cache": cache,
    }
    _check_setup = providers.Singleton(uc.CheckSetup, **_work, auth=auth)

    _providers: ClassVar[dict[str, Any]] = {"providers": settings.provided.providers}
    _sso: ClassVar[dict[str, Any]] = {**_providers, "identities": identities}

    _recognise = providers.Singleton(uc.Recognise, **_work, sessions=sessions, cache=cache)
    _read_event_time = providers.Singleton(uc.ReadEventTime, **_work, times=event_times)
    _discard_files = providers.Singleton(uc.DiscardFiles, **_work, folder=folder)

    use_cases = providers.Singleton(
        uc.UseCases,
        log_in=providers.Singleton(
            uc.LogIn, **_audited, **_signing_in, devices=devices, cache=cache
        ),
        log_out=providers.Singleton(uc.LogOut, **_audited, cache=cache),
        recognise=_recognise,
        offer_setup=providers.Singleton(uc.OfferSetup, **_work, auth=auth),
        check_setup=_check_setup,
        set_up=providers.Singleton(
            uc.SetUp,
            **_audited,
            **_signing_in,
            devices=devices,
            passwords=passwords,
            hasher=hasher,
            check=_check_setup,
        ),
        purge_attempts=providers.Singleton(uc.PurgeAttempts, auth=auth),
        browser_storage=providers.Singleton(uc.BrowserStorage, marks=marks),
        create_user=providers.Singleton(
            uc.CreateUser, **_confirmed, users=users, passwords=passwords, hasher=hasher
        ),
        add_sample_users=providers.Singleton(
            uc.AddSampleUsers, **_work, users=users, hasher=hasher
        ),
        find_sample_users=providers.Singleton(uc.FindSampleUsers, **_work, hasher=hasher),
        list_users=providers.Singleton(uc.ListUsers, **_work),
        get_user=providers.Singleton(uc.GetUser, **_work),
        find_user=providers.Singleton(uc.FindUser, **_work),
        rename_user=providers.Singleton(uc.RenameUser, **_audited, users=users, cache=cache),
        change_user=providers.Singleton(uc.ChangeUser, **_confirmed, users=users, cache=cache),
        change_password=providers.Singleton(
            uc.ChangePassword, **_confirmed, **_new_password, auth=auth
        ),
        set_password=providers.Singleton(uc.SetPassword, **_confirmed, **_new_password),
        disable_user=providers.Singleton(uc.DisableUser, **_audited, users=users, cache=cache),
        enable_user=providers.Singleton(uc.EnableUser, **_confirmed, users=users),
        mark_break_glass=providers.Singleton(uc.MarkBreakGlass, **_audited, users=users),
        find_break_glass=providers.Singleton(uc.FindBreakGlass, **_work),
        grant_role=providers.Singleton(uc.GrantRole, **_confirmed, users=users, cache=cache),
        revoke_role=providers.Singleton(uc.RevokeRole, **_confirmed, users=users, cache=cache),
        sign_in_by_identity=providers.Singleton(
            uc.SignInByIdentity,
            **_audited,
            **_sso,
            auth=auth,
            sessions=sessions,
            devices=devices,
            provider_tokens=provider_tokens,
            cache=cache,
        ),
        start_at_provider=providers.Singleton(
            uc.StartAtProvider, **_sso, client=identity_providers, auth=auth
        ),
        finish_at_provider=providers.Singleton(
            uc.FinishAtProvider, **_sso, client=identity_providers, auth=auth, audit=audit
        ),
        keep_unproven=providers.Singleton(uc.KeepUnproven, **_sso),
        end_by_provider=providers.Singleton(
            uc.EndByProvider,
            **_audited,
            **_providers,
            client=identity_providers,
            auth=auth,
            cache=cache,
        ),
        leave_provider=providers.Singleton(
            uc.LeaveProvider, **_providers, client=identity_providers
        ),
        unlink_identities=providers.Singleton(uc.UnlinkIdentities, **_confirmed),
        read_confirmation=providers.Singleton(
            uc.ReadConfirmation, **_work, **_providers, confirmations=confirmations, auth=auth
        ),
        confirm_by_password=providers.Singleton(
            uc.ConfirmByPassword, **_confirmed, auth=auth, cache=cache
        ),
        confirm_by_identity=providers.Singleton(
            uc.ConfirmByIdentity, **_confirmed, **_providers, cache=cache
        ),
        find_provider_token=providers.Singleton(
            uc.FindProviderToken, **_work, client=identity_providers, tokens=provider_tokens
        ),
        read_proxy_identity=providers.Singleton(
            uc.ReadProxyIdentity, **_providers, client=proxy_identities
        ),
        finish_at_proxy=providers.Singleton(uc.FinishAtProxy, audit=audit),
        recognise_behind_proxy=providers.Singleton(
            uc.RecogniseBehindProxy, **_audited, **_sso, recognise=_recognise, cache=cache
        ),
        list_sessions=providers.Singleton(uc.ListSessions, **_work, sessions=sessions),
        list_all_sessions=providers.Singleton(uc.ListAllSessions, **_work, sessions=sessions),
        revoke_session=providers.Singleton(
            uc.RevokeSession, **_audited, sessions=sessions, cache=cache
        ),
        revoke_other_sessions=providers.Singleton(
            uc.RevokeOtherSessions, **_audited, sessions=sessions, cache=cache
        ),
        revoke_all_sessions=providers.Singleton(
            uc.RevokeAllSessions, **_audited, sessions=sessions, tokens=tokens, cache=cache
        ),
        keep_awake=providers.Singleton(uc.KeepAwake, **_work, sessions=sessions),
        ended_sessions=providers.Singleton(
            uc.EndedSessions, **_work, sessions=sessions, tokens=tokens
        ),
        take_over_session=providers.Singleton(uc.TakeOverSession, **_audited, sessions=sessions),
        purge_sessions=providers.Singleton(
            uc.PurgeSessions, **_work, sessions=sessions, cache=cache
        ),
        list_known_devices=providers.Singleton(uc.ListKnownDevices, **_work),
        forget_device=providers.Singleton(uc.ForgetDevice, **_audited, devices=devices),
        purge_devices=providers.Singleton(uc.PurgeDevices, **_work, devices=devices),
        create_token=providers.Singleton(uc.CreateToken, **_confirmed, tokens=tokens),
        list_tokens=providers.Singleton(uc.ListTokens, **_work, tokens=tokens),
        list_tokens_of=providers.Singleton(uc.ListTokensOf, **_audited, tokens=tokens),
        revoke_all_tokens=providers.Singleton(
            uc.RevokeAllTokens, **_audited, tokens=tokens, cache=cache
        ),
        revoke_token=providers.Singleton(uc.RevokeToken, **_audited, tokens=tokens, cache=cache),
        recognise_token=providers.Singleton(uc.RecogniseToken, **_work, tokens=tokens, cache=cache),
        purge_tokens=providers.Singleton(uc.PurgeTokens, **_work, tokens=tokens, cache=cache),
        read_account_state=providers.Singleton(uc.ReadAccountState, **_work),
        change_account_state=providers.Singleton(uc.ChangeAccountState, **_work, state=state),
        read_session_data=providers.Singleton(
            uc.ReadSessionData, **_work, has_replicas=settings.provided.may_have_replicas
        ),
        change_session_data=providers.Singleton(
            uc.ChangeSessionData, **_work, state=state, cache=cache
        ),
        claim_files=providers.Singleton(uc.ClaimFiles, **_work, files=files),
        use_files=providers.Singleton(uc.UseFiles, **_work, files=files),
        find_file_space=providers.Singleton(uc.FindFileSpace, **_work, files=files),
        discard_files=_discard_files,
        release_files=providers.Singleton(
            uc.ReleaseFiles,
            **_work,
            files=files,
            sessions=sessions,
            discard=_discard_files,
            storage=storage_of_files,
        ),
        share_files=providers.Singleton(uc.ShareFiles, storage_of_files),
        share_folder=providers.Singleton(
            uc.ShareFolder, **_work, folder=folder, storage=storage_of_files
        ),
        bring_files=providers.Singleton(uc.BringFiles, storage_of_files),
        purge_files=providers.Singleton(
            uc.PurgeFiles,
            **_work,
            files=files,
            sessions=sessions,
            folder=folder,
            discard=_discard_files,
            storage=storage_of_files,
        ),
        check_readiness=providers.Singleton(
            uc.CheckReadiness, store=store, news=news, files=storage_of_files
        ),
        beat=providers.Singleton(uc.Beat, **_work, replicas=providers.Singleton(ReplicaService)),
        find_home=providers.Singleton(uc.FindHome, **_work),
        release_homes=providers.Singleton(uc.ReleaseHomes, **_work),
        leave_replicas=providers.Singleton(uc.LeaveReplicas, **_work),
        add_event_time=providers.Singleton(uc.AddEventTime, **_work),
        read_event_time=_read_event_time,
        find_event_quota=providers.Singleton(
            uc.FindEventQuota, times=event_times, read=_read_event_time
        ),
        purge_event_time=providers.Singleton(uc.PurgeEventTime, **_work, times=event_times),
        read_load=providers.Singleton(
            uc.ReadLoad, hashes=hasher, pool=store, news=news, tally=tally
        ),
    )


def build(settings: Settings, *, clock: Clock | None = None) -> Composition:
    """Make the container without connecting to anything. Tests pass their own `clock`."""
    storage = STORAGES[settings.environment](settings=settings)
    container = Composition(settings=settings, storage=storage)
    if clock is not None:
        container.clock.override(providers.Object(clock))
    return container
