"""All use cases of the service, as one typed bundle."""

from dataclasses import dataclass

from application.use_cases.access_tokens import (
    CreateToken,
    ListTokens,
    ListTokensOf,
    PurgeTokens,
    RecogniseToken,
    RevokeAllTokens,
    RevokeToken,
)
from application.use_cases.auth import (
    CheckSetup,
    LogIn,
    LogOut,
    OfferSetup,
    PurgeAttempts,
    Recognise,
    SetUp,
)
from application.use_cases.break_glass import FindBreakGlass, MarkBreakGlass
from application.use_cases.browser import BrowserStorage
from application.use_cases.confirmations import (
    ConfirmByIdentity,
    ConfirmByPassword,
    ReadConfirmation,
)
from application.use_cases.event_time import (
    AddEventTime,
    FindEventQuota,
    PurgeEventTime,
    ReadEventTime,
)
from application.use_cases.files import (
    BringFiles,
    ClaimFiles,
    DiscardFiles,
    FindFileSpace,
    PurgeFiles,
    ReleaseFiles,
    ShareFiles,
    ShareFolder,
    UseFiles,
)
from application.use_cases.health import CheckReadiness, ReadLoad
from application.use_cases.identities import (
    FinishAtProvider,
    KeepUnproven,
    SignInByIdentity,
    StartAtProvider,
)
from application.use_cases.known_devices import (
    ForgetDevice,
    ListKnownDevices,
    PurgeDevices,
)
from application.use_cases.linked_identities import UnlinkIdentities
from application.use_cases.passwords import ChangePassword, SetPassword
from application.use_cases.provider_sign_out import EndByProvider, LeaveProvider
from application.use_cases.provider_tokens import FindProviderToken
from application.use_cases.proxy_identity import (
    FinishAtProxy,
    ReadProxyIdentity,
    RecogniseBehindProxy,
)
from application.use_cases.replicas import (
    Beat,
    FindHome,
    LeaveReplicas,
    ReleaseHomes,
)
from application.use_cases.roles import GrantRole, RevokeRole
from application.use_cases.sample_users import AddSampleUsers, FindSampleUsers
from application.use_cases.sessions import (
    EndedSessions,
    KeepAwake,
    ListAllSessions,
    ListSessions,
    PurgeSessions,
    RevokeAllSessions,
    RevokeOtherSessions,
    RevokeSession,
    TakeOverSession,
)
from application.use_cases.state import (
    ChangeAccountState,
    ChangeSessionData,
    ReadAccountState,
    ReadSessionData,
)
from application.use_cases.users import (
    ChangeUser,
    CreateUser,
    DisableUser,
    EnableUser,
    FindUser,
    GetUser,
    ListUsers,
    RenameUser,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    # auth
    log_in: LogIn
    log_out: LogOut
    recognise: Recognise
    offer_setup: OfferSetup
    check_setup: CheckSetup
    set_up: SetUp
    purge_attempts: PurgeAttempts
    browser_storage: BrowserStorage
    # users
    create_user: CreateUser
    add_sample_users: AddSampleUsers
    find_sample_users: FindSampleUsers
    list_users: ListUsers
    get_user: GetUser
    find_user: FindUser
    rename_user: RenameUser
    change_user: ChangeUser
    change_password: ChangePassword
    set_password: SetPassword
    disable_user: DisableUser
    enable_user: EnableUser
    mark_break_glass: MarkBreakGlass
    find_break_glass: FindBreakGlass
    grant_role: GrantRole
    revoke_role: RevokeRole
    # identities
    start_at_provider: StartAtProvider
    finish_at_provider: FinishAtProvider
    keep_unproven: KeepUnproven
    sign_in_by_identity: SignInByIdentity
    leave_provider: LeaveProvider
    end_by_provider: EndByProvider
    unlink_identities: UnlinkIdentities
    read_proxy_identity: ReadProxyIdentity
    finish_at_proxy: FinishAtProxy
    recognise_behind_proxy: RecogniseBehindProxy
    # provider tokens
    find_provider_token: FindProviderToken
    # confirmations
    read_confirmation: ReadConfirmation
    confirm_by_password: ConfirmByPassword
    confirm_by_identity: ConfirmByIdentity
    # sessions
    list_sessions: ListSessions
    list_all_sessions: ListAllSessions
    revoke_session: RevokeSession
    revoke_other_sessions: RevokeOtherSessions
    revoke_all_sessions: RevokeAllSessions
    keep_awake: KeepAwake
    ended_sessions: EndedSessions
    take_over_session: TakeOverSession
    purge_sessions: PurgeSessions
    # known devices
    list_known_devices: ListKnownDevices
    forget_device: ForgetDevice
    purge_devices: PurgeDevices
    # access tokens
    create_token: CreateToken
    list_tokens: ListTokens
    list_tokens_of: ListTokensOf
    revoke_token: RevokeToken
    revoke_all_tokens: RevokeAllTokens
    recognise_token: RecogniseToken
    purge_tokens: PurgeTokens
    # state
    read_account_state: ReadAccountState
    change_account_state: ChangeAccountState
    read_session_data: ReadSessionData
    change_session_data: ChangeSessionData
    # files
    claim_files: ClaimFiles
    use_files: UseFiles
    find_file_space: FindFileSpace
    discard_files: DiscardFiles
    release_files: ReleaseFiles
    share_files: ShareFiles
    share_folder: ShareFolder
    bring_files: BringFiles
    purge_files: PurgeFiles
    # replicas
    beat: Beat
    find_home: FindHome
    release_homes: ReleaseHomes
    leave_replicas: LeaveReplicas
    # event time
    add_event_time: AddEventTime
    read_event_time: ReadEventTime
    find_event_quota: FindEventQuota
    purge_event_time: PurgeEventTime
    # health
    check_readiness: CheckReadiness
    read_load: ReadLoad
