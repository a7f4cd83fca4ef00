"""The bundled list of common passwords."""

import gzip
from pathlib import Path
from typing import Final

import pytest

from adapters.security import common_passwords
from adapters.security.common_passwords import BundledCommonPasswords
from domain.model.password import checked_new_password

LIST: Final = Path(common_passwords.__file__).with_name("common_passwords.txt.gz")


@pytest.mark.asvs("V6.2.4")
def test_at_least_3000_passwords_that_the_other_rules_permit_are_in_the_list() -> None:
    common = BundledCommonPasswords()
    listed = gzip.decompress(LIST.read_bytes()).decode("ascii").splitlines()

    permitted = {
        password
        for password in listed
        if checked_new_password(password, email="ada@example.org", name="Ada")
    }

    assert len(permitted) >= 3000
    assert all(common.has(password) for password in permitted)
    assert all(common.has(password.upper()) for password in permitted)


def test_a_password_that_somebody_made_up_is_not_common(subtests: pytest.Subtests) -> None:
    common = BundledCommonPasswords()

    for password in ["", "correct horse", "battery staple", "kZ3v9-Qm7_Xw2b8L", "пароль-и-ключ"]:
        with subtests.test(password=password):
            assert not common.has(password)


def test_the_licence_of_the_list_is_beside_it() -> None:
    licence = LIST.with_name("common_passwords.LICENSE").read_text()

    assert "Copyright (c) Django Software Foundation" in licence
    assert "Redistributions of source code must retain" in licence
