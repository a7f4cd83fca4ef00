"""The rules of an account without a store."""

import pytest

from domain.errors import EmailInvalid, NameInvalid, PasswordInvalid, RoleInvalid
from domain.model.password import checked_new_password
from domain.model.user import canonical_email, checked_name, checked_role
from tests.builders import NOON, a_user


def test_an_email_has_one_canonical_form(subtests: pytest.Subtests) -> None:
    for typed, kept in [
        ("  Ada@Example.ORG ", "ada@example.org"),
        ("ADA@EXAMPLE.org", "ada@example.org"),
        ("ju\u0308rgen@example.org", "jürgen@example.org"),
        ("STRASSE@example.org", "strasse@example.org"),
        ("straße@example.org", "strasse@example.org"),
        ("a+b.c@sub.example.org", "a+b.c@sub.example.org"),
    ]:
        with subtests.test(typed=typed, kept=kept):
            assert canonical_email(typed) == kept
            assert canonical_email(kept) == kept


def test_an_invalid_email_is_refused(subtests: pytest.Subtests) -> None:
    for typed in [
        "",
        "ada",
        "@",
        "a@",
        "@b",
        "a b@c",
        "a@b@c",
        "a@b\0",
        "a@b\nc",
        "\ud800@b",
        "x" * 250 + "@b.de",
        '"<a>"@b',
        "ad\u200ba@b.de",
        "ad\u200da@b.de",
        "\u202eada@b.de",
    ]:
        with subtests.test(typed=typed), pytest.raises(EmailInvalid):
            canonical_email(typed)


def test_an_email_that_is_too_long_is_not_normalized() -> None:
    """The time to sort combining characters grows with the square of their number."""
    with pytest.raises(EmailInvalid):
        canonical_email("a" + "\u0301\u0323" * 1_000_000 + "@b.de")

    assert canonical_email("\u1100\u1161\u11a8" * 60 + "@b.de") == "\uac01" * 60 + "@b.de"


def test_an_empty_too_long_or_unprintable_name_is_refused(subtests: pytest.Subtests) -> None:
    for name in [
        "",
        " ",
        "x" * 201,
        "a\0b",
        "a\nb",
        "\ud800",
        "\u200b",
        "a\u202eb",
        "a\u2028b",
        "\ue000",
    ]:
        with subtests.test(name=name), pytest.raises(NameInvalid):
            checked_name(name)


def test_a_role_must_be_a_plain_word(subtests: pytest.Subtests) -> None:
    for role in ["", "Admin", "1st", "a b", "x" * 51, "rôle"]:
        with subtests.test(role=role), pytest.raises(RoleInvalid):
            checked_role(role)


@pytest.mark.asvs("V6.2.1", "V6.2.9", "V6.2.11")
def test_a_new_password_that_is_too_short_too_long_or_guessable_is_refused(
    subtests: pytest.Subtests,
) -> None:
    for password in [
        "seven77",
        "xyz" * 86,
        "with\0null-inside",
        "lone\ud800surrogate",
        "ada@example.org",
        "aaaaaaaaaaaa",
        "Ada Lovelace",
    ]:
        with subtests.test(password=password), pytest.raises(PasswordInvalid):
            checked_new_password(password, email="ada@example.org", name="Ada Lovelace")


@pytest.mark.asvs("V6.2.5", "V6.2.8")
def test_a_new_password_is_accepted_unchanged_with_any_characters(
    subtests: pytest.Subtests,
) -> None:
    for password in [
        "lower only",
        "  spaces around  ",
        "x y" * 24,
        "пароль-и-ключ",
        "x" * 70 + "yz!",
    ]:
        with subtests.test(password=password):
            assert checked_new_password(password, email="ada@example.org", name="Ada") == password


def test_a_changed_account_is_a_copy() -> None:
    ada = a_user(name="Ada", roles={"analyst"})

    changed = ada.renamed("Ada L.", NOON).with_roles({"admin"}, NOON).disabled(NOON)

    assert (ada.name, ada.roles, ada.is_active) == ("Ada", frozenset({"analyst"}), True)
    assert (changed.name, changed.roles, changed.is_active) == (
        "Ada L.",
        frozenset({"admin"}),
        False,
    )
    assert changed.is_admin
    assert not changed.is_acting_admin
