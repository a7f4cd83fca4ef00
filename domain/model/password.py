"""The rules for new passwords. Sign-in does not apply them to existing passwords."""

from typing import Final

from domain.errors import PasswordInvalid

SHORTEST: Final = 8
"""Characters (ASVS 6.2.1)."""
LONGEST: Final = 256
"""Characters (ASVS 6.2.9)."""
LONGEST_TYPED: Final = 4096
"""Characters of a password at sign-in, which may be older than the limits above."""


def checked_new_password(password: str, *, email: str, name: str) -> str:
    """Return the password unchanged: not trimmed, folded or cut (ASVS 6.2.8). Raises PasswordInvalid with the broken
    rule."""
    if len(password) < SHORTEST:
        raise PasswordInvalid(f"A password has at least {SHORTEST} characters.")
    if len(password) > LONGEST:
        raise PasswordInvalid(f"A password has at most {LONGEST} characters.")
    if not is_storable(password):
        raise PasswordInvalid("The password contains a character that cannot be typed again.")
    if password.casefold() in {
        email.casefold(),
        email.partition("@")[0].casefold(),
        name.casefold(),
    }:
        raise PasswordInvalid("Your name or e-mail address is too easy to guess as a password.")
    if len(set(password)) < 3:
        raise PasswordInvalid(
            "A password with only one or two different characters is too easy to guess."
        )
    return password


def is_storable(password: str) -> bool:
    """Return whether every hasher can take the password: no NUL (bcrypt stops there), no lone surrogate."""
    return "\0" not in password and not any("\ud800" <= c <= "\udfff" for c in password)
