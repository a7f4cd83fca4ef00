"""Turn domain errors into the pop-ups of Gradio pages, as `entrypoints/web/errors.py` turns them into responses."""

from typing import Final

import gradio as gr
import structlog

from domain import errors

log = structlog.get_logger()

EVENT_STATUS: Final = "event_status"
"""Key in the scope's `state`: the HTTP status for this request if its event has failed; 400 if the key is missing."""

TITLES: Final[dict[type[errors.DomainError], str]] = {
    errors.SignInRefused: "Not signed in",
    errors.SignInThrottled: "Too many attempts",
    errors.PasswordSignInOff: "Passwords are switched off",
    errors.ProviderNotFound: "Not found",
    errors.IdentityRefused: "Not signed in",
    errors.ProviderUnavailable: "Provider unavailable",
    errors.ProviderTokenMissing: "No access token",
    errors.LinkNeedsPassword: "Confirm with your password",
    errors.IdentityTaken: "Already linked",
    errors.SessionEnded: "Session ended",
    errors.SessionExpired: "Session ended",
    errors.SessionReplaced: "Session ended",
    errors.SessionNotFound: "Not found",
    errors.KnownDeviceNotFound: "Not found",
    errors.AccessTokenEnded: "Token ended",
    errors.AccessTokenNotFound: "Not found",
    errors.AccessTokenInvalid: "Check the token",
    errors.TooManyAccessTokens: "Too many tokens",
    errors.SignedTokenRefused: "Expired",
    errors.SetupClosed: "Already set up",
    errors.NotAllowed: "Not allowed",
    errors.UserNotFound: "Not found",
    errors.EmailTaken: "Already taken",
    errors.EmailInvalid: "Check the e-mail",
    errors.NameInvalid: "Check the name",
    errors.RoleInvalid: "Check the role",
    errors.PasswordInvalid: "Check the password",
    errors.WrongPassword: "Check the password",
    errors.ConfirmationNeeded: "Confirm that it is you",
    errors.LastAdmin: "Last admin",
    errors.LastBreakGlass: "Break-glass account",
    errors.StateInvalid: "Cannot be saved",
    errors.FilesQuotaExceeded: "Too many files",
    errors.DiskFull: "Disk full",
    errors.FileGone: "File removed",
    errors.FilesUnavailable: "Files unavailable",
    errors.EventTimeUsedUp: "Time used up",
    errors.HashingBusy: "Busy",
    errors.StoreUnavailable: "Database unavailable",
    errors.ReplicaGone: "Part of the service stopped",
}
"""The titles of the pop-ups; their text is the sentence of the error."""


def as_popup(error: Exception, *, request_id: str) -> gr.Error:
    """Return what the user sees instead of `error`: the sentence of a domain error, otherwise only a number to report.
    The traceback of an unexpected error goes to the log (ASVS 16.5.1)."""
    if isinstance(error, errors.DomainError):
        return gr.Error(error.sentence, title=TITLES[type(error)], print_exception=False)
    log.error("event failed", request_id=request_id, exc_info=error)
    return gr.Error(
        f"Something went wrong. If it happens again, report the number {request_id}.",
        title="Error",
        print_exception=False,
    )
