"""Our cookies: the session, sign-ins that have begun at identity providers, one that waits for a password, the browser's
id for forms, a mark of the account that signed in last, the device that has signed in before, and a mark that its user has
signed out."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, Literal

from application.settings import Settings
from domain.model.identity import ATTEMPT_LASTS
from domain.model.known_device import LASTS

LONGEST_VALUE: Final = 4096
"""Characters. Our cookies have about 400 (ASVS 3.3.5)."""
LONGEST_LIFE: Final = timedelta(days=400)
"""The longest lifetime that browsers accept (RFC 6265bis)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    name: str
    is_secure: bool
    same_site: Literal["Lax", "Strict"]
    path: str = "/"
    lasts: timedelta | None = None
    """None for a cookie that lasts until the browser is closed."""

    def set(self, value: str) -> str:
        """Return the Set-Cookie header that sets the cookie."""
        age = "" if self.lasts is None else f"; Max-Age={int(self.lasts.total_seconds())}"
        return f"{self.name}={value}{age}; Path={self.path}; HttpOnly; SameSite={self.same_site}{self._secure}"

    def drop(self) -> str:
        """Return the Set-Cookie header that removes the cookie."""
        return (
            f"{self.name}=; Max-Age=0; Path={self.path}; HttpOnly; "
            f"SameSite={self.same_site}{self._secure}"
        )

    @property
    def _secure(self) -> str:
        return "; Secure" if self.is_secure else ""

    def is_in(self, header: str) -> bool:
        return bool(self._values(header))

    def value_in(self, header: str) -> str | None:
        """Return the cookie's value. None if it is missing, if it is sent twice, because one may be planted, or if the
        value cannot be ours."""
        values = self._values(header)
        if len(values) != 1:
            return None
        value = values[0]
        is_ours = 0 < len(value) <= LONGEST_VALUE and value.isascii() and value.isprintable()
        return value if is_ours else None

    def _values(self, header: str) -> list[str]:
        if self.name not in header:
            return []
        pairs = (part.partition("=") for part in header.split(";"))
        return [value.strip() for name, _, value in pairs if name.strip() == self.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    session: Cookie
    attempt: Cookie
    """A sign-in that has begun at an identity provider. Lax, because the person comes back from another site. Its name
    is the beginning of the names in attempts.py."""
    unproven: Cookie
    """A sign-in at an identity provider that waits for the account's password."""
    form: Cookie
    last: Cookie
    """A mark of the account that signed in last in this browser. Lax, because it is read when a person comes back from
    an identity provider."""
    left: Cookie
    """A mark that the user has signed out here, while the proxy in front still knows the user."""
    device: Cookie
    """Makes the browser known to the accounts that have signed in with it, whose limits strangers cannot use up."""

    @classmethod
    def of(cls, settings: Settings) -> "Cookies":
        secure, path = settings.is_https, settings.base_path or "/"
        # A browser takes a __Host- cookie only with the path /, which other services of the host would receive.
        prefix = "" if not secure else "__Host-" if path == "/" else "__Secure-"
        of_all = partial(Cookie, is_secure=secure, path=path)
        return cls(
            session=of_all(name=f"{prefix}gradioapp-session", same_site="Lax"),
            attempt=of_all(name=f"{prefix}gradioapp-sso", same_site="Lax", lasts=ATTEMPT_LASTS),
            unproven=of_all(
                name=f"{prefix}gradioapp-link", same_site="Strict", lasts=ATTEMPT_LASTS
            ),
            form=of_all(name=f"{prefix}gradioapp-form", same_site="Strict"),
            last=of_all(name=f"{prefix}gradioapp-last", same_site="Lax", lasts=LONGEST_LIFE),
            left=of_all(name=f"{prefix}gradioapp-left", same_site="Lax"),
            device=of_all(name=f"{prefix}gradioapp-device", same_site="Strict", lasts=LASTS),
        )
