"""What is stored encrypted is worth nothing without the key, and in another place."""

import pytest

from adapters.security.encryption import FernetEncryption

OLD = "an-old-key-of-our-own-0123456789abcdef"
NEW = "a-new-key-of-our-own-0123456789abcdef"


def test_a_text_is_read_again_in_its_place_and_with_its_key_only() -> None:
    ours = FernetEncryption([NEW])
    encrypted = ours.encrypt("a secret ü", belongs_to="one")

    assert ours.decrypt(encrypted, belongs_to="one") == "a secret ü"
    assert ours.decrypt(encrypted, belongs_to="two") is None
    assert FernetEncryption([OLD]).decrypt(encrypted, belongs_to="one") is None
    assert b"a secret" not in encrypted
    assert ours.encrypt("a secret ü", belongs_to="one") != encrypted


def test_what_an_older_key_has_encrypted_is_read_until_the_key_is_removed() -> None:
    encrypted = FernetEncryption([OLD]).encrypt("a secret", belongs_to="one")

    assert FernetEncryption([NEW, OLD]).decrypt(encrypted, belongs_to="one") == "a secret"
    newest = FernetEncryption([NEW, OLD]).encrypt("a secret", belongs_to="one")
    assert FernetEncryption([NEW]).decrypt(newest, belongs_to="one") == "a secret"


@pytest.mark.parametrize("changed", [b"", b"nonsense", b"\xff\x00", b"gAAAAA=="])
def test_a_changed_text_is_not_read(changed: bytes) -> None:
    ours = FernetEncryption([NEW])
    encrypted = ours.encrypt("a secret", belongs_to="one")

    assert ours.decrypt(changed, belongs_to="one") is None
    assert ours.decrypt(encrypted[:-4] + b"AAA=", belongs_to="one") is None
