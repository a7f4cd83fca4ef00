"""The refusals of the domain.

Each refusal carries one sentence for the user. The edges turn a refusal into an HTTP status or a pop-up:
`entrypoints/web/errors.py` and `entrypoints/ui/calls/errors.py`.
"""

from datetime import datetime, timedelta


class DomainError(Exception):
    """A refusal. Users see `sentence` unchanged."""

    sentence = "This is not possible."

    def __init__(self, sentence: str | None = None) -> None:
        self.sentence = sentence or self.sentence
        super().__init__(self.sentence)


class SignInRefused(DomainError):
    """The account is unknown or disabled, or the password is wrong. The three cases look the same to the user."""

    sentence = "E-mail and password do not match."


class SignInThrottled(DomainError):
    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"Too many attempts. Try again in {max(1, round(retry_after.total_seconds()))} seconds."
        )


class PasswordSignInOff(DomainError):
    """Passwords open no session here, except that of a break-glass account. Every failure looks the same."""

    sentence = "Passwords are switched off here. Use single sign-on instead."


class ProviderNotFound(DomainError):
    """No identity provider of this name is configured."""

    sentence = "There is no such way to sign in."


class IdentityRefused(DomainError):
    """A sign-in at an identity provider opens no session here. `reason` is for the log and has no secret."""

    sentence = "This sign-in was not accepted. Start again."

    def __init__(self, sentence: str | None = None, *, reason: str = "") -> None:
        self.reason = reason
        super().__init__(sentence)


class ProviderUnavailable(DomainError):
    """The identity provider is slow, unreachable, or sends what is no valid response. `reason` is for the log."""

    def __init__(self, label: str, *, reason: str = "") -> None:
        self.reason = reason
        super().__init__(f"{label} cannot be used at the moment. Try again in a minute.")


class ProviderTokenMissing(DomainError):
    """An app needs the caller's access token of an identity provider, and there is none. `reason` is for the log."""

    sentence = "This app asks for an access token of your identity provider, and its page names no scopes. Ask an admin."

    def __init__(self, sentence: str | None = None, *, reason: str = "no scopes") -> None:
        self.reason = reason
        super().__init__(sentence)


class LinkNeedsPassword(DomainError):
    """The sign-in at a provider belongs to an account with the role admin, which must prove its password once."""

    sentence = "Your account is an admin's. Confirm once with its password that it is yours."


class IdentityTaken(DomainError):
    """The identity is linked already, or the account has another identity of the same issuer."""

    sentence = "This account is already linked to another sign-in of this kind. Ask an admin."


class SessionEnded(DomainError):
    sentence = "Your session has ended. Sign in again."


class SessionExpired(SessionEnded):
    """The session has passed its idle or absolute timeout, at most 15 minutes ago. Nobody has ended it."""

    sentence = "Your session has expired. Sign in again."


class SessionReplaced(SessionEnded):
    """The proxy in front names another person than the one to whom the session belonged."""

    sentence = "Another person has signed in with this browser. Load the page again."


class SessionNotFound(DomainError):
    """The session does not exist or belongs to another account."""

    sentence = "There is no such session."


class KnownDeviceNotFound(DomainError):
    """The known device does not exist or belongs to another account."""

    sentence = "There is no such device."


class AccessTokenEnded(SessionEnded):
    """The access token is unknown, malformed, expired or revoked."""

    sentence = "This access token is not valid: it is mistyped, expired or revoked."


class AccessTokenNotFound(DomainError):
    """The access token does not exist or belongs to another account."""

    sentence = "There is no such access token."


class AccessTokenInvalid(DomainError):
    """The requested access token breaks a rule; `sentence` names the rule."""


class TooManyAccessTokens(DomainError):
    sentence = "Your account has reached its limit of access tokens. Revoke one first."


class SignedTokenRefused(DomainError):
    """The signed token is forged, expired, malformed or made for another purpose."""

    sentence = "This link or form has expired. Load the page again."


class SetupClosed(DomainError):
    sentence = "The first admin exists already. Sign in instead."


class NotAllowed(DomainError):
    sentence = "Your account is not allowed to do this."


class UserNotFound(DomainError):
    sentence = "There is no such user."


class EmailTaken(DomainError):
    sentence = "There is already an account with this e-mail address."


class EmailInvalid(DomainError):
    sentence = "This is not an e-mail address."


class NameInvalid(DomainError):
    sentence = "A name has 1 to 200 characters, and no control characters."


class RoleInvalid(DomainError):
    sentence = "A role is 1 to 50 lower-case letters, digits, '-' or '_', and starts with a letter."


class PasswordInvalid(DomainError):
    """The new password breaks a rule; `sentence` names the rule."""


class WrongPassword(DomainError):
    """The current password, asked for again before a sensitive change, is wrong."""

    sentence = "The current password is wrong."


class ConfirmationNeeded(DomainError):
    """The session may do this only shortly after its user has proved who they are."""

    sentence = "You last proved who you are more than 10 minutes ago. Confirm it first, with your password or a new sign-in at your provider. Then try again."


class LastAdmin(DomainError):
    sentence = "This is the last active admin. Make somebody else an admin first."


class LastBreakGlass(DomainError):
    """Passwords are switched off, and this is the only account that may use one."""

    sentence = (
        "This is the break-glass account, the only one whose password works here. "
        "Mark another account first: gradioapp users break-glass EMAIL"
    )


class StateInvalid(DomainError):
    """A key or value cannot be stored; `sentence` says which and why."""


class FilesQuotaExceeded(DomainError):
    """The file would exceed the account's quota; `sentence` says how much is used and what to do."""


class DiskFull(DomainError):
    """A file cannot be written: the disk or its quota is full, or the folder is read-only."""

    sentence = "The service cannot write files: its disk is full or read-only. Nothing was saved. Tell the operator of this service, and try again later."


class FileGone(DomainError):
    """The file was removed while it was being claimed."""

    sentence = "The file was removed just now. Try again."


class FilesUnavailable(DomainError):
    """The store of files does not respond, or refuses to work. Nothing in it has changed, as far as anybody was told."""

    sentence = "The service cannot reach its store of files at the moment. Try again in a minute."


class EventTimeUsedUp(DomainError):
    """The account has used up its quota of event time. `retry_after` says how long it must wait."""

    def __init__(self, quota: timedelta, *, free_at: datetime, now: datetime) -> None:
        self.retry_after = free_at - now
        minutes = -(-self.retry_after // timedelta(minutes=1))
        super().__init__(
            f"You have used your {_minutes(quota // timedelta(minutes=1))} of computing of the last hour. "
            f"You can run events again at {free_at:%H:%M} UTC (in {_minutes(minutes)})."
        )


class HashingBusy(DomainError):
    sentence = "The server is busy signing people in. Try again in a moment."


class StoreUnavailable(DomainError):
    """The database does not respond. Never treat a caller as anonymous because of it."""

    sentence = "The service cannot reach its database. Try again in a moment."


class ReplicaGone(DomainError):
    """The process that ran the account's events does not respond, or has just stopped."""

    sentence = "The part of the service that ran your apps has stopped. Try again in some seconds, and reload the page."


def _minutes(number: int) -> str:
    return "1 minute" if number == 1 else f"{number} minutes"
