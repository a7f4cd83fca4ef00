"""Rules for new passwords that need more than the password itself."""

from dataclasses import dataclass

from domain.errors import PasswordInvalid
from domain.model.password import checked_new_password
from domain.ports.security import CommonPasswords


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordService:
    common: CommonPasswords

    def must_be_acceptable(self, password: str, *, email: str, name: str) -> None:
        """Raises PasswordInvalid with the broken rule."""
        checked_new_password(password, email=email, name=name)
        if self.common.has(password):
            raise PasswordInvalid(
                "This password is one of the most common ones, which are guessed first. "
                "Choose another, such as four words that do not belong together."
            )
