"""What may be refused, in the words of the domain.

Every refusal carries one sentence that a person can act on. Which status or which
pop-up it becomes is decided at the edges: `entrypoints/web/errors.py`, `entrypoints/ui/errors.py`.
"""

from datetime import timedelta


class DomainError(Exception):
    """A refusal. `sentence` is shown to the person as it stands."""

    sentence = "This is not possible."

    def __init__(self, sentence: str | None = None) -> None:
        self.sentence = sentence or self.sentence
        super().__init__(self.sentence)


class SignInRefused(DomainError):
    """Unknown name, wrong password and closed account alike."""

    sentence = "E-mail and password do not match."


class SignInThrottled(DomainError):
    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"Too many attempts. Try again in {max(1, round(retry_after.total_seconds()))} seconds."
        )


class SessionEnded(DomainError):
    sentence = "Your session has ended. Sign in again."


class SessionNotFound(DomainError):
    """Also what somebody else's session answers."""

    sentence = "There is no such session."


class AccessTokenEnded(SessionEnded):
    """A program's token that is unknown, malformed, expired or revoked."""

    sentence = "This access token does not hold: it is mistyped, expired or revoked."


class AccessTokenNotFound(DomainError):
    """Also what somebody else's token answers."""

    sentence = "There is no such access token."


class AccessTokenInvalid(DomainError):
    """A token that cannot be made as asked for; `sentence` says why."""


class TooManyAccessTokens(DomainError):
    sentence = "Your account has as many access tokens as it may have. Revoke one first."


class TokenRefused(DomainError):
    """A signed token that is forged, expired, malformed or meant for something else."""

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
    """The new password breaks a rule, which `sentence` names."""


class WrongPassword(DomainError):
    """The present password, asked again before something sensitive, is not right."""

    sentence = "The current password is not right."


class LastAdmin(DomainError):
    sentence = "This is the last active admin. Make somebody else an admin first."


class StateInvalid(DomainError):
    """A key or value that cannot be kept; `sentence` says which and why."""


class FilesQuotaExceeded(DomainError):
    """The account's files would be more than its quota; `sentence` says how much is used and what to do."""


class DiskFull(DomainError):
    """A file cannot be written: the disk or its quota is full, or the folder is read-only."""

    sentence = "The service cannot write files: its disk is full or read-only. Nothing was kept. Tell its operator, and try again later."


class FileGone(DomainError):
    """A file was removed at the moment it was claimed."""

    sentence = "The file was removed just now. Try again."


class HashingBusy(DomainError):
    sentence = "The server is busy signing people in. Try again in a moment."


class StoreUnavailable(DomainError):
    """The database does not answer. Never a reason to treat a caller as anonymous."""

    sentence = "The service cannot reach its database. Try again in a moment."
