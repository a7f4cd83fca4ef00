"""The table of contents: everything the service can do, as one typed bundle."""

from dataclasses import dataclass

from application.use_cases.auth import (
    CheckSetup,
    FormTokens,
    LogIn,
    LogOut,
    OfferSetup,
    Recognise,
    SetUp,
)
from application.use_cases.browser import BrowserStorage
from application.use_cases.files import (
    ClaimFiles,
    DiscardFiles,
    FindFileSpace,
    PurgeFiles,
    UseFiles,
)
from application.use_cases.health import CheckReadiness
from application.use_cases.sessions import (
    EndedSessions,
    KeepAwake,
    ListAllSessions,
    ListSessions,
    PurgeSessions,
    RevokeAllSessions,
    RevokeOtherSessions,
    RevokeSession,
)
from application.use_cases.state import (
    ChangeAccountState,
    ChangeSessionData,
    ReadAccountState,
)
from application.use_cases.tokens import (
    CreateToken,
    ListTokens,
    PurgeTokens,
    RecogniseToken,
    RevokeToken,
)
from application.use_cases.users import (
    AddSampleUsers,
    ChangePassword,
    ChangeUser,
    CreateUser,
    DisableUser,
    EnableUser,
    FindSampleUsers,
    FindUser,
    GetUser,
    GrantRole,
    ListUsers,
    RenameUser,
    RevokeRole,
    SetPassword,
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
    form_tokens: FormTokens
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
    grant_role: GrantRole
    revoke_role: RevokeRole
    # sessions
    list_sessions: ListSessions
    list_all_sessions: ListAllSessions
    revoke_session: RevokeSession
    revoke_other_sessions: RevokeOtherSessions
    revoke_all_sessions: RevokeAllSessions
    keep_awake: KeepAwake
    ended_sessions: EndedSessions
    purge_sessions: PurgeSessions
    # tokens
    create_token: CreateToken
    list_tokens: ListTokens
    revoke_token: RevokeToken
    recognise_token: RecogniseToken
    purge_tokens: PurgeTokens
    # state
    read_account_state: ReadAccountState
    change_account_state: ChangeAccountState
    change_session_data: ChangeSessionData
    # files
    claim_files: ClaimFiles
    use_files: UseFiles
    find_file_space: FindFileSpace
    discard_files: DiscardFiles
    purge_files: PurgeFiles
    # health
    check_readiness: CheckReadiness
