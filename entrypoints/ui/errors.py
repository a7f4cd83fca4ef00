"""Refusals as a person at a Gradio page sees them: the twin of `entrypoints/web/errors.py`."""

from typing import Final

import gradio as gr
import structlog

from domain import errors

log = structlog.get_logger()

TITLES: Final[dict[type[errors.DomainError], str]] = {
    errors.SignInRefused: "Not signed in",
    errors.SignInThrottled: "Too many attempts",
    errors.SessionEnded: "Session ended",
    errors.SessionNotFound: "Not found",
    errors.AccessTokenEnded: "Token ended",
    errors.AccessTokenNotFound: "Not found",
    errors.AccessTokenInvalid: "Check the token",
    errors.TooManyAccessTokens: "Too many tokens",
    errors.TokenRefused: "Expired",
    errors.SetupClosed: "Already set up",
    errors.NotAllowed: "Not allowed",
    errors.UserNotFound: "Not found",
    errors.EmailTaken: "Already taken",
    errors.EmailInvalid: "Check the e-mail",
    errors.NameInvalid: "Check the name",
    errors.RoleInvalid: "Check the role",
    errors.PasswordInvalid: "Check the password",
    errors.WrongPassword: "Check the password",
    errors.LastAdmin: "Last admin",
    errors.StateInvalid: "Cannot be kept",
    errors.FilesQuotaExceeded: "Too many files",
    errors.DiskFull: "Disk full",
    errors.FileGone: "File removed",
    errors.HashingBusy: "Busy",
    errors.StoreUnavailable: "Database unavailable",
}
"""The heading of the pop-up; its text is the refusal's sentence."""


def as_popup(error: Exception, *, request_id: str) -> gr.Error:
    """What the person is shown instead of `error`: the sentence of a refusal, or for a fault only a number to report,
    while the log gets the rest (ASVS 16.5.1)."""
    if isinstance(error, errors.DomainError):
        return gr.Error(error.sentence, title=TITLES[type(error)], print_exception=False)
    log.error("event failed", request_id=request_id, exc_info=error)
    return gr.Error(
        f"Something went wrong. If it happens again, report the number {request_id}.",
        title="Error",
        print_exception=False,
    )
