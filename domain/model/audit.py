"""Acts that concern security, and how each one is recorded."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum

from domain.model.caller import Caller
from domain.model.session import SessionId
from domain.model.user import UserId


class Act(StrEnum):
    """Names of the OWASP Logging Vocabulary."""

    SIGN_IN = "authn_login_success"
    SIGN_IN_REFUSED = "authn_login_fail"
    SIGN_IN_THROTTLED = "authn_login_fail_max"
    CHANGE_PASSWORD = "authn_password_change"  # noqa: S105 -- A name, no password.
    PASSWORD_CHANGE_REFUSED = "authn_password_change_fail"  # noqa: S105 -- As above.
    CREATE_TOKEN = "authn_token_created"  # noqa: S105 -- As above.
    REVOKE_TOKEN = "authn_token_revoked"  # noqa: S105 -- As above.
    END_SESSION = "session_expired"
    RENEW_SESSION = "session_renewed"
    CREATE_USER = "user_created"
    CHANGE_USER = "user_updated"
    DISABLE_USER = "user_archived"
    CHANGE_ROLES = "authz_change"
    READ = "sensitive_read"
    NOT_ALLOWED = "authz_fail"


@dataclass(slots=True, kw_only=True)
class Entry:
    """One act. It is filled while the act is carried out."""

    act: Act
    by: Caller | None
    """None while nobody is signed in."""
    of: UserId | None = None
    """The account that the act changes."""
    opened: SessionId | None = None
    """The session that a sign-in has opened."""
    typed: str | None = None
    """What was typed in place of an unknown account. Only its keyed hash is recorded."""
    refusal: str | None = None
    """The name of the refusal, or None if the act was done."""
    details: Mapping[str, str | int | bool] = field(default_factory=dict)

    def found(self, user_id: UserId) -> None:
        """Name the account in place of what was typed."""
        self.of, self.typed = user_id, None

    def add(self, details: Mapping[str, str | int | bool]) -> None:
        self.details = {**self.details, **details}


def role_changes(before: Set[str], after: Set[str]) -> dict[str, str]:
    """Return details of an entry: the roles that are granted and revoked, if there are any."""
    changes = {"granted": after - before, "revoked": before - after}
    return {name: " ".join(sorted(roles)) for name, roles in changes.items() if roles}


def sessions_ended(ended: Collection[SessionId]) -> dict[str, int]:
    """Return details of a sign-in: how many sessions it has ended, if any."""
    return {"sessions_ended": len(ended)} if ended else {}
