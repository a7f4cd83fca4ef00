"""The cookies: one opens the session, one tells a form's browser from others, one knows who signed in last."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from application.settings import Settings

LONGEST_VALUE: Final = 4096
"""Characters; ours have some 400 (ASVS 3.3.5)."""
LONGEST_LIFE: Final = timedelta(days=400)
"""No browser keeps a cookie longer (RFC 6265bis)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    name: str
    is_secure: bool
    same_site: Literal["Lax", "Strict"]
    lasts: timedelta | None = None
    """None: until the browser is closed."""

    def set(self, value: str) -> str:
        """The Set-Cookie header."""
        age = "" if self.lasts is None else f"; Max-Age={int(self.lasts.total_seconds())}"
        return (
            f"{self.name}={value}{age}; Path=/; HttpOnly; SameSite={self.same_site}{self._secure}"
        )

    def drop(self) -> str:
        return f"{self.name}=; Max-Age=0; Path=/; HttpOnly; SameSite={self.same_site}{self._secure}"

    @property
    def _secure(self) -> str:
        return "; Secure" if self.is_secure else ""

    def is_in(self, header: str) -> bool:
        return bool(self._values(header))

    def value_in(self, header: str) -> str | None:
        """None also when there are two of them, since one was planted, and when it cannot be ours."""
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
    form: Cookie
    last: Cookie
    """A mark of the account that signed in last in this browser."""

    @classmethod
    def of(cls, settings: Settings) -> "Cookies":
        prefix = "__Host-" if settings.is_https else ""
        secure = settings.is_https
        return cls(
            session=Cookie(name=f"{prefix}gradioapp-session", is_secure=secure, same_site="Lax"),
            form=Cookie(name=f"{prefix}gradioapp-form", is_secure=secure, same_site="Strict"),
            last=Cookie(
                name=f"{prefix}gradioapp-last",
                is_secure=secure,
                same_site="Strict",
                lasts=LONGEST_LIFE,
            ),
        )
