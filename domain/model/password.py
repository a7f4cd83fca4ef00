"""What a new password has to be. What was once accepted is never judged again at sign-in."""

from typing import Final

from domain.errors import PasswordInvalid

SHORTEST: Final = 8
"""Characters (ASVS 6.2.1)."""
LONGEST: Final = 256
"""Characters (ASVS 6.2.9)."""


def checked_new_password(password: str, *, email: str, name: str) -> str:
    """As it is: nothing trimmed, folded or cut (ASVS 6.2.8). Raises PasswordInvalid, saying which rule."""
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
        raise PasswordInvalid("The same few characters again and again are too easy to guess.")
    return password


def is_storable(password: str) -> bool:
    """Whether hashers can take it: no NUL (bcrypt stops there), no lone surrogate."""
    return "\0" not in password and not any("\ud800" <= c <= "\udfff" for c in password)
