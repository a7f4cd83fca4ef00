"""Each wired part has the type that its constructor declares. The injector does not check types."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from adapters.memory.unit_of_work import MemoryUnitsOfWork
from adapters.sql.unit_of_work import SqlUnitsOfWork
from application.container import Composition, build
from application.settings import Settings, load
from application.use_cases import UseCases

KEY = "a-key-of-our-own-for-prod-0123456789abcdef"


def of_test(_: Path) -> Settings:
    return load(env_file=None, environment="test")


def of_dev(folder: Path) -> Settings:
    return load(env_file=None, environment="dev", data_dir=folder)


def of_prod(folder: Path) -> Settings:
    return load(
        env_file=None,
        environment="prod",
        data_dir=folder,
        secret_key=KEY,
        public_url="https://app.example.org",
        database_url="postgresql://app@db.example.org/app",
    )


@pytest.fixture(params=[of_test, of_dev, of_prod])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Composition]:
    container = build(request.param(tmp_path))
    yield container
    container.hasher().close()


def test_every_use_case_gets_the_parts_that_it_declares(container: Composition) -> None:
    use_cases = container.use_cases()

    wrong = list(_misfits("use_cases", use_cases, UseCases))

    assert not wrong


def test_each_environment_uses_the_storage_of_its_settings(tmp_path: Path) -> None:
    kept = {
        settings.environment: (type(c.units_of_work()), c.engine() and c.engine().dialect.name)
        for settings in (of_test(tmp_path), of_dev(tmp_path), of_prod(tmp_path))
        for c in [build(settings)]
    }

    assert kept == {
        "test": (MemoryUnitsOfWork, None),
        "dev": (SqlUnitsOfWork, "sqlite"),
        "prod": (SqlUnitsOfWork, "postgresql"),
    }


async def test_passwords_are_hashed_by_the_settings_and_cheaply_in_tests(
    tmp_path: Path,
) -> None:
    hashed = []
    for settings in (
        load(env_file=None, environment="test"),
        load(env_file=None, environment="test", password_scheme="bcrypt"),
        load(env_file=None, environment="dev", data_dir=tmp_path),
    ):
        hasher = build(settings).hasher()
        hashed.append(await hasher.hash("right horse"))
        hasher.close()

    assert hashed[0].startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert hashed[1].startswith("$bcrypt-sha256$v=2,t=2b,r=4$")
    assert hashed[2].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_all_use_cases_share_one_instance_of_each_part(container: Composition) -> None:
    use_cases = container.use_cases()

    assert use_cases.log_in.cache is use_cases.recognise.cache is use_cases.log_out.cache
    assert use_cases.log_in.auth is use_cases.change_password.auth
    assert use_cases.log_in.units_of_work is use_cases.recognise.units_of_work


def _misfits(path: str, part: Any, declared: Any) -> Iterator[str]:
    """Compare each field of the wired parts with its declared type."""
    if isinstance(declared, type) and not _is_a(part, declared):
        yield f"{path} is a {type(part).__name__}, not a {declared.__name__}"
    if is_dataclass(part):
        hints = get_type_hints(type(part))
        for field in fields(part):
            yield from _misfits(
                f"{path}.{field.name}", getattr(part, field.name), hints[field.name]
            )


def _is_a(part: Any, declared: type) -> bool:
    """Return whether the part is of this type. Adapters name their port as a base class; protocols
    cannot be checked with isinstance."""
    return declared in type(part).__mro__
