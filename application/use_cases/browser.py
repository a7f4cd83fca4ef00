"""Names and secrets for an account's values in a browser, and a mark of the browser's last account."""

import hmac
from dataclasses import dataclass

from domain.model.user import UserId
from domain.ports.security import AccountMarks


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserStorage:
    """Names and secrets for a browser's storage. They are the same on every device and after a restart, and change when
    the newest key changes."""

    marks: AccountMarks

    def owner(self, user_id: UserId) -> str:
        """The account's name in the browser's storage. Scripts of the pages can read it."""
        return self.marks.mark(user_id, "storage owner")

    def key(self, user_id: UserId, *, page: str, name: str) -> str:
        """The storage key of a value: `gradioapp.<owner>.<mark>`. `page` is a path, which cannot contain a line break."""
        mark = self.marks.mark(user_id, f"storage key\n{page}\n{name}")
        return f"gradioapp.{self.owner(user_id)}.{mark}"

    def secret(self, user_id: UserId, *, page: str, name: str) -> str:
        """The secret for encrypting a value."""
        return self.marks.mark(user_id, f"storage secret\n{page}\n{name}")

    def last(self, user_id: UserId) -> str:
        """The value of the cookie that remembers which account signed in last. Scripts cannot read it."""
        return self.marks.mark(user_id, "last sign-in")

    def was_last(self, user_id: UserId, cookie: str | None) -> bool:
        """Return whether the cookie belongs to this account; False for a missing or forged cookie."""
        return cookie is not None and hmac.compare_digest(
            cookie.encode("utf-8", "surrogatepass"), self.last(user_id).encode()
        )
